"""What a program calls: each workload with the number of its calls and their time, written while the program runs.

`autotune record` names a folder by `AUTOTUNE_RECORD`, which the program and the processes that it starts inherit. Each
writes a file of its own there, every second or so while it calls and at its end; one that is killed loses what is
newer. Where nothing is recorded, calls cost nothing more.
"""

import atexit
import json
import logging
import math
import os
import sys
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import util
from pathlib import Path
from threading import Lock
from time import monotonic, perf_counter_ns
from types import ModuleType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from autotune import settings
from autotune.runtime.plan import Plan
from autotune.schedule import Workload

if TYPE_CHECKING:
    from autotune.runtime.kernel import TunedKernel

logger = logging.getLogger("autotune")

LIBRARY = "autotune.library."
WRITING_SECONDS = 1.0
WRITING_SHARE = 0.01  # of a program's time, at most, goes into writing


@dataclass
class Tally:
    """The calls of one workload by one kernel, what commands call that if anything, and how long they took together."""

    workload: Workload
    place: str | None
    calls: int = 0
    nanoseconds: int = 0

    def to_json(self) -> dict[str, Any]:
        """A line of the list."""
        workload = self.workload
        return {
            "kernel": self.place or workload.kernel.name,
            "importable": self.place is not None,
            "direction": workload.kernel.direction,
            "options": dict(workload.kernel.options),
            "size": dict(workload.extents),
            "dtype": workload.dtype,
            "threads": workload.threads,
            "calls": self.calls,
            "seconds": self.nanoseconds * 1e-9,
        }


@dataclass
class Recording:
    """All calls of this process. Threads may call at the same time."""

    folder: Path
    path: Path = field(init=False)
    tallies: dict[tuple[str, str | None], Tally] = field(default_factory=dict)
    _counting: Lock = field(default_factory=Lock)
    _writing: Lock = field(default_factory=Lock)
    _due: float = 0.0

    def __post_init__(self) -> None:
        self.path = self._own_path()

    def watch(self) -> None:
        """Write at the end of this process, and of those forked from it, which count their own calls only."""
        atexit.register(self.write)
        os.register_at_fork(after_in_child=self._begin_anew)
        # Children of multiprocessing end without atexit.
        util.register_after_fork(self, lambda recording: util.Finalize(recording, recording.write, exitpriority=0))

    def recorded(self, plan: Plan, kernel: "TunedKernel") -> Plan:
        """The plan, whose calls are counted from now on."""
        place, compute = place_of(kernel), plan.split_call  # now: at its end a script has lost its __file__
        with self._counting:
            tally = self.tallies.setdefault((plan.workload.key, place), Tally(plan.workload, place))

        def call(*arguments: Any) -> int:
            start = perf_counter_ns()
            refused = compute(*arguments)
            if not refused:
                self._add(tally, perf_counter_ns() - start)
            return refused

        return replace(plan, split_call=call)

    def write(self) -> None:
        """Put the list in place, a line a workload that was called. That it cannot be written ends no program."""
        with self._counting:
            lines = [json.dumps(tally.to_json()) + "\n" for tally in self.tallies.values() if tally.calls]
        with self._writing:
            try:
                temporary = self.path.with_suffix(".part")
                temporary.write_text("".join(lines), encoding="utf-8")
                temporary.replace(self.path)
            except OSError as error:
                logger.warning("calls are not recorded: %s", error)

    def _add(self, tally: Tally, nanoseconds: int) -> None:
        now = monotonic()
        with self._counting:
            tally.calls += 1
            tally.nanoseconds += nanoseconds
            due = now >= self._due
            if due:
                self._due = math.inf
        if due:
            self.write()
            self._due = monotonic() + max(WRITING_SECONDS, (monotonic() - now) / WRITING_SHARE)

    def _begin_anew(self) -> None:
        """In a forked process: no lock that a thread of the parent held."""
        self._counting, self._writing = Lock(), Lock()
        self._due = 0.0
        self.path = self._own_path()
        for tally in self.tallies.values():
            tally.calls = tally.nanoseconds = 0

    def _own_path(self) -> Path:
        return self.folder / f"{os.getpid()}-{uuid4().hex[:8]}.jsonl"


@cache
def recording() -> Recording | None:
    """That of this process, if `AUTOTUNE_RECORD` asks for one; it is kept from the first call on."""
    folder = settings.record_folder()
    if folder is None:
        return None
    made = Recording(folder)
    made.watch()
    return made


def place_of(kernel: "TunedKernel") -> str | None:
    """What commands call a kernel: a built-in name, `package.module:name` or `file.py:name`; None where it has none."""
    module = sys.modules.get(kernel.__module__)
    name = _name_in(module, kernel) if module is not None else None
    if module is None or name is None:
        return None
    if module.__name__.startswith(LIBRARY):
        return name
    specification, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    run_as_module = module.__name__ == "__main__" and specification is not None
    if file and not run_as_module and "." not in module.__name__ and not _installed(file):  # a script or its neighbour
        return f"{Path(file).resolve()}:{name}"
    return f"{specification.name}:{name}" if specification is not None else None


def _name_in(module: ModuleType, kernel: "TunedKernel") -> str | None:
    """The name in its module of a kernel, or of the one that it is with other options."""
    members = kernel._family.members()
    names = [getattr(kernel, "__qualname__", ""), *vars(module)]
    return next((name for name in names if any(vars(module).get(name) is member for member in members)), None)


def _installed(file: str) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
