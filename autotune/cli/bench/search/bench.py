"""`bench search` from its tables to its scores: runs that the file does not hold yet, kept as they end."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from time import monotonic

from rich.console import Console

from autotune.cli import terminal
from autotune.cli.bench.results import Results
from autotune.cli.bench.search import outcome, report
from autotune.cli.bench.search.runs import Run, Task, do
from autotune.cli.bench.search.score import Course
from autotune.cli.bench.search.strategies import STRATEGIES
from autotune.cli.bench.search.tables import load, name_of
from autotune.machine import detect, versions

METHOD = (
    "P of Willemsen et al. 2024 on evaluations: (R(k) - m(k)) / (R(k) - optimum), averaged over the evaluations k in "
    "which random search is expected to close 50 to 95 % of the gap between median and optimum; R is the expected "
    "best of random search, m the mean best of the repeats. Intervals are 95 % bootstrap ones, of repeats for a space "
    "and of spaces for all; evaluations_to_95 is the median evaluation where 95 % of the optimum's speed is reached, "
    "seconds the processor's for one run, on the machine that did it: `machine` is that of the last."
)
SAVE_SECONDS, SAVE_SHARE = 20.0, 0.05  # of the time, at most, goes into saving, the tests of many strategies included


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run: strategies on tables, with so many seeds, in so many processes; `again` what the file holds, too."""

    paths: tuple[Path, ...]
    strategies: tuple[str, ...]
    budgets: tuple[int, ...]
    repeats: int
    jobs: int = 1
    again: bool = False


def bench(plan: Plan, path: Path | None, *, refresh: bool) -> None:
    """Do the runs that the file at `path` does not hold, keep them there, and print scores and tests."""
    out = terminal.console()
    missing = [name for name in plan.strategies if not STRATEGIES[name].installed]
    for name in missing:
        out.print(f"{name} is missing: {STRATEGIES[name].package} is not installed", style="yellow")
    here = tuple(name for name in plan.strategies if name not in missing)
    used, command = versions() | _versions(here), terminal.command_line()
    results = Results.new(path, detect(), used, command)
    if not refresh:
        results = Results.open(path, detect(), used, command, refresh=False, anywhere=True)
    results.more |= {"method": METHOD, "missing": missing}
    under_way = Bench(plan, here, results, out)
    try:
        under_way.work()
    finally:
        under_way.conclude()


@dataclass
class Bench:
    """A bench under way."""

    plan: Plan
    strategies: tuple[str, ...]
    results: Results
    out: Console
    runs: list[Run] = field(default_factory=list)

    courses: dict[str, dict[int, Course]] = field(init=False)

    def __post_init__(self) -> None:
        kept = [Run.from_json(data) for data in self.results.more.get("runs", [])]
        self.runs = [run for run in kept if not (self.plan.again and run.strategy in self.strategies)]
        self.courses = {
            name_of(path): {budget: Course.of(load(path), budget) for budget in self.plan.budgets}
            for path in self.plan.paths
        }

    def work(self) -> None:
        """Do what is not done, the quick strategies' runs not behind the slow ones' of another space."""
        tasks = self._tasks()
        due = monotonic() + SAVE_SECONDS
        with self.out.status("") as status:  # shows nothing where the console is no terminal
            for number, run in enumerate(_each(tasks, self.plan.jobs), start=1):
                status.update(f"{number}/{len(tasks)} {run.space} {run.strategy} seed {run.seed}")
                self.runs.append(run)
                if (now := monotonic()) > due:
                    self._keep()
                    taken = monotonic() - now
                    due = monotonic() + max(SAVE_SECONDS, taken / SAVE_SHARE)

    def conclude(self) -> None:
        """Keep everything, and print it."""
        if not self.runs:
            return
        self._keep()
        report.show(self.results.rows, self.results.more["comparisons"], self.out)

    def _tasks(self) -> list[Task]:
        budget = max(self.plan.budgets)
        done = {(run.space, run.strategy, run.seed) for run in self.runs if run.budget >= budget}
        return [
            Task(path, strategy, budget, seed)
            for seed in range(self.plan.repeats)
            for strategy in self.strategies
            for path in self.plan.paths
            if (name_of(path), strategy, seed) not in done
        ]

    def _keep(self) -> None:
        self.runs.sort(key=lambda run: (run.strategy, run.space, run.seed, run.budget))
        strategies = [name for name in STRATEGIES if any(run.strategy == name for run in self.runs)]
        self.results.rows = outcome.rows(self.runs, self.courses, strategies)
        rivals = [("ours", name) for name in strategies[1:] if not STRATEGIES[name].variant]
        variants = [name for name in strategies[1:] if STRATEGIES[name].variant]
        choices = [pair for name in variants for pair in (("ours", name), (name, "ours"))]
        duels = (rivals, choices) if strategies[0] == "ours" else ()
        self.results.more |= {
            "strategies": {name: STRATEGIES[name].words for name in strategies},
            "comparisons": [found for pairs in duels for found in outcome.comparisons(self.runs, self.courses, pairs)],
            "optima": {space: next(iter(courses.values())).optimum for space, courses in self.courses.items()},
            "runs": [run.to_json() for run in self.runs],
        }
        self.results.write()


def _each(tasks: Sequence[Task], jobs: int) -> Iterator[Run]:
    """The runs as they end."""
    if jobs == 1:
        yield from map(do, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:
        futures = [executor.submit(do, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _versions(strategies: Sequence[str]) -> dict[str, str]:
    packages = {STRATEGIES[name].package for name in strategies} | {"optuna", "xgboost"}
    return {package: metadata.version(package) for package in sorted(filter(None, packages))}
