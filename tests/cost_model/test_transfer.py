"""What other workloads teach: a new one is ordered before anything of it was measured."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import spearmanr

from autotune.cost_model import FEATURE_NAMES, Experience, Transfer, agreement

if TYPE_CHECKING:
    from autotune.schedule import Config

KNOBS = {"rows": (1, 2, 4, 8), "order": ("ijk", "kij"), "pack": (False, True)}


def _experience(scale: float, count: int = 60, seed: int = 0, noise: float = 0.02) -> Experience:
    """Times that depend on two features and on the knobs in the same way, whatever the workload's own time."""
    rng = np.random.default_rng(seed)
    configs: list[Config] = [
        {name: values[int(rng.integers(len(values)))] for name, values in KNOBS.items()} for _ in range(count)
    ]
    features = np.zeros((count, len(FEATURE_NAMES)))
    features[:, :2] = rng.random((count, 2))
    cost = 2 * (features[:, 0] - 0.6) ** 2 + features[:, 1]
    cost += [0.5 * (config["order"] == "kij") + 0.1 * abs(float(config["rows"]) - 4) for config in configs]
    return Experience(configs, features, scale * np.exp(cost + noise * rng.standard_normal(count)))


def _taught(count: int = 6) -> list[Experience]:
    return [_experience(10.0**place, seed=place) for place in range(count)]


def test_a_new_workload_is_ordered_before_it_is_measured() -> None:
    transfer, asked = Transfer(_taught()), _experience(1e-3, seed=99)
    assert spearmanr(transfer.predict(asked.features, asked.configs), -asked.seconds).statistic > 0.95
    assert transfer.workloads == 6
    assert transfer.measurements == 360
    assert 0 < transfer.error < 0.5


def test_predictions_are_in_units_of_log_seconds() -> None:
    transfer, asked = Transfer(_taught()), _experience(1.0, seed=99)
    slope = np.polyfit(transfer.predict(asked.features, asked.configs), -np.log(asked.seconds), 1)[0]
    assert 0.7 < slope < 1.4


def test_the_same_experiences_give_the_same_predictions() -> None:
    asked = _experience(1.0, seed=99)
    each = [Transfer(_taught()).predict(asked.features, asked.configs) for _ in range(2)]
    assert np.array_equal(*each)


def test_one_workload_teaches_too_and_nothing_can_be_said_of_the_error() -> None:
    transfer, asked = Transfer(_taught(1)), _experience(1.0, seed=99)
    assert spearmanr(transfer.predict(asked.features, asked.configs), -asked.seconds).statistic > 0.7
    assert np.isnan(transfer.error)


def test_failures_are_learnt_as_slow() -> None:
    taught = [
        Experience(each.configs, each.features, np.where(each.features[:, 1] > 0.7, np.inf, each.seconds))
        for each in _taught()
    ]
    asked = _experience(1.0, seed=99)
    predicted = Transfer(taught).predict(asked.features, asked.configs)
    failing = asked.features[:, 1] > 0.7
    assert predicted[failing].mean() < predicted[~failing].mean() - 0.3


@pytest.mark.parametrize("seconds", [np.inf, 1.0])
def test_nothing_is_learnt_of_failures_only_or_equal_times(seconds: float) -> None:
    each = _experience(1.0)
    transfer = Transfer([Experience(each.configs, each.features, np.full(len(each), seconds))])
    assert transfer.workloads == 0
    assert not transfer.predict(each.features, each.configs).any()


def test_knobs_of_another_family_are_no_obstacle() -> None:
    other = _experience(1.0)
    renamed: list[Config] = [{"unknown": "text", "rows": "many"} for _ in other.configs]
    transfer = Transfer([*_taught(), Experience(renamed, other.features, other.seconds)])
    assert np.isfinite(transfer.predict(other.features, [{"new": 1}] * len(other))).all()


def test_of_many_measurements_some_of_each_workload_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autotune.cost_model.transfer.MOST", 120)
    transfer = Transfer(_taught())
    assert (transfer.workloads, transfer.measurements) == (6, 120)


def test_agreement_counts_what_it_says() -> None:
    seconds = np.array([1.0, 2.0, 3.0, 4.0, np.inf])
    perfect = agreement(-np.array([1.0, 2.0, 3.0, 4.0, 5.0]), seconds, top=2)
    assert perfect == (pytest.approx(1.0), 1.0, 1.0)
    reverse = agreement(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), seconds, top=2)
    assert reverse == (pytest.approx(-1.0), 0.0, 0.25)
    assert agreement(np.zeros(5), seconds, top=2).spearman == 0
