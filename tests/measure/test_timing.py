import gc
import threading
import time
from collections.abc import Callable, Iterable
from itertools import repeat

import numpy as np
import pytest

from autotune.measure.timing import Timing, adaptive, calls_per_sample, interleaved, no_garbage_collection, rest, sample

TIMING = Timing(sample_seconds=2e-3, samples=5, precision=0.01, budget=0.25, limit=5.0)


class Clock:
    """Time that passes only when a call says so."""

    def __init__(self) -> None:
        self.now = 0
        self.log: list[str] = []

    def __call__(self) -> int:
        return self.now

    def call(self, seconds: Iterable[float], name: str = "call") -> Callable[[], None]:
        durations = iter(seconds)

        def run() -> None:
            self.now += round(next(durations) * 1e9)
            self.log.append(name)

        return run


def test_a_steady_call_is_sampled_as_little_as_allowed() -> None:
    clock = Clock()
    timed = adaptive(clock.call(repeat(0.1)), TIMING, clock=clock)
    assert timed.samples == pytest.approx([0.1] * 5)
    assert not timed.stopped_early
    assert len(clock.log) == 5, "no call is spent on finding out how long it takes"


def test_a_short_call_is_repeated_within_a_sample() -> None:
    clock = Clock()
    timed = adaptive(clock.call(repeat(1e-6)), TIMING, clock=clock)
    assert timed.samples == pytest.approx([1e-6] * 5)
    assert len(clock.log) >= 5 * 2000


@pytest.mark.parametrize(("seconds", "calls"), [(1e-6, 2000), (1e-4, 20), (1e-3, 2), (0.5, 1)])
def test_a_sample_takes_about_the_wanted_time(seconds: float, calls: int) -> None:
    clock = Clock()
    assert calls_per_sample(clock.call(repeat(seconds)), 2e-3, clock) == calls


def test_a_slow_first_call_does_not_make_samples_too_short() -> None:
    clock = Clock()

    def durations() -> Iterable[float]:
        yield 1e-4
        yield from repeat(1e-6)

    assert calls_per_sample(clock.call(durations()), 2e-3, clock) == pytest.approx(2000, rel=0.1)


def test_an_unsteady_call_is_sampled_until_the_budget_is_spent() -> None:
    clock = Clock()
    durations = np.random.default_rng(0).lognormal(-6, 0.5, 1000).tolist()
    timed = adaptive(clock.call(durations), TIMING, clock=clock)
    assert sum(timed.samples) == pytest.approx(TIMING.budget, rel=0.05)


def test_more_samples_than_the_least_are_taken_until_they_agree() -> None:
    clock = Clock()
    timed = adaptive(clock.call([2e-3, 3e-3, *[2e-3] * 1000]), TIMING, clock=clock)
    assert 5 < len(timed.samples) < 30


def test_a_slow_call_has_fewer_samples() -> None:
    clock = Clock()
    timed = adaptive(clock.call(repeat(3.0)), TIMING, clock=clock)
    assert timed.samples == pytest.approx([3.0, 3.0])


def test_two_slow_samples_end_it() -> None:
    clock = Clock()
    timed = adaptive(clock.call(repeat(0.01)), TIMING, stop_above=0.009, clock=clock)
    assert timed.samples == pytest.approx([0.01, 0.01])
    assert timed.stopped_early


def test_one_slow_sample_does_not() -> None:
    clock = Clock()
    timed = adaptive(clock.call([0.5, *[5e-3] * 1000]), TIMING, stop_above=6e-3, clock=clock)
    assert not timed.stopped_early
    assert len(timed.samples) >= 5


def test_comparisons_alternate_and_keep_samples_apart() -> None:
    clock = Clock()
    calls = [clock.call(repeat(0.1), "a"), clock.call(repeat(0.2), "b")]
    first, second = interleaved(calls, TIMING, pairs=4, seconds=60, clock=clock)
    assert first == pytest.approx([0.1] * 4)
    assert second == pytest.approx([0.2] * 4)
    assert "".join(clock.log) == "ab" + "ab" + "ba" + "ab" + "ba"


def test_comparisons_end_when_time_is_up_but_not_before_there_are_enough() -> None:
    clock = Clock()
    calls = [clock.call(repeat(0.1)), clock.call(repeat(0.1))]
    assert len(interleaved(calls, TIMING, pairs=100, seconds=2.0, clock=clock)[0]) == 10
    assert len(interleaved(calls, TIMING, pairs=100, seconds=0.1, clock=clock)[0]) == 5


def test_a_sample_is_never_zero() -> None:
    assert sample(Clock().call(repeat(0.0)), 1, Clock()) > 0


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was(enabled: bool) -> None:
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with no_garbage_collection():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_rest_lasts_until_other_threads_are_done() -> None:
    """Of this process, by the time of cores that they take."""

    def spin() -> None:
        end = time.perf_counter() + 0.1
        while time.perf_counter() < end:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    rest()
    assert not thread.is_alive()
