"""Each of the tests in `gates.py` runs once for each case of its class; each has a database of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.library.gates")

from autotune.runtime import choice  # noqa: E402
from tests.library.cases import Case  # noqa: E402  # after the line that has its assertions rewritten
from tests.library.gates import Gates, LinearGates, SmoothGates  # noqa: E402


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOTUNE_DB", str(tmp_path / "tuning.db"))
    monkeypatch.setenv("AUTOTUNE_THREADS", "1")
    # Defaults are made at one size, so that a direction is compiled once for all the sizes that it is tried at.
    monkeypatch.setattr(choice, "rounded", lambda _: 8)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize what a test of `gates.py` asks for: a case, and an input of it."""
    if metafunc.cls is None or not issubclass(metafunc.cls, Gates | LinearGates | SmoothGates):
        return
    names = [name for name in ("case", "compiled_case", "wrt", "linear_in") if name in metafunc.fixturenames]
    if names:
        metafunc.parametrize(names, list(_rows(metafunc.cls.cases, names)))


def _rows(cases: tuple[Case, ...], names: Sequence[str]) -> Iterator[Any]:
    for case in cases:
        match names:
            case ["case"]:
                yield pytest.param(case, id=str(case))
            case ["compiled_case"] if case.compiled:
                yield pytest.param(case, id=str(case), marks=[pytest.mark.slow] if case.slow else [])
            case ["case", "linear_in"]:
                yield from (pytest.param(case, name, id=f"{case}-{name}") for name in case.linear)
            case ["case", "wrt"]:
                yield from (pytest.param(case, name, id=f"{case}-{name}") for name in case.floating)
