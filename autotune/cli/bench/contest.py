"""Contestants taken in turn, so that what slows the machine for a while slows all of them alike. Runs in the child."""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autotune.measure.timing import Call, calls_per_sample, no_garbage_collection, rest, sample

# A sample is as many calls as take this long, or one call.
SAMPLE_SECONDS = 4e-3


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How long a contest lasts: `rounds` and `seconds` at least, or `fewest` rounds where they take `limit` seconds.

    A contestant whose first sample takes longer than `slow` seconds has that one only.
    """

    rounds: int = 15
    seconds: float = 2.0
    fewest: int = 5
    limit: float = 20.0
    slow: float = math.inf

    def over(self, rounds: int, elapsed: float) -> bool:
        """Whether so many rounds in so many seconds are enough."""
        if elapsed >= self.limit:
            return rounds >= self.fewest
        return rounds >= self.rounds and elapsed >= self.seconds


@dataclass(frozen=True)
class Contest:
    """Seconds per call of each contestant, a sample a round, and rates of the yardstick, one before each round."""

    samples: dict[str, list[float]]
    rates: list[float]


def hold(
    calls: Mapping[str, Call], yardstick: Callable[[], float], rules: Rules, *, seed: int, threads: int = 1
) -> Contest:
    """Rounds of all calls in random order; `yardstick` runs between the rounds.

    Where calls run on several threads, those of the last contestant come to rest before the next one is timed.
    """
    several = threads > 1
    order = list(calls)
    shuffle = random.Random(seed).shuffle
    counts = {name: calls_per_sample(call, SAMPLE_SECONDS) for name, call in calls.items()}
    contest = Contest({name: [] for name in calls}, [])
    start = time.perf_counter()
    with no_garbage_collection():
        while not rules.over(len(contest.rates), time.perf_counter() - start):
            if several:
                rest()
            contest.rates.append(yardstick())
            shuffle(order)
            for name in order:
                taken = contest.samples[name]
                if taken and taken[0] > rules.slow:
                    continue
                if several:
                    rest()
                if several or counts[name] > 1:
                    calls[name]()  # fills the caches with what this one reads; wakes the threads that went to sleep
                taken.append(sample(calls[name], counts[name]))
    return contest
