"""A process that follows a search: its length scales from time to time, its posterior at every measurement."""

from collections.abc import Sequence

import numpy as np

from autotune.cost_model.estimate import Target, Vector
from autotune.cost_model.process import Posterior, Process

EACH_UNTIL = 24  # measurements up to which every one adjusts the length scales
GROWTH = 16  # then they are adjusted when their number has grown by a part of so many


class Following:
    """The posterior of a process given a history, computed from what was known of the history's beginning.

    Length scales are those of the first `adjusted(n)` of n measurements; the others are observed one by one. So the
    posterior depends on the history alone, not on how often or when it was asked for, to the last bit.
    """

    def __init__(self, groups: Sequence[int], target: Target) -> None:
        self._process = Process(groups, target)
        self._seen: tuple[Vector, Vector] | None = None
        self._candidates: Vector | None = None
        self._posterior: Posterior | None = None
        self._observed = np.zeros((0, 0))

    def posterior(self, points: Vector, seconds: Vector, candidates: Vector) -> Posterior:
        """Of candidates, shape (candidates, columns), given measurements (measurements, columns) and their seconds.

        The same array of candidates again is taken for unchanged.
        """
        first = adjusted(len(points))
        begin = points[:first], seconds[:first]
        same = self._seen is not None and all(map(np.array_equal, self._seen, begin))
        if not same:
            self._process.fit(*begin)
            self._seen = begin
        posterior = self._posterior
        count = len(self._observed)
        if not same or candidates is not self._candidates or not np.array_equal(self._observed, points[:count]):
            posterior, count = None, first
        if posterior is None:
            posterior = self._process.posterior(candidates)
            posterior.observe(points[:first])
        for place in range(count, len(points)):
            posterior.observe(points[place : place + 1])
        self._candidates, self._posterior, self._observed = candidates, posterior, points
        return posterior


def adjusted(count: int) -> int:
    """How many of the first measurements the length scales are adjusted to."""
    first = min(count, EACH_UNTIL)
    while (following := first + max(1, first // GROWTH)) <= count:
        first = following
    return first
