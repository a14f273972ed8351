"""What the models together expect of candidates, and what measuring one of them may gain."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from autotune.cost_model.estimate import Estimate, Vector
from autotune.cost_model.process import Posterior

# The power of its error by which a model loses its say.
SHARPNESS = 2
FORESEEN_COUNT = 8
LEAST_SCALE = 0.05  # of a belief's deviations: where all was as expected, the next may not be


class Belief:
    """What a process knows of candidates' scores, less what was expected of them before: that it learns nothing of.

    `posterior` is of the candidates and has observed what was measured. `target` are the standardized differences
    between what that scored and what was expected of it, and `scale` is their deviation in units of scores; `expected`
    are the scores expected of candidates, `seen` those of what was measured.
    """

    def __init__(
        self,
        posterior: Posterior,
        target: Vector,
        *,
        scale: float = 1.0,
        expected: Vector | float = 0.0,
        seen: Vector | float = 0.0,
    ) -> None:
        self._posterior = posterior.fork()
        self._target = target
        self._scale = scale
        self._expected = expected
        self._seen = seen

    @property
    def count(self) -> int:
        """Measurements that are known."""
        return len(self._target)

    @property
    def error(self) -> float:
        """Mean square of the errors on each measurement had it been left out."""
        return self._scale**2 * self._posterior.error(self._target)

    @property
    def estimate(self) -> Estimate:
        """Scores and deviations."""
        mean, deviation = self._posterior.estimate(self._target)
        return Estimate(self._expected + self._scale * mean, max(self._scale, LEAST_SCALE) * deviation)

    @property
    def smoothed(self) -> Vector:
        """Scores of the measurements themselves, by all of them."""
        smoothed: Vector = self._seen + self._scale * self._posterior.smoothed(self._target)
        return smoothed

    def expect(self, points: Vector) -> None:
        """Take it that points will be measured."""
        self._posterior.observe(points)


class Outlook:
    """The blend of processes on the knobs and of other models, for some candidates.

    Each model has the more say the better it predicts what it has not seen; `others` are what other models expect of
    the candidates, each with the error of its model. Where `foreseen` gives an error for each model, beliefs first,
    that was expected before there were any measurements, it counts as much as `FORESEEN_COUNT` of them: the errors on a
    few say little.
    """

    def __init__(
        self,
        beliefs: Sequence[Belief],
        others: Sequence[tuple[Estimate, float]] = (),
        *,
        foreseen: Sequence[float] | None = None,
    ) -> None:
        self._beliefs = beliefs
        self._others = others
        errors = np.array([*(belief.error for belief in beliefs), *(error for _, error in others)])
        if foreseen is not None:
            count = beliefs[0].count
            errors = (count * errors + FORESEEN_COUNT * np.array(foreseen)) / (count + FORESEEN_COUNT)
        self._shares = shares(errors) if len(errors) > 1 else np.ones(1)

    @property
    def estimate(self) -> Estimate:
        """Scores and deviations by all models: those of a mixture of normal distributions."""
        each = [*(belief.estimate for belief in self._beliefs), *(estimate for estimate, _ in self._others)]
        if len(each) == 1:
            return each[0]
        means, deviations = (np.array([getattr(one, name) for one in each]) for name in Estimate._fields)
        mean = self._shares @ means
        return Estimate(mean, np.sqrt(np.maximum(self._shares @ (deviations**2 + means**2) - mean**2, 1e-12)))

    def best(self, seen: Sequence[Vector]) -> float:
        """The best score by all models of what was measured; `seen` are the others' scores of that.

        It, not its own score, is what to improve on: the best of many measurements was lucky too.
        """
        each = np.array([*(belief.smoothed for belief in self._beliefs), *seen])
        return float((self._shares @ each).max(initial=0.0))

    def improvement(self, best: float) -> Vector:
        """Expected improvement over the score `best`."""
        return improvement(self.estimate, best)

    def expect(self, points: Vector) -> None:
        """Take it that points will be measured: what is near them becomes less unsure, whatever the outcome."""
        for belief in self._beliefs:
            belief.expect(points)


def improvement(estimate: Estimate, best: float) -> Vector:
    """Expected improvement over the score `best` (Jones, Schonlau and Welch 1998, doi:10.1023/A:1008306431147)."""
    mean, deviation = estimate
    ratio = (mean - best) / deviation
    density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    gain: Vector = deviation * (ratio * ndtr(ratio) + density)
    return gain


def shares(errors: Sequence[float] | Vector) -> Vector:
    """The say of models, by their errors on what they had not seen."""
    weights = 1 / (np.array(errors) + 1e-6) ** SHARPNESS
    share: Vector = weights / weights.sum()
    return share
