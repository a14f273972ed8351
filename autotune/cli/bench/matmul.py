"""`bench matmul` from its cases to its table: tune, compare, keep, one case after the other."""

import time
from dataclasses import dataclass, field
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
from autotune.cli.tuning import peak_memory, tune_each
from autotune.codegen import generator_version
from autotune.database import Database
from autotune.machine import Machine, detect, peaks, versions

# The tuning run whose time and memory the results report: the suite's first, so the process has done nothing before.
TIMED = Case(LARGE)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure: each case tuned with `trials`, then compared with `peers` in so many `processes`."""

    cases: tuple[Case, ...]
    trials: int
    processes: int
    peers: tuple[str, ...]
    rules: Rules = field(default_factory=Rules)
    seed: int = 0


def bench(plan: Plan, place: str, path: Path | None, *, refresh: bool) -> None:
    """Measure what the file at `path` does not hold yet, keep it there, and print the table.

    `place` is the database. Raises KeyboardInterrupt after Ctrl-C, also where a tuning run has noticed it first.
    """
    machine, out = detect(), terminal.console()
    installed = _installed(plan.peers)
    found = versions() | installed | {"generator": generator_version()}
    results = Results.open(path, machine, found, terminal.command_line(), refresh=refresh)
    results.more |= {"method": METHOD, "missing_peers": [name for name in plan.peers if name not in installed]}
    for name in results.more["missing_peers"]:
        out.print(f"{name} is not installed and not compared with", style="yellow")
    try:
        with Database.open(place) as database:
            for number, case in enumerate(plan.cases, start=1):
                out.print(f"{number}/{len(plan.cases)} {case.workload.describe()}", style="bold", soft_wrap=True)
                _bench(case, plan, database, results, machine=machine, peers=tuple(installed), out=out)
    finally:
        _conclude(results, plan, out)


def _bench(
    case: Case,
    plan: Plan,
    database: Database,
    results: Results,
    *,
    machine: Machine,
    peers: tuple[str, ...],
    out: Console,
) -> None:
    if results.find(case.identity() | {"trials": plan.trials}) is not None:
        out.print("  in the file already")
        return
    tuning = _tune(case, plan, database, machine, out)
    if tuning is not None and case == TIMED:
        results.more["tuning"] = tuning
    with out.status("comparing"):  # prints nothing where the console is no terminal
        comparison = compare(case, database.url, peers=peers, processes=plan.processes, rules=plan.rules)
    results.add(comparison.row(plan.trials, peaks(machine), machine))
    out.print(f"  {report.line(results.rows[-1])}")


def _tune(case: Case, plan: Plan, database: Database, machine: Machine, out: Console) -> dict[str, Any] | None:
    """Tune a case; its time and memory, or None where a part of it was done by an earlier run."""
    start = time.monotonic()
    (outcome,) = tune_each(
        [case.workload], database=database, machine=machine, trials=plan.trials, seconds=None, seed=plan.seed, out=out
    )
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.progress.earlier:
        return None
    return {
        **case.identity(),
        "trials": outcome.progress.done,
        "seconds": time.monotonic() - start,
        "peak_memory_bytes": peak_memory(),
    }


def _conclude(results: Results, plan: Plan, out: Console) -> None:
    rows = [row for case in plan.cases if (row := results.find(case.identity() | {"trials": plan.trials})) is not None]
    if not rows:
        return
    results.more["summary"] = report.summary(results.rows)
    results.write()
    out.print()
    out.print(report.table(rows, plan.peers))
    out.print()
    out.print(report.words(report.summary(rows)))
    if "tuning" in results.more:
        out.print(report.tuning_words(results.more["tuning"]))


def _installed(peers: tuple[str, ...]) -> dict[str, str]:
    """Versions of the peers that are installed."""
    found = {}
    for name in peers:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
