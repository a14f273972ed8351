"""The process that measures what a public call costs beside the computation; prints seconds per call as JSON."""

import json
import logging
import statistics
import sys
from functools import partial

import numpy as np

from autotune.cli.bench.contest import Rules, hold
from autotune.codegen import load
from autotune.library import matmul

ROUNDS = Rules(rounds=60, seconds=0.5)


def calls() -> dict[str, float]:
    """Seconds of a public call, of the Numba dispatcher behind it, and of the machine code's own entry point.

    All compute the same product; the public call allocates its result, the others are given it.
    """
    a, b = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    out, plan = matmul(a, b), matmul.plan(a, b)
    assert plan.path is not None  # only products without elements have none
    arguments = (a, b, out, *plan.allocate())
    contestants = {
        "public": partial(matmul, a, b),
        "dispatcher": partial(load(plan.path).module.kernel, *arguments),
        "machine_code": partial(plan.call, *arguments),
    }
    samples = hold(contestants, lambda: 1.0, ROUNDS, seed=0).samples
    return {name: statistics.median(taken) for name, taken in samples.items()}


if __name__ == "__main__":
    logging.getLogger("autotune").setLevel(logging.ERROR)  # which schedule it is makes no difference
    json.dump(calls(), sys.stdout)
