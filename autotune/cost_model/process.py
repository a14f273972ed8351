"""A Gaussian process over the knobs: sure near what was measured, unsure elsewhere (Rasmussen and Williams 2006).

It and the trees fail on different spaces: the process sees that a step along a knob changes little, the trees see
thresholds and the features of the nest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from autotune.cost_model.estimate import Estimate, Vector, scores

ROOT5 = 5**0.5
LENGTH, NOISE = np.log(0.5), np.log(0.05)  # what is expected of a knob's length scale and of the noise variance
LENGTH_SPREAD, NOISE_SPREAD = 1.0, 1.5
LENGTH_BOUNDS, NOISE_BOUNDS = (np.log(0.03), np.log(20.0)), (np.log(1e-4), np.log(2.0))
JITTER = 1e-6
MOST_TO_ADJUST = 300  # measurements that length scales are adjusted on: its time grows with their third power
STEPS = 20


@dataclass(frozen=True)
class _Fitted:
    """The process given measurements: `points` divided by the length scales, the Cholesky factor and its solution."""

    points: Vector
    factor: Vector
    weights: Vector
    variance: float
    noise: float


class Process:
    """A Gaussian process with a Matérn 5/2 kernel and a length scale for each knob.

    `groups[column]` is the knob that a column of the points belongs to: the columns of an unordered knob, one for each
    of its values, share a length scale.
    """

    def __init__(self, groups: Sequence[int]) -> None:
        self.error = 1.0
        self._groups = np.asarray(groups, dtype=np.int64)
        knobs = int(self._groups.max(initial=-1)) + 1
        self._members = [np.flatnonzero(self._groups == knob) for knob in range(knobs)]
        self._theta = np.append(np.full(knobs, LENGTH), NOISE)
        self._fitted: _Fitted | None = None

    def fit(self, points: Vector, seconds: Vector) -> None:
        """Learns from measurements, shape (measurements, columns) and (measurements,); failures are infinite."""
        target = scores(seconds)
        self._fitted, self.error = None, 1.0
        if not target.any():
            return
        self._adjust(points, target)
        scaled = points * self._inverse_lengths()
        noise = float(np.exp(self._theta[-1]))
        covariance = _matern(_distances(scaled, scaled)) + (noise + JITTER) * np.eye(len(points))
        factor: Vector = cholesky(covariance, lower=True)
        weights = cho_solve((factor, True), target)
        variance = max(1e-6, float(target @ weights) / len(target))
        self._fitted = _Fitted(scaled, factor, weights, variance, noise)
        # Errors on each measurement had it been left out, in closed form (Rasmussen and Williams, eq. 5.12).
        precision = np.diag(cho_solve((factor, True), np.eye(len(points))))
        self.error = float(np.mean((weights / precision) ** 2))

    def estimate(self, points: Vector) -> Estimate:
        """Scores of candidates, shape (candidates, columns), and their deviations."""
        return self.posterior(points).estimate()

    def posterior(self, points: Vector) -> "Posterior":
        """What is known of candidates, in a form that can take account of some of them being measured soon."""
        if self._fitted is None:
            return Posterior(points, np.zeros(len(points)), np.zeros((0, len(points))), 1.0, 1.0)
        fitted = self._fitted
        scaled = points * self._inverse_lengths()
        cross = _matern(_distances(scaled, fitted.points))
        known = solve_triangular(fitted.factor, cross.T, lower=True)
        return Posterior(scaled, cross @ fitted.weights, known, fitted.variance, fitted.noise)

    def _inverse_lengths(self) -> Vector:
        lengths: Vector = np.exp(-self._theta[:-1])[self._groups]
        return lengths

    def _adjust(self, points: Vector, target: Vector) -> None:
        """Length scales and noise that make the measurements most likely, from where they were."""
        chosen = np.argsort(-target, kind="stable")[:MOST_TO_ADJUST]
        squares = np.array(
            [_distances(points[chosen][:, columns], points[chosen][:, columns]) ** 2 for columns in self._members]
        ).reshape(len(self._members), len(chosen), len(chosen))
        bounds = [LENGTH_BOUNDS] * len(self._members) + [NOISE_BOUNDS]
        result = minimize(
            _surprise,
            self._theta,
            args=(squares, target[chosen]),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": STEPS},
        )
        self._theta = result.x


class Posterior:
    """What a process knows of some candidates."""

    def __init__(self, points: Vector, mean: Vector, known: Vector, variance: float, noise: float) -> None:
        self._points = points
        self._mean = mean
        self._known = known
        self._variance = variance
        self._noise = noise
        self._left = np.maximum(1.0 - np.sum(known**2, axis=0), 1e-9)

    def estimate(self) -> Estimate:
        """Scores and deviations."""
        return Estimate(self._mean, np.sqrt(self._left * self._variance))

    def expect(self, index: int) -> None:
        """Take it that a candidate will be measured: what is near it becomes less unsure, whatever the outcome."""
        row = _matern(_distances(self._points, self._points[index : index + 1]))[:, 0]
        row = (row - self._known.T @ self._known[:, index]) / np.sqrt(self._left[index] + self._noise)
        self._known = np.vstack([self._known, row])
        self._left = np.maximum(self._left - row**2, 1e-9)


def _distances(first: Vector, second: Vector) -> Vector:
    squares = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)[None, :] - 2 * first @ second.T
    distances: Vector = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _matern(distances: Vector) -> Vector:
    """Matérn covariance of smoothness 5/2 (Rasmussen and Williams, eq. 4.17)."""
    scaled = ROOT5 * distances
    covariance: Vector = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return covariance


def _surprise(theta: Vector, squares: Vector, target: Vector) -> tuple[float, Vector]:
    """Negative log posterior of length scales and noise, and its gradient (eq. 5.8 and 5.9; variance profiled out)."""
    count = len(target)
    weights = np.exp(-2 * theta[:-1])
    scaled = ROOT5 * np.sqrt(np.tensordot(weights, squares, 1) + 1e-12)
    decay = np.exp(-scaled)
    noise = np.exp(theta[-1])
    covariance = (1 + scaled + scaled**2 / 3) * decay + (noise + JITTER) * np.eye(count)
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(count))
    solution = inverse @ target
    variance = (target @ solution) / count
    lengths = (theta[:-1] - LENGTH) / LENGTH_SPREAD
    level = (theta[-1] - NOISE) / NOISE_SPREAD
    value = count / 2 * np.log(variance) + np.log(np.diag(factor[0])).sum() + (lengths @ lengths + level**2) / 2
    sensitivity = inverse - np.outer(solution, solution) / variance
    slope = 5 / 3 * (1 + scaled) * decay * sensitivity
    by_length = [weight * np.sum(slope * square) / 2 for weight, square in zip(weights, squares, strict=True)]
    gradient = np.append(
        np.array(by_length) + lengths / LENGTH_SPREAD, np.trace(sensitivity) * noise / 2 + level / NOISE_SPREAD
    )
    return float(value), gradient
