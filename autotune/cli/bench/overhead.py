"""The process that measures what a public call costs beside a call of the bare Numba dispatcher; prints the seconds."""

import logging
import statistics
from functools import partial

import numpy as np

from autotune.cli.bench.contest import Rules, hold
from autotune.codegen import load
from autotune.library import matmul

ROUNDS = Rules(rounds=60, seconds=0.5)


def overhead() -> float:
    """Seconds that the public call takes longer."""
    a, b = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    out, plan = matmul(a, b), matmul.plan(a, b)
    if plan.path is None:
        message = "a product of 4x4 matrices has a schedule"
        raise AssertionError(message)
    bare = load(plan.path).module.kernel
    calls = {"public": partial(matmul, a, b), "bare": partial(bare, a, b, out, plan.allocate())}
    samples = hold(calls, lambda: 1.0, ROUNDS, seed=0).samples
    return statistics.median(samples["public"]) - statistics.median(samples["bare"])


if __name__ == "__main__":
    logging.getLogger("autotune").setLevel(logging.ERROR)  # which schedule it is makes no difference
    print(overhead())
