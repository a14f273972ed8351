"""Statistics of timings, which are skewed and have outliers: medians, order statistics, bootstrap."""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = Sequence[float] | NDArray[np.float64]
RESAMPLES = 2000


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def median_interval(samples: Samples) -> Interval:
    """The 95 % confidence interval of the median, from order statistics; assumes nothing of the distribution.

    The number of samples below the median is binomial, here with its normal approximation (Conover, Practical
    Nonparametric Statistics, section 3.2). With five samples it reaches from the least to the greatest (94 %).
    """
    if not len(samples):
        message = "an interval needs at least one sample"
        raise ValueError(message)
    ordered = sorted(samples)
    count = len(ordered)
    rank = max(0, math.floor((count - 1.96 * math.sqrt(count)) / 2))
    return Interval(ordered[rank], ordered[count - 1 - rank])


def relative_precision(samples: Samples) -> float:
    """Half the width of the median's confidence interval over the median: 0.01 is plus or minus one per cent."""
    low, high = median_interval(samples)
    return (high - low) / 2 / float(np.median(samples))


def ratio(new: Samples, incumbent: Samples) -> float:
    """Median of `new` over median of `incumbent`: below 1 where `new` is faster."""
    return float(np.median(new) / np.median(incumbent))


def ratio_interval(
    new: Samples,
    incumbent: Samples,
    rng: np.random.Generator | int,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """Bootstrap confidence interval of `ratio` for samples taken in pairs, one of each at about the same time.

    Pairs are drawn together, so that a slow moment of the machine, which slows both of a pair, cancels (percentile
    method; Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13). `rng` is a generator or a seed.
    """
    pairs = np.array([new, incumbent], dtype=np.float64)
    count = pairs.shape[1]
    draws = np.random.default_rng(rng).integers(count, size=(resamples, count))
    medians = np.median(pairs[:, draws], axis=2)
    low, high = np.quantile(medians[0] / medians[1], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
