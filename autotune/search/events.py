"""What a tuning run tells while it goes, for a live display, and what it gives in the end."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from autotune import markup, units
from autotune.database.winner import Winner
from autotune.machine import Machine
from autotune.measure.measurement import Measurement, Status
from autotune.schedule.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    `done` counts distinct configs with a result, those of earlier runs (`earlier`) included, of the `trials` wanted, or
    of all configs there are where these are fewer; `best` is the least median in seconds, infinite before the first.
    `failures` counts failed trials by kind. `elapsed` and `left` are seconds; `left` is an estimate, None before there
    is one. `thinking` are those of `elapsed` that went into learning, into choosing configs and into keeping what
    came of them.
    """

    workload: Workload
    trials: int
    done: int
    earlier: int
    best: float
    failures: Mapping[Status, int]
    elapsed: float
    left: float | None
    thinking: float = 0.0

    @property
    def gflops(self) -> float:
        """Speed of the best so far in 10^9 operations per second; 0 before the first, and where there are none."""
        return self.workload.flops / self.best / 1e9

    @property
    def trials_per_second(self) -> float:
        """Trials of this run over its time."""
        return (self.done - self.earlier) / self.elapsed if self.elapsed > 0 else 0.0


@dataclass(frozen=True)
class Started:
    """The run begins, with what earlier runs have measured."""

    progress: Progress


@dataclass(frozen=True)
class BatchProposed:
    """The next configs are known; now they are built."""

    progress: Progress
    size: int


@dataclass(frozen=True)
class TrialFinished:
    """A config has its result."""

    progress: Progress
    measurement: Measurement


@dataclass(frozen=True)
class MachineLoaded:
    """Something else ran beside the last measurements, at worst taking 1 - `load`; `again` of them are repeated."""

    progress: Progress
    load: float
    again: int


@dataclass(frozen=True)
class Proving:
    """The fastest configs are compared with the incumbent in paired runs."""

    progress: Progress
    candidates: int


@dataclass(frozen=True)
class Finished:
    """The run has ended; `winner` is the one that counts now, None where nothing could be proven."""

    progress: Progress
    winner: Winner | None


Event = Started | BatchProposed | TrialFinished | MachineLoaded | Proving | Finished


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a tuning run has found.

    `winner` is the workload's winner on this machine now, and `replaced` whether this run put it there; `progress` is
    the last. `exhausted` says that no more configs were left, `interrupted` that it was stopped by Ctrl-C,
    `error` why nothing could be proven.
    """

    workload: Workload
    machine: Machine
    winner: Winner | None
    replaced: bool
    progress: Progress
    exhausted: bool = False
    interrupted: bool = False
    error: str = ""

    @property
    def gflops(self) -> float:
        """Speed of the winner in 10^9 operations per second, or of the best measured where there is no winner."""
        return self.workload.flops / self.winner.seconds / 1e9 if self.winner else self.progress.gflops

    def _repr_html_(self) -> str:
        progress = self.progress
        failures = ", ".join(f"{count} {status}" for status, count in sorted(progress.failures.items())) or "none"
        facts = {
            "trials": f"{progress.done} of {progress.trials}, {progress.earlier} of them by earlier runs",
            "failures": failures,
            "best measured": units.duration(progress.best) if math.isfinite(progress.best) else "none yet",
        }
        if self.error:
            facts["not proven"] = self.error
        winner = self.winner._repr_html_() if self.winner else "<div>no winner proven yet</div>"
        return markup.card(self.workload.describe(), facts, winner)
