"""A Gaussian process over the knobs: sure near what was measured, unsure elsewhere (Rasmussen and Williams 2006).

It and the trees fail on different spaces: the process sees that a step along a knob changes little, the trees see
thresholds and the features of the nest.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from autotune.cost_model.estimate import Estimate, Target, Vector, scores

Float = TypeVar("Float", np.float32, np.float64)

ROOT5 = 5**0.5
LENGTH, NOISE = np.log(0.5), np.log(0.05)  # what is expected of a knob's length scale and of the noise variance
LENGTH_SPREAD, NOISE_SPREAD = 1.0, 1.5
LENGTH_BOUNDS, NOISE_BOUNDS = (np.log(0.03), np.log(20.0)), (np.log(1e-4), np.log(2.0))
JITTER = 1e-5
MOST_TO_ADJUST = 200  # measurements that length scales are adjusted on: its time grows with their third power
STEPS = 20
ROOM = 64  # rows that are set aside at a time


class Process:
    """A Gaussian process with a Matérn 5/2 kernel and a length scale for each knob.

    `groups[column]` is the knob that a column of the points belongs to: the columns of an unordered knob, one for each
    of its values, share a length scale.
    """

    def __init__(self, groups: Sequence[int], target: Target = scores) -> None:
        self._target = target
        self._groups = np.asarray(groups, dtype=np.int64)
        knobs = int(self._groups.max(initial=-1)) + 1
        self._members = [np.flatnonzero(self._groups == knob) for knob in range(knobs)]
        self._theta = np.append(np.full(knobs, LENGTH), NOISE)
        self._seen: tuple[Vector, Vector] = np.zeros((0, len(self._groups))), np.zeros(0)

    def fit(self, points: Vector, seconds: Vector) -> None:
        """Learns from measurements, shape (measurements, columns) and (measurements,); failures are infinite.

        Length scales and noise are those that make the measurements, of many the fastest, most likely.
        """
        target = self._target(seconds)
        self._seen = points, target
        self._theta = np.append(np.full(len(self._members), LENGTH), NOISE)
        if not target.any():
            return
        chosen = np.argsort(-target, kind="stable")[:MOST_TO_ADJUST]
        squares = np.array(
            [_squares(points[chosen][:, columns], points[chosen][:, columns]) for columns in self._members]
        ).reshape(len(self._members), len(chosen), len(chosen))
        result = minimize(
            _surprise,
            self._theta,
            args=(squares, target[chosen]),
            jac=True,
            method="L-BFGS-B",
            bounds=[LENGTH_BOUNDS] * len(self._members) + [NOISE_BOUNDS],
            options={"maxiter": STEPS},
        )
        self._theta = result.x

    @property
    def error(self) -> float:
        """The mean square of its errors on each measurement had it been left out; 1 where there is nothing to learn."""
        points, target = self._seen
        return self._given(points[:0]).error(target)

    def estimate(self, points: Vector) -> Estimate:
        """Scores of candidates, shape (candidates, columns), and their deviations."""
        return self._given(points).estimate(self._seen[1])

    def _given(self, candidates: Vector) -> "Posterior":
        posterior = self.posterior(candidates)
        posterior.observe(self._seen[0])
        return posterior

    def posterior(self, candidates: Vector) -> "Posterior":
        """What is known of candidates, shape (candidates, columns), before anything was observed."""
        return Posterior(candidates, np.exp(-self._theta[:-1])[self._groups], float(np.exp(self._theta[-1])))


class Posterior:
    """What a process knows of some candidates once measurements are observed.

    Kept as the Cholesky factor of the observations' covariance and its solution for every candidate, which grow by a
    row with each observation, so that following a search costs no more than its last step. Rows are in single
    precision: they are as many as a space has configs. The factor is not: of squares of points on short length scales
    single precision leaves errors larger than the noise, and no factor.
    """

    def __init__(self, candidates: Vector, scale: Vector, noise: float) -> None:
        self._scale = scale
        self._points = (candidates * scale).astype(np.float32)
        self._noise = noise
        self._count = 0
        self._observed = np.zeros((0, candidates.shape[1]))
        self._factor = np.zeros((0, 0))
        self._known = np.zeros((0, len(candidates)), dtype=np.float32)
        self._left = np.ones(len(candidates))

    def observe(self, points: Vector) -> None:
        """Take points, shape (points, columns), for measured: what is near them becomes less unsure."""
        if not len(points):
            return
        new = points * self._scale
        before, after = self._count, self._count + len(new)
        self._make_room(after)
        cross = _matern(self._observed[:before], new)
        shared = solve_triangular(self._factor[:before, :before], cross, lower=True) if before else cross
        own = _matern(new, new) + (self._noise + JITTER) * np.eye(len(new)) - shared.T @ shared
        factor = np.linalg.cholesky(own)
        rows = _matern(new.astype(np.float32), self._points) - shared.T.astype(np.float32) @ self._known[:before]
        self._known[before:after] = solve_triangular(factor.astype(np.float32), rows, lower=True)
        self._factor[before:after, :before] = shared.T
        self._factor[before:after, before:after] = factor
        self._observed[before:after] = new
        self._left -= np.einsum("ij,ij->j", self._known[before:after], self._known[before:after])
        self._count = after

    def fork(self) -> Self:
        """The same posterior, to be told of what will be measured soon, and dropped before this one observes more."""
        other = copy(self)
        other._left = self._left.copy()
        return other

    def at(self, rows: NDArray[np.int64]) -> Self:
        """The same for some of the candidates."""
        other = copy(self)
        other._points, other._known, other._left = self._points[rows], self._known[:, rows], self._left[rows]
        return other

    @property
    def uncertainty(self) -> Vector:
        """Deviations of scores over those before anything was observed."""
        return np.sqrt(np.maximum(self._left, 1e-6))

    def estimate(self, target: Vector) -> Estimate:
        """Scores and deviations; `target` are the scores of the first observations, others only make less unsure."""
        if not target.any():
            return Estimate(np.zeros(len(self._points)), np.ones(len(self._points)))
        count = len(target)
        solution = solve_triangular(self._factor[:count, :count], target, lower=True)
        variance = max(1e-6, float(solution @ solution) / count)
        mean = self._known[:count].T @ solution.astype(np.float32)
        return Estimate(mean.astype(np.float64), self.uncertainty * np.sqrt(variance))

    def smoothed(self, target: Vector) -> Vector:
        """Scores expected of the first observations themselves, by all of them."""
        factor = (self._factor[: len(target), : len(target)], True)
        smooth: Vector = target - (self._noise + JITTER) * cho_solve(factor, target)
        return smooth

    def error(self, target: Vector) -> float:
        """Mean square of the errors on each observation had it been left out (Rasmussen and Williams, eq. 5.12)."""
        if not target.any():
            return 1.0
        factor = (self._factor[: len(target), : len(target)], True)
        precision = np.diag(cho_solve(factor, np.eye(len(target))))
        return float(np.mean((cho_solve(factor, target) / precision) ** 2))

    def _make_room(self, count: int) -> None:
        if count <= len(self._known):
            return
        grown = count + ROOM
        known = np.zeros((grown, len(self._points)), dtype=np.float32)
        factor = np.zeros((grown, grown))
        observed = np.zeros((grown, self._observed.shape[1]))
        known[: self._count] = self._known[: self._count]
        factor[: self._count, : self._count] = self._factor[: self._count, : self._count]
        observed[: self._count] = self._observed[: self._count]
        self._known, self._factor, self._observed = known, factor, observed


def _squares(first: NDArray[Float], second: NDArray[Float]) -> NDArray[Float]:
    squares = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)[None, :] - 2 * first @ second.T
    kept: NDArray[Float] = np.maximum(squares, 0)
    return kept


def _matern(first: NDArray[Float], second: NDArray[Float]) -> NDArray[Float]:
    """Matérn covariance of smoothness 5/2 (Rasmussen and Williams, eq. 4.17), in the precision of its arguments."""
    scaled = np.sqrt(5 * _squares(first, second))
    covariance: NDArray[Any] = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
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
    by_length = weights * np.tensordot(squares, slope, 2) / 2
    gradient = np.append(by_length + lengths / LENGTH_SPREAD, np.trace(sensitivity) * noise / 2 + level / NOISE_SPREAD)
    return float(value), gradient
