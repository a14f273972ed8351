"""Plain loops compiled by Numba with `parallel` and `fastmath`: what one writes who wants speed without effort.

They are written as straightforwardly as they are fast: rows, images or elements are the parallel loop, nothing is
tiled or packed, and no gradient has a loop that its closed formula in `autotune.library` does not have.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from autotune.cli.bench.kernels.problem import Problem
from autotune.cli.bench.peers import numba_images, numba_products, numba_rows, numba_sciences
from autotune.cli.bench.peers.offered import NotOfferedError
from autotune.measure.timing import Call

MODULES: tuple[ModuleType, ...] = (numba_products, numba_rows, numba_images, numba_sciences)
# A function is named as its kernel, `_by_` and the input for a gradient, its parameters as inputs and cotangent are.
LOOPS: Mapping[str, Callable[..., Any]] = {
    name: value for module in MODULES for name, value in vars(module).items() if hasattr(value, "py_func")
}


def prepare(problem: Problem) -> Call:
    """The loop of that kernel and direction, on as many threads as NUMBA_NUM_THREADS says."""
    name = problem.formula
    if name is None or name not in LOOPS:
        message = f"no loop is written down for {problem.case.direction}"
        raise NotOfferedError(message)
    arrays = {**problem.inputs, **problem.seeds}
    return problem.call(LOOPS[name], **{name: array[()] for name, array in arrays.items() if not array.ndim})
