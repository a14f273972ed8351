"""`bench transfer` from its shapes to its table: known shapes are tuned, then each new one as if it were the first."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table

from autotune import units
from autotune.cli import terminal
from autotune.cli.bench.kernels.cases import KernelCase
from autotune.cli.bench.results import Results
from autotune.cli.bench.transfer.shapes import Family
from autotune.cli.kernels import known
from autotune.cli.progress import display
from autotune.database import Database
from autotune.machine import Machine, detect, peaks, versions
from autotune.schedule import Workload
from autotune.search import Bench, Event, Laboratory, Progress, TrialFinished
from autotune.search.studies import storage_errors
from autotune.search.tune import Run, begin, task_of

NEAR = 0.95  # of the final speed
METHOD = (
    "Shapes of each kernel that are called known are tuned into one database, with half of `trials`. Then each new "
    "shape is tuned as if it were the first: with a database of its own, by a search that has learnt from the known "
    "shapes of all kernels, and whatever else the database holds. `trials_to_95` is the trial, in the order in which "
    f"they ended, after which the best time was within {NEAR:.0%} of the final speed, that of the best of all "
    "`trials`. `default_ms` is the time of the default schedule, which is measured first, `ms` that of the best; "
    "`seconds` is how long the search took, `thinking` the share of it that went into learning, choosing configs and "
    "keeping what came of them. Nothing is proven by paired runs: times are compared as they were measured."
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to tune: new shapes with so many trials each, known ones with half of them."""

    families: tuple[Family, ...]
    trials: int
    seed: int = 0


LaboratoryOf: TypeAlias = Callable[[Workload], Laboratory]


def bench(plan: Plan, place: str, path: Path | None, *, refresh: bool) -> None:
    """Tune what the database at `place` and the file at `path` do not hold, keep it there, and print the table."""
    machine, out = detect(), terminal.console()
    results = Results.open(path, machine, versions(), terminal.command_line(), refresh=refresh)
    results.more |= {"method": METHOD}
    with Database.open(place) as database, _laboratories(plan, machine) as laboratory_of:
        under_way = Tuning(plan, database, results, machine, laboratory_of, out)
        try:
            under_way.work()
        finally:
            under_way.conclude()


@contextmanager
def _laboratories(plan: Plan, machine: Machine) -> Iterator[LaboratoryOf]:
    """Benches that share their processes."""
    first = plan.families[0].cases(plan.families[0].known)[0].workload
    begin(first)
    with Bench(first, machine) as processes:
        yield lambda workload: Bench(workload, machine, beside=processes)


@dataclass(frozen=True)
class Tuning:
    """A bench under way."""

    plan: Plan
    database: Database
    results: Results
    machine: Machine
    laboratory_of: LaboratoryOf
    out: Console

    def work(self) -> None:
        """Tune the known shapes, then the new ones."""
        for family in self.plan.families:
            for case in family.cases(family.known):
                self._search(case.workload, self.database, max(1, self.plan.trials // 2))
        for family in self.plan.families:
            for case in family.cases(family.new):
                identity = case.identity() | {"trials": self.plan.trials}
                if self.results.find(identity) is None:
                    self.results.add(identity | self._as_the_first(case))

    def conclude(self) -> None:
        """Keep the summary, and print the table."""
        if self.results.rows:
            self.results.more["summary"] = summary(self.results.rows)
            self.results.write()
            self.out.print()
            self.out.print(table(self.results.rows))
            self.out.print()
            self.out.print(words(self.results.more["summary"]), soft_wrap=True)

    def _as_the_first(self, case: KernelCase) -> dict[str, Any]:
        """The figures of a new shape."""
        with TemporaryDirectory() as folder, Database.open(Path(folder, "new.db")) as database:
            times, progress = self._search(case.workload, database, self.plan.trials)
        return {
            "trials_to_95": trials_to_near(times),
            "default_ms": 1e3 * times[0],
            "ms": 1e3 * min(times),
            "seconds": progress.elapsed,
            "thinking": progress.thinking / progress.elapsed,
        }

    def _search(self, workload: Workload, database: Database, trials: int) -> tuple[list[float], Progress]:
        """Measures configs into a database; the seconds of each trial, infinite where it failed, in their order."""
        task = task_of(workload, self.machine, trials=trials, seed=self.plan.seed, find=known)
        learn = task.learn
        task = replace(task, learn=None if learn is None else lambda _: learn(self.database))
        times: list[float] = []
        with display(self.out, workload, peaks(self.machine).flops(workload.dtype, workload.threads), "") as show:

            def report(event: Event) -> None:
                if isinstance(event, TrialFinished):
                    times.append(event.measurement.seconds)
                show(event)

            run = Run(task=task, laboratory=self.laboratory_of(workload), database=database, report=report)
            with storage_errors(database.place):
                run.search()
        return times, run.progress()


def trials_to_near(times: Sequence[float]) -> int:
    """The first of some trials that is within `NEAR` of the speed of the best of all."""
    return next(number for number, time in enumerate(times, start=1) if time <= min(times) / NEAR)


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Over all new shapes: the trials that they needed, and the search's own share of the time."""
    seconds = sum(row["seconds"] for row in rows)
    return {
        "workloads": len(rows),
        "trials_to_95_median": statistics.median(row["trials_to_95"] for row in rows),
        "trials_to_95_most": max(row["trials_to_95"] for row in rows),
        "seconds": seconds,
        "thinking": sum(row["thinking"] * row["seconds"] for row in rows) / seconds,
        "thinking_most": max(row["thinking"] for row in rows),
    }


def words(found: dict[str, float]) -> str:
    """The summary in a sentence."""
    return (
        f"95 % of the final speed at trial {found['trials_to_95_median']:g} (median of {found['workloads']:g} new "
        f"shapes, at most {found['trials_to_95_most']:g}); {units.percent(found['thinking'])} of the time was "
        f"the search's own, at most {units.percent(found['thinking_most'])}"
    )


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """A line a new shape."""
    numbers = ("trials", "to 95 %", "default", "best", "time", "thinking")
    made = terminal.table("kernel", "size", *numbers, numbers=numbers)
    for row in rows:
        made.add_row(
            f"{row['kernel']} {row['direction']}",
            "x".join(map(str, row["size"].values())),
            str(row["trials"]),
            str(row["trials_to_95"]),
            *(units.duration(1e-3 * row[name]) for name in ("default_ms", "ms")),
            units.clock(row["seconds"]),
            units.percent(row["thinking"]),
        )
    return made
