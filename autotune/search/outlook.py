"""What two models together expect of candidates, and what measuring one of them may gain."""

import numpy as np
from scipy.special import ndtr

from autotune.cost_model.estimate import Estimate, Vector
from autotune.cost_model.process import Process
from autotune.cost_model.ranker import Ranker

# The power of its error by which a model loses its say.
SHARPNESS = 2


class Outlook:
    """The blend of a process on the knobs and of trees on the features, for some candidates.

    Each model has the more say the better it predicts what it has not seen. `points` and `features` describe the
    candidates, a row each.
    """

    def __init__(self, process: Process, ranker: Ranker, *, points: Vector, features: Vector) -> None:
        self._posterior = process.posterior(points)
        self._trees = ranker.estimate(features)
        self._share = _share(ranker.error, process.error)

    @property
    def estimate(self) -> Estimate:
        """Scores and deviations by both models."""
        return _blend(self._trees, self._posterior.estimate(), self._share)

    def improvement(self, best: float) -> Vector:
        """Expected improvement over the score `best` (Jones, Schonlau and Welch 1998, doi:10.1023/A:1008306431147)."""
        mean, deviation = self.estimate
        ratio = (mean - best) / deviation
        density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
        gain: Vector = deviation * (ratio * ndtr(ratio) + density)
        return gain

    def expect(self, index: int) -> None:
        """Take it that a candidate will be measured: what is near it becomes less unsure."""
        self._posterior.expect(index)


def _share(trees: float, process: float) -> float:
    """The trees' say, by the errors of both on what they had not seen."""
    weights = np.array([process, trees]) ** SHARPNESS + 1e-12
    return float(weights[0] / weights.sum())


def _blend(trees: Estimate, process: Estimate, share: float) -> Estimate:
    """Mean and deviation of a mixture of two normal distributions."""
    mean = share * trees.mean + (1 - share) * process.mean
    variance = share * trees.deviation**2 + (1 - share) * process.deviation**2
    apart = share * (1 - share) * (trees.mean - process.mean) ** 2
    return Estimate(mean, np.sqrt(variance + apart))
