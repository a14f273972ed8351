import math

import pytest

from autotune.measure import Calibration


def test_nothing_seen_is_quiet() -> None:
    assert Calibration().load == 1.0
    assert Calibration().quiet()


def test_the_load_is_the_latest_rate_over_the_best() -> None:
    busy = Calibration().observe(100e9).observe(50e9)
    assert busy.load == pytest.approx(0.5)
    assert not busy.quiet()
    assert busy.observe(99e9).quiet()


def test_a_better_rate_is_the_new_best() -> None:
    assert Calibration().observe(50e9).observe(100e9).observe(50e9).load == pytest.approx(0.5)


def test_a_measured_peak_can_be_the_best_to_start_with() -> None:
    assert Calibration(best=100e9).observe(60e9).load == pytest.approx(0.6)


@pytest.mark.parametrize("rate", [math.nan, math.inf, 0.0, -1.0])
def test_a_run_that_failed_changes_nothing(rate: float) -> None:
    seen = Calibration().observe(100e9)
    assert seen.observe(rate) == seen


def test_the_threshold_can_be_chosen() -> None:
    seen = Calibration().observe(100.0).observe(90.0)
    assert seen.quiet(0.9)
    assert not seen.quiet(0.91)
