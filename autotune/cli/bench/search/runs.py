"""Runs: one strategy on one table with one seed, as the evaluations at which it improved and the times then reached."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import process_time
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from autotune.cli.bench.search.score import Curve, best_so_far
from autotune.cli.bench.search.strategies import STRATEGIES
from autotune.cli.bench.search.tables import Table, load


@dataclass(frozen=True)
class Task:
    """A run to do."""

    path: Path
    strategy: str
    budget: int
    seed: int


@dataclass(frozen=True)
class Run:
    """A run that was done; `steps` are pairs of an evaluation, from 1, and the best time in ms from there on.

    The first pair is that of evaluation 1. `seconds` are those of the processor that the strategy took.
    """

    space: str
    strategy: str
    budget: int
    seed: int
    steps: tuple[tuple[int, float], ...]
    seconds: float

    @property
    def curve(self) -> Curve:
        """The best time so far after 1 … budget evaluations, ms."""
        starts, times = zip(*self.steps, strict=True)
        return np.repeat(np.array(times), np.diff([*starts, self.budget + 1]))

    def to_json(self) -> dict[str, Any]:
        """The run for a file, its steps as short text."""
        steps = " ".join(f"{start}:{time:.9g}" for start, time in self.steps)
        return {
            "space": self.space,
            "strategy": self.strategy,
            "budget": self.budget,
            "seed": self.seed,
            "seconds": self.seconds,
            "best": steps,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The run that `to_json` wrote."""
        pairs = (step.split(":") for step in data["best"].split())
        steps = tuple((int(start), float(time)) for start, time in pairs)
        return cls(data["space"], data["strategy"], data["budget"], data["seed"], steps, data["seconds"])


def do(task: Task) -> Run:
    """Do a run, on one thread."""
    table = _table(task.path)
    start = process_time()
    with threadpool_limits(limits=1):
        places = STRATEGIES[task.strategy].search(table, task.budget, task.seed)
    seconds = process_time() - start
    curve = best_so_far(table, np.array(places, dtype=np.int64), task.budget)
    changes = [0, *(np.flatnonzero(np.diff(curve)) + 1).tolist()]
    steps = tuple((int(place) + 1, float(curve[place])) for place in changes)
    return Run(table.name, task.strategy, task.budget, task.seed, steps, round(seconds, 3))


@lru_cache(maxsize=16)
def _table(path: Path) -> Table:
    return load(path)
