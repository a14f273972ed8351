"""Kernels that the tests of the bridges share; the database is that of the tests of run time."""

import pytest

from tests.runtime.conftest import _interpreted, environment  # noqa: F401  # fixtures


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR", "autotune")
