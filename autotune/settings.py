"""Where files live and what is asked for by options and the environment: the one module that reads its variables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

import platformdirs

from autotune.errors import UsageError

MEASURING = "AUTOTUNE_MEASURING"
RECORD = "AUTOTUNE_RECORD"


def cache_directory() -> Path:
    """Directory of generated sources, compiled kernels and measured peaks (`AUTOTUNE_CACHE` overrides it)."""
    return Path(os.environ.get("AUTOTUNE_CACHE") or platformdirs.user_cache_dir("autotune"))


class Options(NamedTuple):
    """What `options` asks for; None is what the environment says."""

    database: str | None = None
    threads: int | None = None


_NOTHING = Options()
_options = ContextVar("autotune_options", default=_NOTHING)
current_options = _options.get
"""The options of the block that asks, as a thread or an asynchronous task has them."""

options_in_use: list[bool] = []
"""Empty until `options` is first used in this process: programs that never do are spared a look at a context variable,
0.05 µs (Zen 4), in each call of a kernel."""


@contextmanager
def options(*, db: "str | os.PathLike[str] | None" = None, threads: int | None = None) -> Iterator[None]:
    """What kernels called in this block use: the tuning database at `db`, and as many `threads`.

    What is not given stays as it is outside: as the enclosing block has it, else `AUTOTUNE_DB` and `AUTOTUNE_THREADS`.
    The options hold for the thread or asynchronous task that enters the block; threads started in it have their own.
    It serves as a decorator too. Raises UsageError for threads below 1 and for an empty place.
    """
    outer = _options.get()
    place, count = outer.database if db is None else os.fspath(db), outer.threads if threads is None else threads
    if not isinstance(count, int | None) or isinstance(count, bool) or (count is not None and count < 1):
        message = f"threads must be a whole number of at least 1, not {count!r}"
        raise UsageError(message)
    if place == "":
        message = "db must be a path or a URL, not an empty text"
        raise UsageError(message)
    options_in_use[:] = [True]
    token = _options.set(Options(place, count))
    try:
        yield
    finally:
        _options.reset(token)


def database_url() -> str:
    """SQLAlchemy URL or path of the tuning database, by `options`, `AUTOTUNE_DB`, else a SQLite file a user."""
    asked = _options.get().database or os.environ.get("AUTOTUNE_DB")
    return asked or str(Path(platformdirs.user_data_dir("autotune")) / "autotune.db")


def record_folder() -> Path | None:
    """Where this process writes which workloads it calls, if `AUTOTUNE_RECORD` names a folder, as `record` does."""
    folder = os.environ.get(RECORD)
    return Path(folder) if folder else None


def shipped_winners() -> bool:
    """Whether winners that ship with the package may serve kernels: not if `AUTOTUNE_SHIPPED` is 0."""
    return os.environ.get("AUTOTUNE_SHIPPED", "1") != "0"


def measuring() -> bool:
    """Whether this process builds or measures candidates for another one, which sets `AUTOTUNE_MEASURING`."""
    return MEASURING in os.environ


def processors() -> int:
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count() -> int:
    """Threads a kernel may use (`options`, `AUTOTUNE_THREADS`; by default every core this process may run on)."""
    if (asked := _options.get().threads) is not None:
        return asked
    text = os.environ.get("AUTOTUNE_THREADS")
    if text is None:
        return processors()
    if not text.isdecimal() or int(text) < 1:
        message = f"AUTOTUNE_THREADS must be a whole number of at least 1, not {text!r}"
        raise UsageError(message)
    return int(text)
