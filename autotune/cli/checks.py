"""What `autotune doctor` looks at: each check says what it found, and what to do where that is not as it should be."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

import psutil

from autotune import settings
from autotune.errors import AutotuneError
from autotune.machine import detect, versions

LEAST_ROOM = 1 << 30  # bytes of disk and of memory: compiled kernels of one tuning run, and one build
BUSY = 0.1  # of a core: what other programs may take before measurements are repeated
LISTEN_SECONDS = 0.5
CPUS = "sys/devices/system/cpu"


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """What one check found; `fix` says what to do unless all is well."""

    check: str
    state: State
    found: str
    fix: str = ""


def findings(database: str, root: Path = Path("/")) -> Iterator[Finding]:
    """The result of every check; `root` is where /sys is, `database` the place of the tuning database.

    Nothing is changed, but for a file that is written to the cache directory and removed.
    """
    checks: tuple[Callable[[], Finding], ...] = (
        software,
        compiler,
        lambda: threads(root),
        threading_layer,
        lambda: governor(root),
        load,
        memory,
        cache_directory,
        lambda: tuning_database(database),
    )
    for check in checks:
        yield check()


def software() -> Finding:
    """Versions of what decides how a kernel is compiled."""
    found = ", ".join(f"{name} {version}" for name, version in versions().items())
    return Finding("versions", State.OK, found)


def compiler() -> Finding:
    """Whether Numba compiles at all."""
    try:
        import numba

        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # made when it is imported
            fix = "unset NUMBA_DISABLE_JIT: without the compiler no kernel runs"
            return Finding("compiler", State.BROKEN, "NUMBA_DISABLE_JIT is set", fix)
        result = numba.njit(lambda x: x + 1)(1)
    except Exception as error:
        fix = "install it anew: pip install --force-reinstall numba llvmlite"
        return Finding("compiler", State.BROKEN, f"Numba does not compile: {type(error).__name__}: {error}", fix)
    here = detect()
    state = State.OK if result == 2 else State.BROKEN
    return Finding(
        "compiler", state, f"Numba compiles for {here.llvm_cpu} ({here.isa})", "" if result == 2 else "reinstall numba"
    )


def threads(root: Path) -> Finding:
    """How many threads kernels use, and on how many cores."""
    try:
        wanted = settings.thread_count()
    except AutotuneError as error:
        return Finding("threads", State.BROKEN, str(error), "unset AUTOTUNE_THREADS, or set it to a whole number")
    allowed, quota = settings.processors(), _quota(root)
    most = allowed if quota is None else min(allowed, max(1, int(quota)))
    found = f"{wanted} for each call, {most} processors to run them"
    if wanted > most:
        fix = f"set AUTOTUNE_THREADS={most}: more threads than processors wait for each other"
        return Finding("threads", State.WARNING, found, fix)
    limit = os.environ.get("NUMBA_NUM_THREADS", "")
    if limit.isdecimal() and int(limit) < wanted:
        fix = f"unset NUMBA_NUM_THREADS, or set AUTOTUNE_THREADS={limit}"
        return Finding("threads", State.WARNING, f"{found}, but NUMBA_NUM_THREADS={limit} of them run", fix)
    return Finding("threads", State.OK, found)


def threading_layer() -> Finding:
    """Which of Numba's threading layers is there: its own fallback must not be entered by two threads at once."""
    import numba

    layers = {"tbb": "numba.np.ufunc.tbbpool", "omp": "numba.np.ufunc.omppool"}
    there = [name for name, module in layers.items() if _imports(module)]
    chosen = str(numba.config.THREADING_LAYER)  # type: ignore[attr-defined]
    fix = "pip install tbb, before threads of your own call parallel kernels at the same time"
    if chosen in (*layers, "workqueue") and chosen != "workqueue" and chosen not in there:
        return Finding("threading layer", State.BROKEN, f"NUMBA_THREADING_LAYER={chosen}, which is not there", fix)
    if chosen == "workqueue" or not there:
        return Finding("threading layer", State.WARNING, "workqueue, which only one thread may use at a time", fix)
    return Finding("threading layer", State.OK, f"{there[0]}, which threads may share")


def governor(root: Path) -> Finding:
    """Whether the clock follows the load, which makes the first of many calls slow."""
    files = sorted((root / CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor"))
    found = sorted({file.read_text().strip() for file in files})
    if not found:
        return Finding("CPU governor", State.OK, "not shown by this system, as on most virtual machines")
    if found == ["performance"]:
        return Finding("CPU governor", State.OK, "performance")
    fix = "sudo cpupower frequency-set -g performance, while you tune: measurements then scatter less"
    return Finding("CPU governor", State.WARNING, ", ".join(found), fix)


def load() -> Finding:
    """What other programs take of the processors now."""
    share = psutil.cpu_percent(interval=LISTEN_SECONDS) / 100 * (psutil.cpu_count() or 1)
    found = f"other programs take {share:.1f} of {psutil.cpu_count()} processors"
    if share <= BUSY:
        return Finding("load", State.OK, found)
    return Finding("load", State.WARNING, found, "tune when nothing else runs: what is measured under load is repeated")


def memory() -> Finding:
    """Memory that is free for builds."""
    free = psutil.virtual_memory().available
    found = f"{_size(free)} free"
    if free >= LEAST_ROOM:
        return Finding("memory", State.OK, found)
    fix = "close other programs: candidates that lack memory fail, and count as failures"
    return Finding("memory", State.WARNING, found, fix)


def cache_directory() -> Finding:
    """Whether generated code can be kept."""
    folder = settings.cache_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        fix = "make it writable, or set AUTOTUNE_CACHE to a directory that is"
        return Finding("cache directory", State.BROKEN, f"{folder} cannot be written: {error.strerror}", fix)
    kernels = len(list((folder / "kernels").glob("*.py")))
    found = f"{folder}: {kernels} kernels, {_size(free)} free"
    if free < LEAST_ROOM:
        fix = f"make room; what is in {folder / 'kernels'} may be deleted, it is compiled again when needed"
        return Finding("cache directory", State.WARNING, found, fix)
    return Finding("cache directory", State.OK, found)


def tuning_database(place: str) -> Finding:
    """Whether the database can be read, and what it knows of this machine."""
    from autotune.database import Database
    from autotune.database.location import Location

    try:
        path = Location.parse(place).path
        if path is not None and not path.exists():
            return Finding("database", State.OK, f"{place} is not there yet; the first tuning run makes it")
        with Database.open(place, read_only=True) as database:
            winners = sum(1 for _ in database.winners(fingerprint=detect().fingerprint))
            workloads, shown = len(database.workloads()), database.place
    except AutotuneError as error:
        fix = "give another one with AUTOTUNE_DB, or restore it from an export (autotune db import)"
        return Finding("database", State.BROKEN, str(error), fix)
    if path is not None and not os.access(path, os.W_OK):
        return Finding("database", State.WARNING, f"{path} is read-only", "make it writable to tune")
    return Finding("database", State.OK, f"{shown}: {workloads} workloads, {winners} winners of this machine")


def _imports(module: str) -> bool:
    try:
        if find_spec(module) is None:
            return False
        __import__(module)
    except ImportError:
        return False
    return True


def _quota(root: Path) -> float | None:
    """Processors that the control group of this process may use, as containers are given; None where all."""
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _size(count: float) -> str:
    return f"{count / (1 << 30):.1f} GiB"
