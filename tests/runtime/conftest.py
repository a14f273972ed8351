"""Runtime tests share one cache of compiled kernels and have a database each."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOTUNE_CACHE", str(cache))
    monkeypatch.setenv("AUTOTUNE_DB", str(tmp_path / "tuning.db"))
    monkeypatch.setenv("AUTOTUNE_THREADS", "1")
