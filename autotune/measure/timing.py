"""How often and how long a call is timed: pure logic over a clock."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat

from autotune.measure.statistics import relative_precision

Call = Callable[[], object]
Clock = Callable[[], int]

# Threads of OpenMP and OpenBLAS keep a core busy after their work: for 10 ms the former, for 0.11 s the latter (Zen 3).
REST_STEP, REST_LIMIT = 5e-3, 1.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How a call is timed.

    A sample is the mean of as many calls as take `sample_seconds`, or one call where that takes longer. There are at
    least `samples` of them; more are taken until the median is known to `precision` (half the width of its confidence
    interval over itself), or until `budget` seconds are spent. However slow the call: no new sample after `limit`
    seconds.
    """

    sample_seconds: float = 2e-3
    samples: int = 5
    precision: float = 0.01
    budget: float = 0.25
    limit: float = 5.0


@dataclass(frozen=True)
class Timed:
    """Seconds per call, in the order taken; `stopped_early` where the first ones were too slow to go on."""

    samples: tuple[float, ...]
    stopped_early: bool = False


def adaptive(call: Call, timing: Timing, *, stop_above: float = math.inf, clock: Clock = time.perf_counter_ns) -> Timed:
    """Time `call` as `timing` says.

    Two samples above `stop_above` seconds end it: one alone may be slow because something else ran just then.
    """
    start = clock()
    first = sample(call, 1, clock)
    long = first >= timing.sample_seconds
    calls = 1 if long else calls_per_sample(call, timing.sample_seconds, clock)
    samples = [first] if long else []
    while not _enough(samples, (clock() - start) * 1e-9, timing):
        samples.append(sample(call, calls, clock))
        if len(samples) == 2 and min(samples) > stop_above:
            return Timed(tuple(samples), stopped_early=True)
    return Timed(tuple(samples))


def interleaved(
    calls: Sequence[Call], timing: Timing, *, pairs: int, seconds: float, clock: Clock = time.perf_counter_ns
) -> tuple[tuple[float, ...], ...]:
    """Samples of several calls taken in turn, so that what slows the machine for a while slows all of them alike.

    Every second round goes backwards, so that none is always the one that finds the caches as another left them. Ends
    after `pairs` rounds, or after `seconds` once there are `timing.samples`. Gives a tuple of samples for each call.
    """
    counts = [calls_per_sample(call, timing.sample_seconds, clock) for call in calls]
    samples: list[list[float]] = [[] for _ in calls]
    start = clock()
    for done in range(pairs):
        if done >= timing.samples and (clock() - start) * 1e-9 >= seconds:
            break
        order = range(len(calls)) if done % 2 == 0 else reversed(range(len(calls)))
        for index in order:
            samples[index].append(sample(calls[index], counts[index], clock))
    return tuple(tuple(taken) for taken in samples)


def rest() -> None:
    """Wait until no other thread of this process is busy, which would take a core from what is timed; at most 1 s."""
    deadline = time.perf_counter() + REST_LIMIT
    busy = True
    while busy and time.perf_counter() < deadline:
        before = time.process_time()
        time.sleep(REST_STEP)
        busy = time.process_time() - before > REST_STEP / 10


def sample(call: Call, calls: int, clock: Clock = time.perf_counter_ns) -> float:
    """Mean seconds of `calls` calls in a row."""
    start = clock()
    for _ in repeat(None, calls):
        call()
    return max(1, clock() - start) * 1e-9 / calls


def calls_per_sample(call: Call, seconds: float, clock: Clock = time.perf_counter_ns) -> int:
    """How many calls take about `seconds`; at least one. Grows tenfold at most, as first calls are often slow."""
    calls = 1
    while (each := sample(call, calls, clock)) * calls < seconds / 2:
        calls = min(10 * calls, math.ceil(seconds / each))
    return max(1, round(seconds / each))


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python's collector from running inside a sample."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _enough(samples: Sequence[float], elapsed: float, timing: Timing) -> bool:
    if samples and elapsed >= timing.limit:
        return True
    if len(samples) < timing.samples:
        return False
    return elapsed >= timing.budget or relative_precision(samples) <= timing.precision
