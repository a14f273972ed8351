"""What holds for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # its functions are compiled for a call or two


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Machine code that all tests share, those of pytest's other processes too: what one has compiled others load."""
    folder = tmp_path_factory.getbasetemp()
    path = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "autotune-cache"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture(autouse=True, scope="session")
def _apart(cache: Path) -> Iterator[None]:
    """Nothing of the user's own serves a test, and which schedule does is the same on every CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOTUNE_CACHE", str(cache))
        patch.setenv("AUTOTUNE_SHIPPED", "0")
        yield
