"""The models: what both must do, and what each is for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import check_grad
from scipy.stats import spearmanr

from autotune.cost_model import FEATURE_NAMES, Model, Platform, Process, Ranker, features_of_nest, ranks, scores
from autotune.cost_model import process as process_module
from autotune.machine import Machine, Peaks
from tests.cost_model.conftest import blocked

Points = NDArray[np.float64]


def _points(count: int, seed: int = 0) -> Points:
    return np.random.default_rng(seed).random((count, 4))


def _seconds(points: Points) -> Points:
    return np.exp(3 * (points[:, 0] - 0.7) ** 2 + points[:, 1] * points[:, 2])


@pytest.fixture(params=["ranker", "process"])
def model(request: pytest.FixtureRequest) -> Model:
    return Ranker() if request.param == "ranker" else Process(range(4))


def test_a_model_orders_what_it_has_not_seen(model: Model) -> None:
    seen, unseen = _points(64), _points(200, seed=1)
    model.fit(seen, _seconds(seen))
    assert spearmanr(model.estimate(unseen).mean, -_seconds(unseen)).statistic > 0.85
    assert 0 < model.error < 0.5


def test_a_model_is_less_sure_of_what_is_far_from_measurements(model: Model) -> None:
    seen = _points(40) * 0.4
    model.fit(seen, _seconds(seen))
    near, far = model.estimate(_points(50, seed=1) * 0.4), model.estimate(0.8 + 0.2 * _points(50, seed=2))
    assert far.deviation.mean() >= near.deviation.mean()
    assert (near.deviation > 0).all()


def test_the_same_measurements_give_the_same_scores(model: Model) -> None:
    seen, unseen = _points(30), _points(10, seed=1)
    other = Ranker() if isinstance(model, Ranker) else Process(range(4))
    for each in (model, other):
        each.fit(seen, _seconds(seen))
    assert np.array_equal(model.estimate(unseen).mean, other.estimate(unseen).mean)


@pytest.mark.parametrize("seconds", [[], [1.0], [1.0, 1.0, 1.0], [np.inf] * 20, [1.0, np.inf]])
def test_a_model_takes_few_equal_or_failed_measurements(model: Model, seconds: list[float]) -> None:
    model.fit(_points(len(seconds)), np.array(seconds))
    estimate = model.estimate(_points(5, seed=1))
    assert np.isfinite(estimate.mean).all()
    assert (estimate.deviation > 0).all()


def test_failures_are_learnt_as_slow(model: Model) -> None:
    seen, unseen = _points(80), _points(100, seed=1)
    model.fit(seen, np.where(seen[:, 3] > 0.5, np.inf, _seconds(seen)))
    mean = model.estimate(unseen).mean
    assert mean[unseen[:, 3] < 0.4].mean() > mean[unseen[:, 3] > 0.6].mean() + 0.5


@given(st.lists(st.floats(1e-9, 1e3) | st.just(np.inf), min_size=2, max_size=50))
def test_scores_order_times_and_put_failures_last(seconds: list[float]) -> None:
    times = np.array(seconds)
    order = np.argsort(times)
    for found in (scores(times), ranks(times)):
        assert np.isfinite(found).all()
        assert found.sum() == pytest.approx(0, abs=1e-6)
        assert (np.diff(found[order]) <= 1e-9).all()
    assert ((np.diff(found[order]) == 0) == (times[order][1:] == times[order][:-1])).all()


def test_values_that_are_no_times_are_ranked() -> None:
    values = np.array([3.0, -1.0, 0.0, np.inf])
    assert np.array_equal(scores(values), ranks(values))
    assert scores(np.array([1.0, 10.0, 100.0])) == pytest.approx([1.2247, 0, -1.2247], abs=1e-3)


def test_the_gradient_of_the_likelihood_is_right() -> None:
    points = _points(20)
    squares = np.array([(points[:, [axis]] - points[:, axis]) ** 2 for axis in range(4)])
    target = scores(_seconds(points))
    theta = np.array([-1.0, -0.5, 0.2, 0.4, -2.5])
    error = check_grad(
        lambda t: process_module._surprise(t, squares, target)[0],
        lambda t: process_module._surprise(t, squares, target)[1],
        theta,
    )
    assert error < 1e-3


def test_observing_a_point_makes_its_surroundings_surer() -> None:
    process = Process(range(4))
    seen, unseen = _points(20), _points(50, seed=1)
    target = scores(_seconds(seen))
    process.fit(seen, _seconds(seen))
    posterior = process.posterior(unseen)
    posterior.observe(seen)
    before = posterior.estimate(target)
    expecting = posterior.fork()
    expecting.observe(unseen[7:8])
    after = expecting.estimate(target)
    assert (after.deviation <= before.deviation + 1e-6).all()
    assert after.deviation[7] < before.deviation[7] / 2
    assert np.array_equal(after.mean, before.mean)
    assert np.array_equal(posterior.estimate(target).deviation, before.deviation)


def test_a_posterior_that_follows_is_that_of_all_measurements_at_once() -> None:
    process = Process(range(4))
    seen, unseen = _points(90), _points(30, seed=1)
    process.fit(seen, _seconds(seen))
    followed = process.posterior(unseen)
    for start in range(0, 90, 5):
        followed.observe(seen[start : start + 5])
    at_once, estimate = process.estimate(unseen), followed.estimate(scores(_seconds(seen)))
    assert np.allclose(estimate.mean, at_once.mean, atol=1e-3)
    assert np.allclose(estimate.deviation, at_once.deviation, atol=1e-3)
    some = followed.at(np.array([3, 5])).estimate(scores(_seconds(seen)))
    assert np.allclose(some.mean, estimate.mean[[3, 5]], atol=1e-5)


def test_points_that_differ_little_on_long_length_scales_are_told_apart() -> None:
    """Beside large coordinates, squares in single precision would differ by more than the noise: no factor exists."""
    seen = np.random.default_rng(0).random((80, 20))
    seen[:, :10] = 1.0
    posterior = process_module.Posterior(seen, np.repeat([33.0, 0.05], 10), 1e-4)
    posterior.observe(seen[:70])
    posterior.observe(seen[70:])
    target = scores(seen[:, 19] + 1)
    error = np.abs(posterior.smoothed(target) - target)
    assert error.max() < 0.1 * np.ptp(target)


def test_an_observation_left_out_is_predicted_with_the_error_stated() -> None:
    process = Process(range(4))
    seen = _points(25)
    process.fit(seen, _seconds(seen))
    target = scores(_seconds(seen))
    left_out = []
    for place in range(25):
        others = np.delete(np.arange(25), place)
        posterior = process.posterior(seen[[place]])
        posterior.observe(seen[others])
        left_out.append(posterior.estimate(target[others]).mean[0] - target[place])
    assert process.error == pytest.approx(np.mean(np.square(left_out)), rel=0.05)


def test_the_process_shares_a_length_scale_among_the_columns_of_a_knob() -> None:
    process = Process((0, 1, 1, 1))
    seen = _points(40)
    process.fit(seen, np.exp(seen[:, 0]))
    assert spearmanr(process.estimate(seen).mean, -seen[:, 0]).statistic > 0.9


def test_the_ranker_learns_from_features_of_nests(machine: Machine, peaks: Peaks) -> None:
    """Times made up from the roofline estimate and a penalty for spilling; half of the nests are held out."""
    platform = Platform.of(machine, peaks)
    rng = np.random.default_rng(0)
    nests = [
        blocked(512, 512, 512, rows=rows, row_block=rows * blocks, packed=packed)
        for rows in (1, 2, 3, 4, 6, 8, 12)
        for blocks in (1, 4, 16, 40)
        for packed in (False, True)
    ]
    rows = np.array([features_of_nest(nest, platform) for nest in nests])
    names = dict(zip(FEATURE_NAMES, range(rows.shape[1]), strict=True))
    seconds = 2.0 ** rows[:, names["total_seconds"]] * np.where(rows[:, names["register_pressure"]] > 1, 4.0, 1.0)
    held_out = rng.random(len(rows)) < 0.5
    ranker = Ranker()
    ranker.fit(rows[~held_out], seconds[~held_out])
    assert spearmanr(ranker.predict(rows[held_out]), -seconds[held_out]).statistic > 0.8
