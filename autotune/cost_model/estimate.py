"""What a cost model is: the contract between the models and the search that uses them."""

from typing import NamedTuple, Protocol

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
    """A model of scores; `error` is the mean square of its errors on measurements it had not seen."""

    error: float

    def fit(self, points: Vector, seconds: Vector) -> None:
        """Learns from measurements, shape (measurements, features) and (measurements,); failures are infinite."""

    def estimate(self, points: Vector) -> Estimate:
        """Scores of candidates, shape (candidates, features)."""


def scores(seconds: Vector) -> Vector:
    """Normal scores of times: rank among them, 0 in the middle, higher for faster; all failures share the last rank.

    Ranks are all that matters for choosing, and they bend a distribution with a long tail of slow configs so that the
    differences among the fast ones are seen (van der Waerden; Conover, Practical Nonparametric Statistics, 5.10).
    """
    if not len(seconds):
        return np.zeros(0)
    ranks = rankdata(-np.where(np.isfinite(seconds), seconds, np.inf))
    normal = ndtri((ranks - 0.5) / len(seconds))
    spread = normal.std()
    standard: Vector = (normal - normal.mean()) / (spread if spread > 0 else 1.0)
    return standard
