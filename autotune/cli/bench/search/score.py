"""How good a search on a table was: P, by Willemsen et al. 2024, "A methodology for comparing optimization algorithms
for auto-tuning", on evaluations. P = 0 is random search, P = 1 finds the optimum at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autotune.cli.bench.search.tables import Table

Curve = NDArray[np.float64]

BEGINS, ENDS = 0.5, 0.95  # of the gap between median and optimum, which random search is expected to have closed


@dataclass(frozen=True)
class Course:
    """What random search does on a table: its expected best after 1 … budget evaluations, and where P is taken."""

    baseline: Curve
    optimum: float
    first: int
    last: int

    @classmethod
    def of(cls, table: Table, budget: int) -> "Course":
        """The course of a table for a budget of evaluations."""
        valid = np.sort(table.times[np.isfinite(table.times)])
        curve = baseline(valid, budget)
        optimum, median = float(valid[0]), float(np.median(valid))
        closed = [int(np.argmax(curve <= median - share * (median - optimum))) for share in (BEGINS, ENDS)]
        reached = [bool((curve <= median - share * (median - optimum)).any()) for share in (BEGINS, ENDS)]
        first, last = (place if found else len(curve) - 1 for place, found in zip(closed, reached, strict=True))
        return cls(curve, optimum, first, max(first, last))

    def score(self, curves: Curve) -> float:
        """P of the mean of the best-so-far curves, shape (repeats, evaluations)."""
        return float(self.gains(curves).mean())

    def gains(self, curves: Curve) -> Curve:
        """P of each repeat: linear in the curve, so the mean over repeats is the P of their mean curve."""
        part = slice(self.first, self.last + 1)
        left = np.maximum(self.baseline[part] - self.optimum, np.finfo(float).tiny)
        gains: Curve = np.mean((self.baseline[part] - curves[..., part]) / left, axis=-1)
        return gains


def baseline(times: Curve, budget: int) -> Curve:
    """The expected least of 1 … budget draws without replacement from sorted times, or of all where these are fewer.

    The least of k draws is beyond the i fastest with probability C(n-i, k) / C(n, k).
    """
    count = len(times)
    beyond = np.ones(count + 1)
    found = []
    for draws in range(min(budget, count)):
        beyond *= np.maximum(count - np.arange(count + 1) - draws, 0) / (count - draws)
        found.append(float(times @ (beyond[:-1] - beyond[1:])))
    return np.array(found + [float(times[0])] * (budget - len(found)))


def best_so_far(table: Table, order: NDArray[np.int64], budget: int) -> Curve:
    """The best time after each evaluation of configs of the table; the worst before the first that has one."""
    found = np.full(budget, np.inf)
    found[: len(order)] = table.times[order[:budget]]
    curve: Curve = np.minimum.accumulate(found)
    curve[~np.isfinite(curve)] = table.worst
    return curve


def interval(samples: Curve, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of samples, shape (samples,)."""
    rng = np.random.default_rng(seed)
    means = samples[rng.integers(len(samples), size=(draws, len(samples)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
