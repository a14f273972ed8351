"""The process that measures what a public call costs beside the computation; prints seconds per call as JSON."""

import json
import logging
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from time import perf_counter
from typing import Any

import numpy as np

from autotune import library
from autotune.cli.bench.contest import Rules, hold
from autotune.codegen import load
from autotune.runtime import Plan, TunedKernel

ROUNDS = Rules(rounds=60, seconds=0.5)
NEW_SHAPES = 1000
BARE_CALLS = 5  # of which the quickest counts


@dataclass(frozen=True)
class Subject:
    """A kernel, the extents that all its shapes share, and those that each shape has others of, from large to small."""

    kernel: TunedKernel
    fixed: dict[str, int]
    varied: dict[str, range]

    def inputs(self) -> Iterator[tuple[Any, ...]]:
        """Arrays of all shapes."""
        definition = self.kernel.definition
        for sizes in product(*self.varied.values()):
            extents = self.fixed | dict(zip(self.varied, sizes, strict=True))
            yield tuple(np.ones(definition.call_shape_of(spec.name, extents), np.float32) for spec in definition.inputs)


SUBJECTS = {
    "matmul": Subject(library.matmul, {}, dict.fromkeys("mkn", range(40, 9, -1))),
    "conv2d": Subject(
        library.conv2d,
        {"n": 1, "g": 1, "r": 3, "s": 3},
        dict.fromkeys("ck", range(12, 8, -1)) | dict.fromkeys("hw", range(12, 4, -1)),
    ),
}


def calls() -> dict[str, float]:
    """Seconds of public calls, of the Numba dispatcher behind them, and of the machine code's own entry point.

    All compute the same product; the public call allocates its result, the others are given it.
    """
    a, b = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    out, plan = library.matmul(a, b), library.matmul.plan(a, b)
    assert plan.path is not None  # only products without elements have none
    arguments = (a, b, out, *plan.allocate())
    contestants = {
        "public": partial(library.matmul, a, b),
        "public_out": partial(library.matmul, a, b, out=out),
        "dispatcher": partial(load(plan.path).module.kernel, *arguments),
        "machine_code": partial(plan.call, *arguments),
    }
    samples = hold(contestants, lambda: 1.0, ROUNDS, seed=0).samples
    return {name: statistics.median(taken) for name, taken in samples.items()}


def new_shapes(name: str) -> dict[str, float]:
    """Seconds that the first call of a shape takes beyond the machine code's own entry point; a median over shapes.

    The first few shapes load what serves the others.
    """
    kernel = SUBJECTS[name].kernel
    taken = []
    for inputs in islice(SUBJECTS[name].inputs(), NEW_SHAPES):
        start = perf_counter()
        out = kernel(*inputs)
        first = perf_counter() - start
        plan = kernel.plan(*inputs)
        arguments = [*_split(plan, [*inputs, out]), *(plan.pool[-1] if plan.pool else ())]
        bare = []
        for _ in range(BARE_CALLS):
            start = perf_counter()
            plan.split_call(*arguments)
            bare.append(perf_counter() - start)
        taken.append(first - min(bare))
    return {"new_shape": statistics.median(taken)}


def _split(plan: Plan, arrays: list[Any]) -> list[Any]:
    """Arrays of a call as the machine code takes them, with a dimension for each extent."""
    kernel = plan.workload.kernel
    specs = (*kernel.inputs, *kernel.outputs)
    return [array.reshape(plan.workload.shapes[spec.name]) for spec, array in zip(specs, arrays, strict=True)]


if __name__ == "__main__":
    logging.getLogger("autotune").setLevel(logging.ERROR)  # which schedule it is makes no difference
    json.dump(new_shapes(sys.argv[1]) if sys.argv[1:] else calls(), sys.stdout)
