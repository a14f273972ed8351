"""`bench matmul` from its cases to its table: tune, compare, keep, one case after the other."""

from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console

from autotune.cli import terminal
from autotune.cli.bench import report
from autotune.cli.bench.cases import LARGE, Case
from autotune.cli.bench.comparison import METHOD, compare
from autotune.cli.bench.contest import Rules
from autotune.cli.bench.results import Results
from autotune.cli.tuning import Effort, peak_memory, process_seconds, tune_each
from autotune.codegen import generator_version
from autotune.database import Database
from autotune.machine import Machine, detect, peaks, versions

# The tuning run whose time and memory the results report, where it is the first that the process does.
TIMED = Case(LARGE)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure: each case tuned, then compared with `peers` in so many `processes`."""

    cases: tuple[Case, ...]
    effort: Effort
    processes: int
    peers: tuple[str, ...]
    rules: Rules = field(default_factory=Rules)


def bench(plan: Plan, place: str, path: Path | None, *, refresh: bool) -> None:
    """Measure what the file at `path` does not hold yet, keep it there, and print the table.

    `place` is the database. Raises KeyboardInterrupt after Ctrl-C, also where a tuning run has noticed it first.
    """
    machine, out = detect(), terminal.console()
    installed = _installed(plan.peers)
    found = versions() | installed | {"generator": generator_version()}
    results = Results.open(path, machine, found, terminal.command_line(), refresh=refresh)
    missing = [name for name in plan.peers if name not in installed]
    results.more |= {"method": METHOD, "missing_peers": missing}
    for name in missing:
        out.print(f"{name} is not installed and not compared with", style="yellow")
    with Database.open(place) as database:
        bench = Bench(replace(plan, peers=tuple(installed)), database, results, machine, out)
        try:
            for number, case in enumerate(plan.cases, start=1):
                out.print(f"{number}/{len(plan.cases)} {case.workload.describe()}", style="bold", soft_wrap=True)
                bench.measure(case)
        finally:
            bench.conclude()


@dataclass(frozen=True)
class Bench:
    """A bench under way."""

    plan: Plan
    database: Database
    results: Results
    machine: Machine
    out: Console

    def measure(self, case: Case) -> None:
        """Tune a case and compare it, unless the file holds it."""
        if self._row(case) is not None:
            self.out.print("  in the file already")
            return
        self._tune(case)
        with self.out.status("comparing"):  # shows nothing where the console is no terminal
            comparison = compare(
                case, self.database.url, peers=self.plan.peers, processes=self.plan.processes, rules=self.plan.rules
            )
        row = comparison.row(self.plan.effort.trials, peaks(self.machine), self.machine)
        self.results.add(row)
        self.out.print(f"  {report.line(row)}")

    def conclude(self) -> None:
        """Print the table and keep the summary."""
        rows = [row for case in self.plan.cases if (row := self._row(case)) is not None]
        if not rows:
            return
        self.results.more["summary"] = report.summary(self.results.rows)
        self.results.write()
        self.out.print()
        self.out.print(report.table(rows, self.plan.peers))
        self.out.print()
        self.out.print(report.words(report.summary(rows)))
        if "tuning" in self.results.more:
            self.out.print(report.tuning_words(self.results.more["tuning"]))

    def _row(self, case: Case) -> dict[str, Any] | None:
        return self.results.find(case.identity() | {"trials": self.plan.effort.trials})

    def _tune(self, case: Case) -> None:
        """Tune a case, and beside it the same on one thread; the timed one's cost is kept if all of it was done now."""
        workloads = [replace(case, threads=threads).workload for threads in sorted({1, case.threads})]
        *_, outcome = tune_each(workloads, self.plan.effort, database=self.database, machine=self.machine, out=self.out)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if case != TIMED or case != self.plan.cases[0]:
            return
        if outcome.progress.earlier:
            self.out.print("  an earlier run did a part of this tuning, so its time is not kept: that needs a new --db")
            return
        trials = {"trials": outcome.progress.done}
        spent = {"seconds": process_seconds(), "peak_memory_bytes": peak_memory()}
        self.results.more["tuning"] = case.identity() | trials | spent


def _installed(peers: tuple[str, ...]) -> dict[str, str]:
    """Versions of the peers that are installed."""
    found = {}
    for name in peers:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
