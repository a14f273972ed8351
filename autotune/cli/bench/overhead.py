"""The process that measures what a public call costs beside the computation; prints seconds per call as JSON."""

import json
import logging
import statistics
import sys
from functools import partial
from itertools import islice, product
from time import perf_counter

import numpy as np

from autotune.cli.bench.contest import Rules, hold
from autotune.codegen import load
from autotune.library import matmul

ROUNDS = Rules(rounds=60, seconds=0.5)
NEW_SHAPES = 1000
BARE_CALLS = 5  # of which the quickest counts


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


def new_shapes() -> dict[str, float]:
    """Seconds that the first call of a shape takes beyond the machine code's own entry point; a median over shapes.

    The first few shapes load what serves the others.
    """
    taken = []
    for m, k, n in islice(product(range(40, 9, -1), repeat=3), NEW_SHAPES):
        a, b = np.ones((m, k), np.float32), np.ones((k, n), np.float32)
        start = perf_counter()
        out = matmul(a, b)
        first = perf_counter() - start
        plan = matmul.plan(a, b)
        arguments = (a, b, out, *plan.allocate())
        bare = []
        for _ in range(BARE_CALLS):
            start = perf_counter()
            plan.call(*arguments)
            bare.append(perf_counter() - start)
        taken.append(first - min(bare))
    return {"new_shape": statistics.median(taken)}


if __name__ == "__main__":
    logging.getLogger("autotune").setLevel(logging.ERROR)  # which schedule it is makes no difference
    json.dump(new_shapes() if "new-shapes" in sys.argv[1:] else calls(), sys.stdout)
