"""Which configs to measure next: pure functions of the space, what was measured, and a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from autotune.cost_model.process import Process
from autotune.cost_model.ranker import Ranker
from autotune.schedule.space import Config, Indices, Space
from autotune.search import pool
from autotune.search.outlook import Outlook

Points: TypeAlias = NDArray[np.float64]
Describe: TypeAlias = Callable[[Sequence[Config]], Points]

START = 8  # configs that are spread over the space before a model chooses
CANDIDATES = 512  # of which the start is chosen
DESCRIBED = 384  # candidates whose features are computed, where that costs more than a knob's position
STRAYS = 0.25  # share of those that is taken whatever the knobs let expect


@dataclass(frozen=True)
class History:
    """What was proposed so far, as positions in the space, in the order of the proposals.

    `seconds` are infinite for a failure; `pending` are configs without a result yet.
    """

    measured: Indices
    seconds: Points
    pending: Indices

    def __len__(self) -> int:
        return len(self.measured) + len(self.pending)

    @property
    def known(self) -> Indices:
        """All that was proposed."""
        return np.concatenate([self.measured, self.pending])

    @property
    def best(self) -> Indices:
        """What was measured without failure, fastest first."""
        order = np.argsort(self.seconds, kind="stable")
        return self.measured[order[np.isfinite(self.seconds[order])]]


class Proposer:
    """Proposes configs that were not proposed before.

    At first the default and configs far from each other. Then those with the largest expected improvement (Jones,
    Schonlau and Welch 1998) by two models: trees on the features that `describe` gives for configs, and a Gaussian
    process on the knobs, each with the more say the better it predicts what it has not seen. Within a batch the process
    takes each choice for measured, so that the next one is elsewhere; a share `explore` is drawn at random.

    The same history and the same seed give the same proposals. It holds nothing but what was computed before.
    """

    def __init__(
        self,
        space: Space,
        *,
        default: Config | None = None,
        describe: Describe | None = None,
        seed: int = 0,
        explore: float = 0.05,
    ) -> None:
        self._space = space
        self._default = space.indices([default] if default is not None else [])
        self._describe = describe
        self._described: dict[bytes, Points] = {}
        self._seed = seed
        self._explore = explore

    def propose(self, history: History, count: int) -> list[Config]:
        """At most `count` configs; fewer where no more are left in the space."""
        # Matrices of some dozen rows: threads of the linear algebra would only wait for each other, for seconds on a
        # loaded machine, and their number would change sums and so proposals.
        with threadpool_limits(limits=1):
            return self._propose(history, count)

    def _propose(self, history: History, count: int) -> list[Config]:
        rng = np.random.default_rng([self._seed, len(history)])
        spread = min(count, max(0, START - len(history)))
        chosen = self._spread(history.known, spread, rng)
        if len(chosen) < count:
            known = np.concatenate([history.known, chosen])
            chosen = np.concatenate([chosen, self._improve(history, known, count - len(chosen), rng)])
        return self._space.configs(chosen)

    def _spread(self, known: Indices, count: int, rng: np.random.Generator) -> Indices:
        """The default, unless it is known, and configs far from each other and from what is known."""
        default = pool.new(self._default, known)[:count]
        known = np.concatenate([known, default])
        count -= len(default)
        candidates = pool.new(self._space.draw(rng, max(CANDIDATES, len(known) + count)), known)
        rows = pool.spread(self._points(candidates), self._points(known), count)
        return np.concatenate([default, candidates[rows]])

    def _improve(self, history: History, known: Indices, count: int, rng: np.random.Generator) -> Indices:
        """The configs with the largest expected improvement.

        Where features cost more than a knob's position, the models first choose by the knobs whose features to compute.
        """
        candidates = pool.pool(self._space, rng, known=known, best=history.best, count=count)
        process = Process(pool.columns(self._space))
        process.fit(self._points(history.measured), history.seconds)
        outlook, best = self._outlook(process, history, candidates, self._space.scale)
        if self._describe is not None:
            candidates = candidates[_promising(outlook.improvement(best), max(DESCRIBED, count), rng)]
            outlook, best = self._outlook(process, history, candidates, self._features)
        return candidates[self._pick(outlook, len(candidates), best=best, count=count, rng=rng)]

    def _outlook(
        self, process: Process, history: History, candidates: Indices, features: Callable[[Indices], Points]
    ) -> tuple[Outlook, float]:
        """What the process, and trees that learn from `features`, expect of candidates; and of the best measured.

        That, not its own score, is what to improve on: the best of many measurements was lucky too, and ranks put it
        far ahead of the next even where times hardly differ.
        """
        ranker = Ranker(self._seed)
        ranker.fit(features(history.measured), history.seconds)
        seen = Outlook(process, ranker, points=self._points(history.measured), features=features(history.measured))
        best = float(seen.estimate.mean.max(initial=0.0))
        return Outlook(process, ranker, points=self._points(candidates), features=features(candidates)), best

    def _pick(
        self, outlook: Outlook, candidates: int, *, best: float, count: int, rng: np.random.Generator
    ) -> list[int]:
        """Rows of candidates, one after the other, each in view of those before it."""
        rows: list[int] = []
        left = np.ones(candidates, dtype=np.bool_)
        for _ in range(min(count, candidates)):
            if rng.random() < self._explore:
                row = int(rng.choice(np.flatnonzero(left)))
            else:
                row = int(np.argmax(np.where(left, outlook.improvement(best), -np.inf)))
            rows.append(row)
            left[row] = False
            outlook.expect(row)
        return rows

    def _points(self, indices: Indices) -> Points:
        return pool.points(self._space, indices)

    def _features(self, indices: Indices) -> Points:
        """What the trees see of configs: the knobs' positions, and what `describe` says of them."""
        if self._describe is None:
            return self._space.scale(indices)
        keys = [row.tobytes() for row in indices]
        missing = [index for index, key in enumerate(keys) if key not in self._described]
        if missing:
            described = self._describe(self._space.configs(indices[missing]))
            self._described.update(zip((keys[index] for index in missing), described, strict=True))
        known = [self._described[key] for key in keys]
        return np.concatenate([self._space.scale(indices), np.array(known).reshape(len(known), -1)], axis=1)


def _promising(gain: Points, count: int, rng: np.random.Generator) -> Indices:
    """Rows of `count` candidates worth describing: those with the largest gain, and some of the others."""
    order: Indices = np.argsort(-gain, kind="stable")
    if len(order) <= count:
        return order
    strays = int(count * STRAYS)
    best, others = np.split(order, [count - strays])
    return np.concatenate([best, rng.choice(others, size=strays, replace=False)])
