import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from autotune.measure import ratio, ratio_interval
from autotune.measure.statistics import median_interval, relative_precision

TIMES = st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=60)


def slow_moments(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Factors as on a shared machine: mostly near 1, now and then 2 to 10."""
    return np.where(rng.random(shape) < 0.1, rng.uniform(2, 10, shape), rng.lognormal(0, 0.02, shape))


@pytest.mark.parametrize("count", [5, 10, 30, 125])
def test_the_medians_interval_covers_it_nineteen_times_in_twenty(count: int) -> None:
    samples = np.random.default_rng(count).lognormal(0, 0.5, (4000, count))  # its median is 1
    inside = [low <= 1 <= high for low, high in map(median_interval, samples.tolist())]
    assert 0.925 < np.mean(inside) < 0.985


@given(TIMES)
def test_the_interval_holds_the_median(samples: list[float]) -> None:
    low, high = median_interval(samples)
    assert min(samples) <= low <= np.median(samples) <= high <= max(samples)


def test_the_precision_is_half_the_interval_over_the_median() -> None:
    assert relative_precision([0.9, 1.0, 1.1, 1.0, 1.0]) == pytest.approx(0.1)
    assert relative_precision([2.0] * 5) == 0
    with pytest.raises(ValueError, match="at least one sample"):
        relative_precision([])


@pytest.mark.parametrize("true_ratio", [0.8, 1.0, 1.3])
def test_the_ratios_interval_covers_it(true_ratio: float) -> None:
    rng = np.random.default_rng(1)
    noise = slow_moments(rng, (300, 2, 40))
    inside = 0
    for new, incumbent in noise:
        low, high = ratio_interval(true_ratio * new, incumbent, rng, resamples=400)
        inside += low <= true_ratio <= high
    assert 0.9 < inside / len(noise) < 0.99


def test_a_clear_win_is_outside_the_noise() -> None:
    rng = np.random.default_rng(2)
    new, incumbent = 0.9 * slow_moments(rng, (60,)), slow_moments(rng, (60,))
    assert ratio_interval(new, incumbent, 0).high < 1
    assert ratio_interval(incumbent, new, 0).low > 1


def test_moments_that_slow_both_of_a_pair_cancel() -> None:
    rng = np.random.default_rng(3)
    machine = rng.choice([1.0, 2.0], 40)  # half of the time another program runs
    new, incumbent = machine * 0.95 * rng.lognormal(0, 0.01, 40), machine * rng.lognormal(0, 0.01, 40)
    paired = ratio_interval(new, incumbent, 0)
    shuffled = ratio_interval(new, rng.permutation(incumbent), 0)
    assert paired.high - paired.low < 0.5 * (shuffled.high - shuffled.low)


@given(TIMES, st.integers(0, 2**32 - 1))
def test_equal_samples_are_no_win(samples: list[float], seed: int) -> None:
    assert ratio(samples, samples) == 1
    assert ratio_interval(samples, samples, seed, resamples=20) == (1, 1)


def test_a_seed_decides() -> None:
    new, incumbent = np.random.default_rng(4).lognormal(0, 0.1, (2, 20)).tolist()
    assert ratio_interval(new, incumbent, 5) == ratio_interval(new, incumbent, 5)
    assert ratio_interval(new, incumbent, 5) != ratio_interval(new, incumbent, 6)


def test_a_higher_level_is_a_wider_interval() -> None:
    new, incumbent = np.random.default_rng(4).lognormal(0, 0.1, (2, 20)).tolist()
    narrow, wide = (ratio_interval(new, incumbent, 0, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_samples_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="inhomogeneous"):
        ratio_interval([1.0, 2.0], [1.0], 0)
