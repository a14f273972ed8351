"""Tuning all workloads of a program within one time, each as far as that is worth while.

`Budget.search` is the loop: every workload gets its first batch, then `allocation.most_promising` says whose batch is
next, until the time is up but for the proofs. `Budget.conclude` proves the winners. Each workload is tuned by a `Run`
of its own, as if it were alone; what was measured is in the database, and the next run begins with it.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from autotune.database import Database
from autotune.database.winner import Winner
from autotune.errors import UsageError
from autotune.machine import Machine, peaks
from autotune.machine.peak_rates import bandwidth
from autotune.schedule.workload import Workload
from autotune.search.allocation import Curve, most_promising
from autotune.search.events import Outcome
from autotune.search.experience import Find
from autotune.search.laboratory import Bench, Laboratory
from autotune.search.studies import storage_errors
from autotune.search.tune import CONCLUDING_SECONDS, Report, Run, Task, begin, task_of

LEAST_PROOF_SECONDS = 1.0
MOST_TRIALS = 1000  # of a workload, where no number is asked for
BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Demand:
    """A workload, and how often a program calls it; `seconds` are what all calls took, 0 where that is not known."""

    workload: Workload
    calls: float = 1.0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a workload has received of a budget, and what came of it.

    `before` and `after` are seconds per call: of what served before (the winner stored earlier, else the default) and
    of the winner now; None where no winner is proven. `outcome` is None where it received nothing.
    """

    demand: Demand
    batches: int
    seconds: float
    before: float | None
    after: float | None
    outcome: Outcome | None

    @property
    def trials(self) -> int:
        """Configs that were measured for it."""
        return self.outcome.progress.done - self.outcome.progress.earlier if self.outcome is not None else 0

    @property
    def gained(self) -> float:
        """Seconds that all its calls take less than before; 0 where the winner has not changed."""
        if self.outcome is None or not self.outcome.replaced or self.before is None or self.after is None:
            return 0.0
        return self.demand.calls * (self.before - self.after)


def tune_all(
    demands: Sequence[Demand],
    *,
    machine: Machine,
    database: Database,
    seconds: float | None,
    trials: int | None = None,
    seed: int = 0,
    report: Report | None = None,
    find: Find | None = None,
) -> tuple[Share, ...]:
    """Tunes workloads on this machine until the time, or `trials` of each, earlier ones included, are used up.

    Gives one share a workload, in their order. `find` is as in `tune`. Ctrl-C ends the search early, not the proofs; a
    second one ends those. Raises UsageError where there is nothing to tune, or neither a time nor a number of trials.
    """
    if not demands or (seconds is None and trials is None):
        message = "a budget needs workloads, and a time or a number of trials"
        raise UsageError(message)
    first = demands[0].workload
    begin(first)
    with Bench(first, machine) as bench:
        members = [
            Member(
                demand=demand,
                floor=_floor(demand.workload, machine),
                task=partial(
                    task_of,
                    demand.workload,
                    machine,
                    trials=trials or MOST_TRIALS,
                    seed=seed,
                    batch=BATCH,
                    find=find,
                ),
                laboratory=Bench(demand.workload, machine, beside=bench),
            )
            for demand in demands
        ]
        return share_out(members, database, seconds=seconds, report=report)


def share_out(
    members: Sequence["Member"], database: Database, *, seconds: float | None, report: Report | None = None
) -> tuple[Share, ...]:
    """Tunes in any laboratories; see `tune_all`."""
    budget = Budget(members, database, math.inf if seconds is None else seconds, report or (lambda _: None))
    interrupted = False
    with storage_errors(database.place):
        for part in (budget.search, budget.conclude):
            try:
                part()
            except KeyboardInterrupt:
                interrupted = True
            finally:
                budget.close()
    return tuple(member.share(interrupted=interrupted) for member in members)


@dataclass(kw_only=True)
class Member:
    """A workload in a budget: its run, once it has begun, and what it has received."""

    demand: Demand
    floor: float
    task: Callable[[], Task]
    laboratory: Laboratory
    run: Run | None = None
    seconds: float = 0.0
    batches: int = 0
    done: bool = False
    concluded: bool = False
    before: Winner | None = None
    _bests: list[tuple[int, float]] = field(default_factory=list)
    _steps: Iterator[None] | None = None
    _left: float = 0.0

    @property
    def curve(self) -> Curve:
        """What the allocation knows of it."""
        calls = self.demand.calls
        return Curve(
            calls=calls,
            floor=self.floor,
            stake=self.demand.seconds or calls * self.floor,
            bests=tuple(self._bests),
            batches=self.batches,
            seconds=self.seconds,
            done=self.done,
        )

    @property
    def new(self) -> bool:
        """Whether anything was measured that has not competed yet, be it by a run that was killed before its proof."""
        if self.run is None or self.concluded:
            return False
        return len(self.run.known) > self.run.earlier or (bool(self.run.known) and self.before is None)

    def step(self, database: Database, report: Report, allowance: Callable[[], float]) -> None:
        """Begin, and go on to the first batch unless earlier runs have measured; later, one batch more."""
        began = time.monotonic()
        if self.run is None:
            task = self.task()
            self.before = database.winner(task.workload.key, task.machine.fingerprint)
            self.run = Run(
                task=task,
                laboratory=self.laboratory,
                database=database,
                report=report,
                allowance=allowance,
                start=began,
            )
            self._steps = self.run.batches()
            next(self._steps)
        else:
            self.run.start += began - self._left  # its time stood still meanwhile
        try:
            if not self.run.earlier or self._bests:
                self._measure(self.run)
            self._bests.append((len(self.run.known), self.run.best()))
        finally:
            self._left = time.monotonic()
            self.seconds += self._left - began

    def conclude(self, haste: float) -> None:
        """Prove the winner."""
        assert self.run is not None
        began = time.monotonic()
        self.run.start += began - self._left
        self.concluded = True
        try:
            self.run.conclude(haste)
        finally:
            self._left = time.monotonic()
            self.seconds += self._left - began

    def close(self) -> None:
        """End the search where it stands."""
        if self._steps is not None:
            self._steps.close()  # type: ignore[attr-defined]  # a generator

    def share(self, *, interrupted: bool) -> Share:
        """What it has received."""
        if self.run is None:
            return Share(demand=self.demand, batches=0, seconds=0.0, before=None, after=None, outcome=None)
        self.run.interrupted = interrupted
        self.run.winner = self.run.winner or self.before
        outcome = self.run.outcome()
        winner = outcome.winner
        earlier = self.before.seconds if self.before else winner.default_seconds if winner else None
        return Share(
            demand=self.demand,
            batches=self.batches,
            seconds=self.seconds,
            before=earlier,
            after=winner.seconds if winner else None,
            outcome=outcome,
        )

    def _measure(self, run: Run) -> None:
        known = len(run.known)
        assert self._steps is not None
        self.done = next(self._steps, self) is self or len(run.known) >= min(run.task.trials, run.task.space.size)
        self.batches += len(run.known) > known


@dataclass
class Budget:
    """A budget under way."""

    members: Sequence[Member]
    database: Database
    seconds: float
    report: Report
    start: float = field(default_factory=time.monotonic)

    def search(self) -> None:
        """Batch after batch, each to the workload that promises most, until time or configs are used up."""
        while self._search_seconds_left() > 0:
            place = most_promising([member.curve for member in self.members], BATCH)
            if place is None:
                return
            self.members[place].step(self.database, self.report, self._search_seconds_left)

    def conclude(self) -> None:
        """Prove winners of all that have new measurements, those with most at stake first, in the time that is left."""
        left = sorted((member for member in self.members if member.new), key=lambda member: -member.curve.stake)
        for number, member in enumerate(left):
            share = (self.seconds - (time.monotonic() - self.start)) / (len(left) - number)
            member.conclude(CONCLUDING_SECONDS / min(CONCLUDING_SECONDS, max(LEAST_PROOF_SECONDS, share)))

    def close(self) -> None:
        """End all searches."""
        for member in self.members:
            member.close()

    def _search_seconds_left(self) -> float:
        """Seconds until the proofs should begin: one for each workload with new measurements, and one more."""
        proofs = min(sum(member.new for member in self.members) + 1, len(self.members))
        reserved = min(CONCLUDING_SECONDS * proofs, self.seconds / 2)
        return self.seconds - reserved - (time.monotonic() - self.start)


def _floor(workload: Workload, machine: Machine) -> float:
    """The least seconds that arithmetic and memory of the machine allow a call."""
    found = peaks(machine)
    rate = bandwidth(workload.bytes, workload.threads, found, machine)
    return max(workload.flops / found.flops(workload.dtype, workload.threads), workload.bytes / rate)
