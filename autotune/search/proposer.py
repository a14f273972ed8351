"""Which configs to measure next: pure functions of the space, what was measured, and a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from autotune.cost_model.estimate import Estimate, Vector, standard
from autotune.cost_model.process import Posterior, Process
from autotune.cost_model.ranker import Ranker
from autotune.schedule.space import Config, Indices, Space
from autotune.search import pool
from autotune.search.following import Following
from autotune.search.outlook import Belief, Outlook, improvement
from autotune.search.policy import Policy
from autotune.search.prior import Prior

Points: TypeAlias = NDArray[np.float64]
Describe: TypeAlias = Callable[[Sequence[Config]], Points]

CANDIDATES = 512  # of which the start is chosen
DESCRIBED = 4096  # candidates whose features are computed, where that costs more than a knob's position
STRAYS = 0.25  # share of those that is taken whatever the knobs let expect
FORESEEN = 8192  # configs drawn of a large space, to begin with the best that other workloads let expect
ROUNDS = 2  # in which the neighbours of the best of these are looked at
SHORTLIST = 512  # of the best of these, from which the start is chosen
FORESEEN_FIRST = 4  # first configs where there is a prior: then measurements have something to correct
STRANGERS = 1  # of these, which is far from all others whatever is expected of it


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


@dataclass(frozen=True)
class Candidates:
    """Configs to choose from, as positions, which are `left` to be proposed, and what a process knows of them."""

    indices: Indices
    left: NDArray[np.bool_]
    posterior: Posterior

    def some(self, rows: Indices) -> Self:
        """A part of them."""
        return replace(self, indices=self.indices[rows], left=self.left[rows], posterior=self.posterior.at(rows))


class Proposer:
    """Proposes configs that were not proposed before.

    At first the default and configs far from each other. Then those with the largest expected improvement (Jones,
    Schonlau and Welch 1998) by a Gaussian process on the knobs and, where `describe` gives features of configs, by
    trees on these, each with the more say the better it predicts what it has not seen. Within a batch the process takes
    each choice for measured, so that the next one is elsewhere. `policy` has the choices made otherwise.

    A `prior` says what to expect before there are measurements. All but one of the first configs are then the best by
    it, and later a second process learns how measurements differ from it, again with as much say as it has earned.

    The same history and the same seed give the same proposals. It holds nothing but what was computed before.
    """

    def __init__(
        self,
        space: Space,
        *,
        default: Config | None = None,
        describe: Describe | None = None,
        prior: Prior | None = None,
        seed: int = 0,
        policy: Policy | None = None,
    ) -> None:
        self._space = space
        self._prior = prior
        self._default = space.indices([default] if default is not None else [])
        self._describe = describe
        self._described: dict[bytes, Points] = {}
        self._foretold: dict[bytes, float] = {}
        self._seed = seed
        self._policy = policy or Policy()
        self._expected: dict[bytes, float] = {}
        self._following = Following(pool.columns(space), self._policy.target)
        self._correcting = Following(pool.columns(space), standard)

    def propose(self, history: History, count: int) -> list[Config]:
        """At most `count` configs; fewer where no more are left in the space."""
        # Matrices of some dozen rows: threads of the linear algebra would only wait for each other, for seconds on a
        # loaded machine, and their number would change sums and so proposals.
        with threadpool_limits(limits=1):
            return self._propose(history, count)

    def expected(self, config: Config) -> float | None:
        """Seconds that the models expected of a config when they chose it; None where it was chosen without them."""
        (row,) = self._space.indices([config])
        return self._expected.get(row.tobytes())

    def scores(self, history: History, configs: Indices) -> Vector:
        """What the models together expect of configs, given as positions: higher for faster, all 0 where nothing is."""
        with threadpool_limits(limits=1):
            if len(history.measured):
                posterior = self._follow(history, self._points(configs))
                return self._outlook(history, configs, posterior)[0].estimate.mean
            return np.zeros(len(configs)) if self._prior is None else self._expectations(configs)

    def _propose(self, history: History, count: int) -> list[Config]:
        rng = np.random.default_rng([self._seed, len(history)])
        first = self._policy.first if self._prior is None else FORESEEN_FIRST
        start = count if not len(history) else min(count, max(0, first - len(history)))
        foreseen = 0 if self._prior is None else max(0, start - STRANGERS)
        chosen = self._foreseen(history.known, foreseen)
        known = np.concatenate([history.known, chosen])
        chosen = np.concatenate([chosen, self._spread(known, start - len(chosen), rng)])
        if len(chosen) < count:
            known = np.concatenate([history.known, chosen])
            chosen = np.concatenate([chosen, self._improve(history, known, count - len(chosen), rng)])
        return self._space.configs(chosen)

    def _foreseen(self, known: Indices, count: int) -> Indices:
        """The default, unless it is known, and the configs that promise most by the prior, apart from each other."""
        if not count or self._prior is None:
            return self._space.indices([])
        chosen = pool.new(self._default, known)[:count]
        known = np.concatenate([known, chosen])
        candidates, expected = self._promised
        rows = pool.places_of_new(candidates, known)
        candidates, expected = candidates[rows], expected[rows]
        posterior = Process(pool.columns(self._space)).posterior(self._points(candidates))
        posterior.observe(self._points(known))
        left, best = np.ones(len(candidates), dtype=np.bool_), float(expected.max(initial=-np.inf))
        while len(chosen) < count and left.any():
            estimate = Estimate(expected, self._prior.deviation * posterior.uncertainty)
            row = int(np.argmax(np.where(left, improvement(estimate, best), -np.inf)))
            left[row] = False
            chosen = np.concatenate([chosen, candidates[[row]]])
            posterior.observe(self._points(candidates[[row]]))
        return chosen

    @cached_property
    def _promised(self) -> tuple[Indices, Vector]:
        """The configs that promise most by the prior, with what it expects: of all, or of many and the surroundings.

        The prior does not change, so neither do these, whatever is measured.
        """
        assert self._prior is not None
        if self._space.size <= pool.WHOLE:
            found = self._whole[0]
            expected = self._expectations(found)
        else:
            rng = np.random.default_rng(self._seed)
            proven = self._space.indices(list(self._prior.proven))
            near = [pool.around(self._space, row, rng) for row in (*proven, *self._default)]
            nothing = self._space.indices([])
            found = pool.new(np.concatenate([proven, *near, self._space.draw(rng, FORESEEN)]), nothing)
            expected = self._expectations(found)
            for _ in range(ROUNDS):
                best = found[np.argsort(-expected, kind="stable")[: pool.PARENTS]]
                more = pool.new(np.concatenate([pool.around(self._space, row, rng) for row in best]), found)
                found = np.concatenate([found, more])
                expected = np.concatenate([expected, self._expectations(more)])
        rows = np.argsort(-expected, kind="stable")[:SHORTLIST]
        return found[rows], expected[rows]

    def _spread(self, known: Indices, count: int, rng: np.random.Generator) -> Indices:
        """The default, unless it is known, and configs far from each other and from what is known."""
        default = pool.new(self._default, known)[:count]
        known = np.concatenate([known, default])
        count -= len(default)
        candidates = pool.new(self._space.draw(rng, max(CANDIDATES, len(known) + count)), known)
        if self._policy.start == "random":
            return np.concatenate([default, candidates[:count]])
        rows = pool.spread(self._points(candidates), self._points(known), count)
        return np.concatenate([default, candidates[rows]])

    def _improve(self, history: History, known: Indices, count: int, rng: np.random.Generator) -> Indices:
        """The configs with the largest expected improvement.

        Where features cost more than a knob's position, the process first chooses by the knobs whose to compute.
        """
        candidates = self._candidates(history, known, count, rng)
        count = min(count, int(candidates.left.sum()))
        if not count:
            return candidates.indices[:0]
        if self._describe is not None:
            outlook = Outlook([Belief(candidates.posterior, self._policy.target(history.seconds))])
            gain = np.where(candidates.left, outlook.improvement(outlook.best([])), -np.inf)
            most = max(DESCRIBED, count)
            candidates = candidates.some(_promising(gain, most, int(candidates.left.sum()), rng))
        return candidates.indices[self._pick(history, candidates, known[len(history.measured) :], count, rng)]

    def _candidates(self, history: History, known: Indices, count: int, rng: np.random.Generator) -> Candidates:
        """Configs to choose from: all of a small space, a sample of a large one."""
        if self._space.size <= pool.WHOLE:
            whole, places, points = self._whole
            left = np.ones(len(whole), dtype=np.bool_)
            left[[places[row.tobytes()] for row in known]] = False
            return Candidates(whole, left, self._follow(history, points))
        found = pool.pool(self._space, rng, known=known, best=history.best, count=count)
        if self._prior is not None:
            found = np.concatenate([found, pool.new(self._promised[0], np.concatenate([known, found]))])
        return Candidates(found, np.ones(len(found), dtype=np.bool_), self._follow(history, self._points(found)))

    def _follow(self, history: History, candidates: Points) -> Posterior:
        return self._following.posterior(self._points(history.measured), history.seconds, candidates)

    @cached_property
    def _whole(self) -> tuple[Indices, dict[bytes, int], Points]:
        """Every config of a small space, in an order that the seed decides, where each is, and their points."""
        rows = self._space.draw(np.random.default_rng(self._seed), self._space.size)
        return rows, {row.tobytes(): place for place, row in enumerate(rows)}, self._points(rows)

    def _pick(
        self, history: History, candidates: Candidates, pending: Indices, count: int, rng: np.random.Generator
    ) -> list[int]:
        """Rows of candidates, one after the other, each in view of those before it and of what is pending."""
        outlook, best = self._outlook(history, candidates.indices, candidates.posterior)
        outlook.expect(self._points(pending))
        expected = _seconds(outlook.estimate.mean, self._policy.target(history.seconds), history.seconds)
        left, rows = candidates.left.copy(), []
        for _ in range(count):
            if rng.random() < self._policy.explore:
                row = int(rng.choice(np.flatnonzero(left)))
            else:
                row = int(np.argmax(np.where(left, self._gain(outlook, best), -np.inf)))
            left[row] = False
            rows.append(row)
            config = candidates.indices[[row]]
            outlook.expect(self._points(config))
            if np.isfinite(expected[row]):
                self._expected[config.tobytes()] = float(expected[row])
        return rows

    def _outlook(self, history: History, candidates: Indices, posterior: Posterior) -> tuple[Outlook, float]:
        """What all models expect of candidates, and the best score of what was measured."""
        corrected = self._corrected(history, candidates)
        beliefs = [Belief(posterior, self._policy.target(history.seconds)), *corrected]
        others, seen = [], []
        if self._policy.trees or (self._policy.trees is None and self._describe is not None):
            ranker = Ranker(self._seed, self._policy.target)
            measured = self._features(history.measured)
            ranker.fit(measured, history.seconds)
            others, seen = [(ranker.estimate(self._features(candidates)), ranker.error)], [ranker.predict(measured)]
        # Before anything was measured, a model of measurements errs by as much as scores vary: by 1.
        foreseen = [1.0, *(self._foreseen_error(history) for _ in corrected), *(1.0 for _ in others)]
        outlook = Outlook(beliefs, others, foreseen=foreseen if corrected else None)
        return outlook, outlook.best(seen)

    def _corrected(self, history: History, candidates: Indices) -> list[Belief]:
        """What a process knows of how candidates differ from what the prior expects, if there is one."""
        valid = np.isfinite(history.seconds)
        if self._prior is None or not valid.any() or history.seconds[valid].min() <= 0:
            return []
        score = -np.log(np.where(valid, history.seconds, history.seconds[valid].max()))
        seen, expected = self._expectations(history.measured), self._expectations(candidates)
        off = score - seen
        if not (score.std() > 0 and off.std() > 0):
            return []
        points = self._points(history.measured)
        posterior = self._correcting.posterior(points, off, self._points(candidates))
        unit = score.std()
        return [
            Belief(
                posterior,
                standard(off),
                scale=float(off.std() / unit),
                expected=(expected + off.mean() - score.mean()) / unit,
                seen=(seen + off.mean() - score.mean()) / unit,
            )
        ]

    def _foreseen_error(self, history: History) -> float:
        """The mean square error that the prior is known to have, in units of scores, at most 1."""
        assert self._prior is not None
        valid = np.isfinite(history.seconds)
        spread = np.log(np.where(valid, history.seconds, history.seconds[valid].max())).std()
        return float(min(1.0, (self._prior.deviation / spread) ** 2))

    def _gain(self, outlook: Outlook, best: float) -> Vector:
        return outlook.estimate.mean if self._policy.greedy else outlook.improvement(best)

    def _points(self, indices: Indices) -> Points:
        return pool.points(self._space, indices)

    def _features(self, indices: Indices) -> Points:
        """What the trees see of configs: the knobs' positions, what `describe` says of them, what the prior expects."""
        knobs = self._space.scale(indices)
        if self._describe is None:
            return knobs
        described = self._descriptions(indices)
        if self._prior is None:
            return np.concatenate([knobs, described], axis=1)
        return np.concatenate([knobs, described, self._expectations(indices)[:, None]], axis=1)

    def _expectations(self, indices: Indices) -> Vector:
        """What the prior expects of configs, asked once for each."""
        assert self._prior is not None
        keys = [row.tobytes() for row in indices]
        missing = indices[[index for index, key in enumerate(keys) if key not in self._foretold]]
        if len(missing):
            foretold = self._prior.expect(self._space.configs(missing), self._descriptions(missing))
            self._foretold.update(zip((row.tobytes() for row in missing), foretold.tolist(), strict=True))
        return np.array([self._foretold[key] for key in keys], dtype=np.float64)

    def _descriptions(self, indices: Indices) -> Points:
        """What `describe` says of configs, each described once."""
        if self._describe is None:
            return np.zeros((len(indices), 0))
        keys = [row.tobytes() for row in indices]
        missing = [index for index, key in enumerate(keys) if key not in self._described]
        if missing:
            described = self._describe(self._space.configs(indices[missing]))
            self._described.update(zip((keys[index] for index in missing), described, strict=True))
        known = [self._described[key] for key in keys]
        return np.array(known).reshape(len(known), -1)


def _seconds(scores: Vector, target: Vector, seconds: Vector) -> Vector:
    """Times that scores stand for, by the line through the logarithms of the measured times over their own scores.

    It is exact where scores are logarithms. NaN where the values are no times or say nothing, as equal ones.
    """
    valid = np.isfinite(seconds)
    if not valid.any() or seconds[valid].min() <= 0 or not np.ptp(target[valid]) > 0:
        return np.full(len(scores), np.nan)
    slope, start = np.polyfit(target[valid], np.log(seconds[valid]), 1)
    times: Vector = np.exp(start + slope * scores)
    return times


def _promising(gain: Points, count: int, left: int, rng: np.random.Generator) -> Indices:
    """Rows of `count` candidates worth describing, out of those `left`, whose gains are finite: the largest gains, and
    some of the others.
    """
    order: Indices = np.argsort(-gain, kind="stable")[:left]
    if left <= count:
        return order
    strays = int(count * STRAYS)
    best, others = np.split(order, [count - strays])
    return np.concatenate([best, rng.choice(others, size=strays, replace=False)])
