"""Boosted trees that rank candidates by the features of their loop nests (Chen and Guestrin 2016)."""

from typing import TYPE_CHECKING

import numpy as np

from autotune.cost_model.estimate import Estimate, Target, Vector, scores
from autotune.cost_model.threads import side_by_side

if TYPE_CHECKING:
    from xgboost import Booster

FOLDS = 5
LEAST_TO_HOLD_OUT = 16
ROUNDS = 100
ROUNDS_WITHOUT_CHECK = 30
PATIENCE = 10  # rounds without a better held-out error after which boosting stops
PARAMETERS = {
    "objective": "reg:squarederror",
    "tree_method": "exact",  # at most some thousand measurements: no faster with histograms, and without their binning
    "max_depth": 5,
    "eta": 0.2,
    "subsample": 0.9,
    "colsample_bytree": 0.8,
    "nthread": 1,  # some dozen rows: threads would wait for each other, on a loaded machine for seconds
    "verbosity": 0,
}


class Ranker:
    """An ensemble of boosted trees, each trained without a part of the measurements that tells it when to stop.

    Deterministic: the same measurements in the same order and the same seed give the same scores. The spread of the
    members says how unsure they are; `error` is that of each on its held-out part.
    """

    def __init__(self, seed: int = 0, target: Target = scores) -> None:
        self.error = 1.0
        self._target = target
        self._seed = seed
        self._members: list[Booster] = []

    def fit(self, points: Vector, seconds: Vector) -> None:
        """Learns from measurements, shape (measurements, features) and (measurements,); failures are infinite."""
        from xgboost import DMatrix, train  # takes seconds to load, and only a search needs it

        target = self._target(seconds)
        self._members, self.error = [], 1.0
        if not target.any():  # all alike, nothing to learn
            return
        part = np.random.default_rng([self._seed, len(target)]).permutation(len(target)) % FOLDS

        def fit(fold: int) -> "tuple[Booster, Vector]":
            """A member without a part of the measurements, and what it expects of these."""
            seen, unseen = part != fold, part == fold
            data = DMatrix(points[seen], label=target[seen], nthread=1)
            check = DMatrix(points[unseen], label=target[unseen], nthread=1)
            parameters = PARAMETERS | {"seed": self._seed + fold}
            if len(target) < LEAST_TO_HOLD_OUT:
                model = train(parameters, data, ROUNDS_WITHOUT_CHECK)
                return model, model.predict(check)
            model = train(
                parameters,
                data,
                ROUNDS,
                evals=[(check, "held_out")],
                early_stopping_rounds=PATIENCE,
                verbose_eval=False,
            )
            model = model[: model.best_iteration + 1]
            return model, model.predict(check)

        fitted = side_by_side(fit, range(min(FOLDS, len(target))))
        self._members = [model for model, _ in fitted]
        held_out = np.zeros_like(target)
        for fold, (_, expected) in enumerate(fitted):
            held_out[part == fold] = expected
        self.error = float(np.mean((held_out - target) ** 2))

    def estimate(self, points: Vector) -> Estimate:
        """Scores of candidates, shape (candidates, features), and their deviations."""
        from xgboost import DMatrix

        if not self._members:
            return Estimate(np.zeros(len(points)), np.ones(len(points)))
        data = DMatrix(points, nthread=1)
        predicted = np.array(side_by_side(lambda member: member.predict(data), self._members), dtype=np.float64)
        return Estimate(predicted.mean(axis=0), np.sqrt(predicted.var(axis=0) + 0.1 * self.error))

    def predict(self, points: Vector) -> Vector:
        """Scores of candidates, higher for faster."""
        return self.estimate(points).mean
