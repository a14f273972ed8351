"""What the models together expect of candidates, and what measuring one of them may gain."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from autotune.cost_model.estimate import Estimate, Vector
from autotune.cost_model.process import Posterior

# The power of its error by which a model loses its say.
SHARPNESS = 2


class Outlook:
    """The blend of a process on the knobs and of other models, for some candidates.

    Each model has the more say the better it predicts what it has not seen. `posterior` is of the candidates and has
    observed what was measured, of which `target` are the scores; `others` are what other models expect of the
    candidates, each with the error of its model.
    """

    def __init__(self, posterior: Posterior, target: Vector, others: Sequence[tuple[Estimate, float]] = ()) -> None:
        self._posterior = posterior.fork()
        self._target = target
        self._others = others
        self._shares = shares([posterior.error(target), *(error for _, error in others)]) if others else np.ones(1)

    @property
    def estimate(self) -> Estimate:
        """Scores and deviations by all models: those of a mixture of normal distributions."""
        each = [self._posterior.estimate(self._target), *(estimate for estimate, _ in self._others)]
        if len(each) == 1:
            return each[0]
        means, deviations = (np.array([getattr(one, name) for one in each]) for name in Estimate._fields)
        mean = self._shares @ means
        return Estimate(mean, np.sqrt(self._shares @ (deviations**2 + means**2) - mean**2))

    def best(self, seen: Sequence[Vector]) -> float:
        """The best score by all models of what was measured; `seen` are the others' scores of that.

        It, not its own score, is what to improve on: the best of many measurements was lucky too.
        """
        each = np.array([self._posterior.smoothed(self._target), *seen])
        return float((self._shares @ each).max(initial=0.0))

    def improvement(self, best: float) -> Vector:
        """Expected improvement over the score `best` (Jones, Schonlau and Welch 1998, doi:10.1023/A:1008306431147)."""
        mean, deviation = self.estimate
        ratio = (mean - best) / deviation
        density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
        gain: Vector = deviation * (ratio * ndtr(ratio) + density)
        return gain

    def expect(self, points: Vector) -> None:
        """Take it that points will be measured: what is near them becomes less unsure, whatever the outcome."""
        self._posterior.observe(points)


def shares(errors: Sequence[float]) -> Vector:
    """The say of models, by their errors on what they had not seen."""
    weights = 1 / (np.array(errors) + 1e-6) ** SHARPNESS
    share: Vector = weights / weights.sum()
    return share
