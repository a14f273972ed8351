"""`bench kernels` from its cases to its table: tune, compare, keep, one case after the other."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from autotune import search
from autotune.cli import terminal
from autotune.cli.bench.comparison import ContestError
from autotune.cli.bench.contest import Rules
from autotune.cli.bench.kernels import report
from autotune.cli.bench.kernels.cases import KernelCase
from autotune.cli.bench.kernels.referee import Referee
from autotune.cli.bench.kernels.rows import METHOD, row_of
from autotune.cli.bench.peers import PEERS, installed
from autotune.cli.bench.results import Results
from autotune.cli.tuning import Effort, tune_each
from autotune.codegen import generator_version
from autotune.database import Database
from autotune.errors import AutotuneError
from autotune.machine import Machine, detect, peaks, versions

RULES = Rules(rounds=9, seconds=1.0, fewest=3, limit=4.0, slow=1.0)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure: each case tuned, unless `effort` has no trials, then compared with `peers`."""

    cases: tuple[KernelCase, ...]
    effort: Effort
    peers: tuple[str, ...]
    rules: Rules = RULES


def bench(plan: Plan, place: str, path: Path | None, *, refresh: bool) -> None:
    """Measure what the file at `path` does not hold yet, keep it there, and print the table.

    `place` is the database. Raises KeyboardInterrupt after Ctrl-C, also where a tuning run has noticed it first, and in
    the end ContestError where cases failed, which the file names.
    """
    machine, out = detect(), terminal.console()
    found = installed(plan.peers)
    here = tuple(name for name in plan.peers if PEERS[name].package in found)
    all_versions = versions() | found | {"generator": generator_version()}
    results = Results.open(path, machine, all_versions, terminal.command_line(), refresh=refresh)
    missing = [name for name in plan.peers if name not in here]
    results.more |= {"method": METHOD, "missing_peers": missing}
    for name in missing:
        out.print(f"{name} is missing: {PEERS[name].package} is not installed", style="yellow")
    with Database.open(place) as database, contextlib.ExitStack() as referees:
        threads = {case.threads for case in plan.cases}
        each = {count: referees.enter_context(Referee(count, database.url)) for count in threads}
        tuning = search.Bench(plan.cases[0].workload, machine) if plan.cases and plan.effort.trials else None
        if tuning:
            referees.enter_context(tuning)
        under_way = Bench(replace(plan, peers=here), database, results, machine, out, each, tuning)
        try:
            for number, case in enumerate(plan.cases, start=1):
                out.print(f"{number}/{len(plan.cases)} {case.workload.describe()}", style="bold", soft_wrap=True)
                under_way.measure(case)
        finally:
            under_way.conclude()
    failed = [failure for failure in results.more.get("failures", []) if KernelCase.from_json(failure) in plan.cases]
    if failed:
        message = f"{len(failed)} of {len(plan.cases)} cases failed, the last with: {failed[-1]['reason']}"
        raise ContestError(message)


@dataclass(frozen=True)
class Bench:
    """A bench under way; `referees` by number of threads, `tuning` has the processes that build and measure."""

    plan: Plan
    database: Database
    results: Results
    machine: Machine
    out: Console
    referees: Mapping[int, Referee]
    tuning: search.Bench | None

    def measure(self, case: KernelCase) -> None:
        """Tune a case and compare it, unless the file holds it; one that cannot be is named in the file."""
        if self._row(case) is not None:
            self.out.print("  in the file already")
            return
        trials = self.plan.effort.trials
        try:
            rate = self._tune(case) if trials else None
            with self.out.status("comparing"):  # shows nothing where the console is no terminal
                held = self.referees[case.threads].hold(case, self.plan.peers, self.plan.rules, tuned=bool(trials))
        except AutotuneError as error:
            self._keep_failure(case, " ".join(str(error).split()))
            return
        row = row_of(case, held, trials, peaks(self.machine), self.machine)
        self._forget_failure(case)
        self.results.add(row | {"trials_per_second": rate})
        self.out.print(f"  {report.line(row)}", soft_wrap=True)
        for name, reason in row["absent"].items():
            self.out.print(f"  {name} takes no part: {reason}", style="dim", soft_wrap=True)

    def conclude(self) -> None:
        """Print the table and keep the summary."""
        rows = [row for case in self.plan.cases if (row := self._row(case)) is not None]
        if not rows:
            return
        self.results.more["summary"] = report.summary(self.results.rows)
        self.results.write()
        self.out.print()
        self.out.print(report.table(rows))
        self.out.print()
        for text in report.words(rows):
            self.out.print(text, soft_wrap=True)

    def _row(self, case: KernelCase) -> dict[str, Any] | None:
        return self.results.find(case.identity() | {"trials": self.plan.effort.trials})

    def _tune(self, case: KernelCase) -> float | None:
        """Tune a case; gives trials per second, None where all were known."""
        (outcome,) = tune_each(
            [case.workload],
            self.plan.effort,
            database=self.database,
            machine=self.machine,
            out=self.out,
            beside=self.tuning,
        )
        if outcome.interrupted:
            raise KeyboardInterrupt
        progress = outcome.progress
        return progress.trials_per_second if progress.done > progress.earlier else None

    def _keep_failure(self, case: KernelCase, reason: str) -> None:
        self.out.print(f"  failed: {reason}", style="red", soft_wrap=True)
        self._forget_failure(case)
        self.results.more["failures"].append(case.identity() | {"reason": reason})
        self.results.write()

    def _forget_failure(self, case: KernelCase) -> None:
        failures = self.results.more.get("failures", [])
        self.results.more["failures"] = [each for each in failures if not case.identity().items() <= each.items()]
