"""The public names of the language and of differentiation."""

from types import ModuleType

import pytest

from autotune import autodiff, lang


@pytest.mark.parametrize("module", [lang, autodiff], ids=lambda module: module.__name__)
def test_public_names_exist_and_say_what_they_are(module: ModuleType) -> None:
    for name in module.__all__:
        exported = getattr(module, name)
        assert not (callable(exported) and not exported.__doc__), name
