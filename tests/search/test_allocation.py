"""Whose batch is next, on invented curves."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from autotune.search.allocation import Curve, most_promising

BATCH = 8
CURVE = Curve(calls=1.0, floor=1e-3, stake=1e-3)
Best = Callable[[int], float]


def _with(bests: Sequence[float], **changes: float) -> Curve:
    pairs = tuple((BATCH * (number + 1), best) for number, best in enumerate(bests))
    curve = replace(CURVE, bests=pairs, batches=len(pairs), seconds=float(len(pairs)))
    return replace(curve, **changes)  # type: ignore[arg-type]


def _shared_out(workloads: Sequence[tuple[Curve, Best, float]], seconds: float) -> list[int]:
    """Batches that each workload gets: (what is known before, best seconds after n batches, seconds a batch)."""
    curves = [curve for curve, _, _ in workloads]
    while sum(curve.seconds for curve in curves) < seconds:
        place = most_promising(curves, BATCH)
        if place is None:
            break
        curve, (_, best, cost) = curves[place], workloads[place]
        bests = (*curve.bests, (curve.trials + BATCH, best(curve.batches + 1)))
        curves[place] = replace(curve, bests=bests, batches=curve.batches + 1, seconds=curve.seconds + cost)
    return [curve.batches for curve in curves]


def _flat(_: int) -> float:
    return 2e-3


def _falling(batches: int) -> float:
    return 1e-3 * (1 + 4 / batches)


def test_every_workload_gets_a_first_batch_the_largest_stake_first() -> None:
    curves = [replace(CURVE, stake=stake) for stake in (1.0, 3.0, 2.0)]
    order = []
    for _ in curves:
        place = most_promising(curves, BATCH)
        assert place is not None
        order.append(place)
        curves[place] = replace(_with([2e-3]), stake=curves[place].stake)
    assert order == [1, 2, 0]


def test_calls_decide_between_equal_curves() -> None:
    batches = _shared_out([(CURVE, _falling, 1.0), (replace(CURVE, calls=100.0), _falling, 1.0)], 30)
    assert batches[1] > 5 * batches[0] > 0


def test_what_is_near_its_roofline_gets_less() -> None:
    batches = _shared_out([(CURVE, lambda _: 1.05e-3, 1.0), (CURVE, _flat, 1.0)], 30)
    assert batches[1] > 2 * batches[0] > 0


def test_what_still_falls_gets_more_than_what_stands_still() -> None:
    assert most_promising([_with([2e-3] * 6), _with([5e-3, 4e-3, 3e-3, 2.6e-3, 2.2e-3, 2e-3])], BATCH) == 1


def test_cheap_batches_come_before_dear_ones() -> None:
    batches = _shared_out([(CURVE, _falling, 10.0), (CURVE, _falling, 1.0)], 60)
    assert batches[1] > 2 * batches[0]


def test_what_stands_still_is_not_forgotten() -> None:
    batches = _shared_out([(CURVE, _flat, 1.0), (replace(CURVE, calls=10.0), _falling, 1.0)], 400)
    assert batches[0] > 2


def test_less_is_lost_than_with_equal_shares() -> None:
    """Weighted time of a program of ten invented kernels, most of which matter little."""
    rng = np.random.default_rng(0)
    calls, powers = 10 ** rng.uniform(0, 4, 10), rng.uniform(0.1, 1.5, 10)
    best = [lambda n, power=power: 1e-3 * (1 + 2 * n**-power) for power in powers]
    workloads = [(replace(CURVE, calls=float(each)), found, 1.0) for each, found in zip(calls, best, strict=True)]
    chosen = _shared_out(workloads, 100)
    lost = [sum(w * f(n) for w, f, n in zip(calls, best, batches, strict=True)) for batches in (chosen, [10] * 10)]
    assert sum(chosen) == 100
    assert lost[0] < lost[1]


def test_what_fails_is_tried_again_but_ever_less() -> None:
    batches = _shared_out([(CURVE, lambda _: math.inf, 1.0), (CURVE, _falling, 1.0)], 40)
    assert 1 < batches[0] < batches[1]


def test_only_what_is_not_done_is_chosen() -> None:
    assert most_promising([replace(CURVE, done=True), _with([2e-3])], BATCH) == 1
    assert most_promising([replace(CURVE, done=True)], BATCH) is None
    assert most_promising([], BATCH) is None


@pytest.mark.parametrize("power", [0.25, 1.0, 2.0])
def test_the_exponent_of_a_long_power_law_is_found(power: float) -> None:
    curve = _with([1e-3 * (1 + 1000 * n**-power) for n in range(1, 200)])
    assert curve.exponent == pytest.approx(power, abs=0.02)


def test_a_time_below_the_roofline_does_no_harm() -> None:
    assert 0 < _with([0.5e-3, 0.4e-3]).expected_gain(BATCH) < 0.4e-3


def test_a_curve_known_from_earlier_runs_is_compared_at_the_cost_of_the_others() -> None:
    known = replace(CURVE, bests=((64, 1.02e-3),))
    assert most_promising([known, _with([4e-3], seconds=50.0)], BATCH) == 1
    assert most_promising([replace(known, bests=((64, 9e-3),)), _with([1.02e-3])], BATCH) == 0
