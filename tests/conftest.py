"""What holds for all tests."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _no_shipped_winners() -> "pytest.Generator[None]":
    """Which schedule serves a test does not depend on the CPU that it runs on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOTUNE_SHIPPED", "0")
        yield
