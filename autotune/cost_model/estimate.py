"""What a cost model is: the contract between the models and the search that uses them."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

Vector = NDArray[np.float64]


class Estimate(NamedTuple):
    """Scores (higher is faster) that a model expects, and how sure it is of each: a standard deviation."""

    mean: Vector
    deviation: Vector


class Model(Protocol):
    """A model of scores."""

    @property
    def error(self) -> float:
        """The mean square of its errors on measurements it had not seen."""

    def fit(self, points: Vector, seconds: Vector) -> None:
        """Learns from measurements, shape (measurements, features) and (measurements,); failures are infinite."""

    def estimate(self, points: Vector) -> Estimate:
        """Scores of candidates, shape (candidates, features)."""


Target: TypeAlias = Callable[[Vector], Vector]
"""Scores of times, shape (measurements,): higher for faster, mean 0 and deviation 1, or all 0 where times are equal."""


def scores(seconds: Vector) -> Vector:
    """Standardized negative logarithms of times; failures, which are infinite, share the score of the slowest.

    Ratios of times are what knobs change. Where a value is not above 0, as in studies of other things than times, ranks
    take their place.
    """
    valid = np.isfinite(seconds)
    if (seconds[valid] <= 0).any():
        return ranks(seconds)
    if not valid.any():
        return np.zeros(len(seconds))
    logarithms = -np.log(np.where(valid, seconds, seconds[valid].max()))
    return standard(logarithms)


def ranks(seconds: Vector) -> Vector:
    """Normal scores of times: rank among them, 0 in the middle; all failures share the last rank.

    They bend a distribution with a long tail of slow configs so that the differences among the fast ones are seen (van
    der Waerden; Conover, Practical Nonparametric Statistics, 5.10).
    """
    if not len(seconds):
        return np.zeros(0)
    places = rankdata(-np.where(np.isfinite(seconds), seconds, np.inf))
    return standard(ndtri((places - 0.5) / len(seconds)))


def standard(values: Vector) -> Vector:
    """Values with mean 0 and deviation 1; all 0 where they are equal."""
    spread = values.std()
    if not spread > 1e-12 * np.abs(values).max(initial=1.0):
        return np.zeros(len(values))
    scaled: Vector = (values - values.mean()) / spread
    return scaled
