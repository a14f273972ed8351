"""How well a model orders configs that were measured: by rank, among the fastest, and by what is found with it."""

from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from autotune.cost_model.estimate import Vector

TOP = 10  # configs that count as the fastest, and that are looked at


class Agreement(NamedTuple):
    """Between scores and measured times.

    `spearman` is the correlation of ranks, `recall` the share of the fastest configs among as many that score highest,
    and `best` the least time among the latter: the fastest time of all over it, 1 where the fastest is among them.
    """

    spearman: float
    recall: float
    best: float


def agreement(scores: Vector, seconds: Vector, top: int = TOP) -> Agreement:
    """Of scores, higher for faster, with seconds, infinite for failures, which are the slowest; two valid at least."""
    valid = np.isfinite(seconds)
    times = np.where(valid, seconds, 2 * seconds[valid].max())
    count = min(top, len(times))
    chosen, fastest = np.argsort(-scores, kind="stable")[:count], np.argsort(times, kind="stable")[:count]
    spread = np.ptp(scores) > 0 and np.ptp(times) > 0
    return Agreement(
        spearman=float(spearmanr(scores, -times).statistic) if spread else 0.0,
        recall=len(set(chosen.tolist()) & set(fastest.tolist())) / count,
        best=float(times.min() / times[chosen].min()),
    )
