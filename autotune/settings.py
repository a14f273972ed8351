"""Where files live and what the environment asks for: the one module that reads environment variables."""

import os
from pathlib import Path

import platformdirs

from autotune.errors import UsageError

MEASURING = "AUTOTUNE_MEASURING"
RECORD = "AUTOTUNE_RECORD"


def cache_directory() -> Path:
    """Directory of generated sources, compiled kernels and measured peaks (`AUTOTUNE_CACHE` overrides it)."""
    return Path(os.environ.get("AUTOTUNE_CACHE") or platformdirs.user_cache_dir("autotune"))


def database_url() -> str:
    """SQLAlchemy URL or path of the tuning database (`AUTOTUNE_DB` overrides the per-user SQLite file)."""
    return os.environ.get("AUTOTUNE_DB") or str(Path(platformdirs.user_data_dir("autotune")) / "autotune.db")


def record_folder() -> Path | None:
    """Where this process writes which workloads it calls, if `AUTOTUNE_RECORD` names a folder, as `record` does."""
    folder = os.environ.get(RECORD)
    return Path(folder) if folder else None


def measuring() -> bool:
    """Whether this process builds or measures candidates for another one, which sets `AUTOTUNE_MEASURING`."""
    return MEASURING in os.environ


def processors() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count() -> int:
    """Threads a kernel may use (`AUTOTUNE_THREADS`; by default every core this process may run on)."""
    text = os.environ.get("AUTOTUNE_THREADS")
    if text is None:
        return processors()
    if not text.isdecimal() or int(text) < 1:
        message = f"AUTOTUNE_THREADS must be a whole number of at least 1, not {text!r}"
        raise UsageError(message)
    return int(text)
