"""What other workloads teach about a new one: trees that learn from all of their measurements at once.

Workloads differ in how long they take and in how much that depends on the config; what carries over is which config is
faster than which. So the trees learn the rank of a config among those of its workload, from the features of loop
nests, which mean the same for every kernel, shape and machine, and from the knobs by name, which mean the same within a
family. Of 17 products of matrices, each held out in turn, ranks order the configs with a mean correlation of 0.87,
logarithms of times with 0.85 (Zen 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from autotune.cost_model.estimate import Vector, ranks
from autotune.cost_model.features import FEATURE_NAMES
from autotune.cost_model.threads import side_by_side

if TYPE_CHECKING:
    from xgboost import Booster

    from autotune.schedule.space import Config

MOST = 10_000  # measurements that are learnt from: some 2 seconds
MEMBERS = 4
ROUNDS = 150
PARAMETERS = {
    "objective": "reg:squarederror",
    "tree_method": "hist",
    "max_bin": 128,
    "max_depth": 7,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bynode": 0.5,
    "min_child_weight": 3,
    "nthread": 1,
    "verbosity": 0,
}


@dataclass(frozen=True)
class Experience:
    """Measurements of one workload on one machine: configs, their features, shape (configs, features), and seconds.

    Failures are infinite.
    """

    configs: "Sequence[Config]"
    features: Vector
    seconds: Vector

    def __len__(self) -> int:
        return len(self.seconds)

    def some(self, rows: Sequence[int]) -> Self:
        """A part of the measurements."""
        return type(self)([self.configs[row] for row in rows], self.features[list(rows)], self.seconds[list(rows)])


class Transfer:
    """An ensemble of trees, each trained without a part of the workloads.

    Deterministic: the same experiences in the same order and the same seed give the same predictions. `error` is the
    root mean square of the members' errors on the workloads they had not seen, in units of log seconds, NaN where there
    was but one; `workloads` and `measurements` say how much was learnt from.
    """

    def __init__(self, experiences: Sequence[Experience], seed: int = 0) -> None:
        from xgboost import DMatrix, train

        chosen = _subsample([each for each in experiences if _teaches(each.seconds)], seed)
        self.workloads, self.measurements = len(chosen), sum(map(len, chosen))
        self.error = float("nan")
        self._columns = _columns(chosen)
        self._unit = float(np.median([_unit(each.seconds) for each in chosen])) if chosen else 1.0
        self._members: list[Booster] = []
        if not chosen:
            return
        points = np.concatenate([self._points(each.features, each.configs) for each in chosen])
        target = np.concatenate([ranks(each.seconds) for each in chosen])
        weights = np.concatenate([np.full(len(each), 1 / np.sqrt(len(each))) for each in chosen])
        part = np.repeat(np.random.default_rng(seed).permutation(len(chosen)) % MEMBERS, [len(each) for each in chosen])

        def fit(member: int) -> "tuple[Booster | None, Vector]":
            """A member without a part of the workloads, and its errors on these."""
            seen = part != member if len(chosen) > 1 else np.ones(len(target), dtype=np.bool_)
            if not seen.any():
                return None, np.zeros(0)
            data = DMatrix(points[seen], label=target[seen], weight=weights[seen], nthread=1)
            model = train(PARAMETERS | {"seed": seed + member}, data, ROUNDS)
            if seen.all():
                return model, np.zeros(0)
            return model, model.predict(DMatrix(points[~seen], nthread=1)) - target[~seen]

        fitted = side_by_side(fit, range(MEMBERS))
        self._members = [model for model, _ in fitted if model is not None]
        errors = np.concatenate([error for _, error in fitted])
        if len(errors):
            self.error = self._unit * float(np.sqrt(np.mean(errors**2)))

    def predict(self, features: Vector, configs: "Sequence[Config]") -> Vector:
        """Negative logarithms of the times expected of configs of one workload, less what they have in common.

        As the trees know ranks only, a step between ranks counts as much as it does among fast configs elsewhere.
        """
        from xgboost import DMatrix

        if not self._members:
            return np.zeros(len(configs))
        data = DMatrix(self._points(features, configs), nthread=1)
        each = np.array(side_by_side(lambda member: member.predict(data), self._members), dtype=np.float64)
        expected: Vector = self._unit * each.mean(axis=0)
        return expected

    def _points(self, features: Vector, configs: "Sequence[Config]") -> Vector:
        """Features and knobs; NaN for a knob that a config does not have."""
        values = {name: [config.get(name) for config in configs] for name, _ in self._columns}
        knobs = np.full((len(configs), len(self._columns)), np.nan)
        for column, (name, text) in enumerate(self._columns):
            knobs[:, column] = _numbers(values[name], text)
        return np.concatenate([features.reshape(len(configs), len(FEATURE_NAMES)), knobs], axis=1)


def _columns(experiences: Sequence[Experience]) -> tuple[tuple[str, str | None], ...]:
    """Knobs by name, those with texts once for each text."""
    found: set[tuple[str, str]] = set()
    for each in experiences:
        for config in each.configs:
            found |= {(name, value if isinstance(value, str) else "") for name, value in config.items()}
    return tuple((name, value or None) for name, value in sorted(found))


def _numbers(values: Sequence[object], text: str | None) -> Vector:
    """Values of a knob as numbers, or whether each is a text; NaN for those that are missing or of the other kind."""
    if text is None:
        known = [float(value) if isinstance(value, int | float) else np.nan for value in values]
        return np.array(known, dtype=np.float64)
    return np.array([np.nan if value is None else value == text for value in values], dtype=np.float64)


def _teaches(seconds: Vector) -> bool:
    """Whether some times differ."""
    valid = seconds[np.isfinite(seconds)]
    return len(valid) > 1 and bool(np.ptp(valid) > 0)


def _unit(seconds: Vector) -> float:
    """Difference of log seconds for each unit of score, among the faster half."""
    score = ranks(seconds)
    fast = np.isfinite(seconds) & (seconds <= np.median(seconds))
    if fast.sum() < 2 or not np.ptp(score[fast]) > 0:
        return 0.0
    return float(np.polyfit(score[fast], -np.log(seconds[fast]), 1)[0])


def _subsample(experiences: Sequence[Experience], seed: int) -> list[Experience]:
    """As many of each as there is room for, drawn."""
    if sum(map(len, experiences)) <= MOST:
        return list(experiences)
    rng = np.random.default_rng(seed)
    most = MOST // len(experiences)
    return [
        each if len(each) <= most else each.some(sorted(rng.choice(len(each), size=most, replace=False).tolist()))
        for each in experiences
    ]
