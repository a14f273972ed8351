"""Templates as a user writes them, in a file that other processes can import."""
# mypy: disable-error-code="name-defined,valid-type,misc,no-untyped-def,arg-type"

from typing import Any

import numpy as np
from numba import njit, prange

import autotune as at


def running_means(x: at.Tensor["rows", "cols"], shift: at.Scalar) -> at.Tensor["rows"]:
    """The mean of each row and a shift."""
    return x.mean(axis=1) + shift  # type: ignore[attr-defined]


@at.template(
    running_means,
    knobs={"step": (1, 2, 4), "order": ("forward", "backward")},
    constraints={"four at a time only forward": lambda step, order: step < 4 or order == "forward"},
    default={"step": 2, "order": "forward"},
)
def row_means(step: int, order: str) -> Any:
    """Means of rows."""

    @njit(error_model="numpy")
    def compute(x, shift, out):
        rows, cols = x.shape
        for i in range(rows):
            total = x.dtype.type(0)
            if order == "forward":
                for first in range(0, cols, step):
                    for j in range(first, min(first + step, cols)):
                        total += x[i, j]
            else:
                for j in range(cols - 1, -1, -1):
                    total += x[i, j]
            out[i] = total / cols + shift

    return compute


@at.template(running_means, knobs={"fault": ("none", "value", "input", "outside", "type")}, default={"fault": "none"})
def faulty_means(fault: str) -> Any:
    """Means of rows, wrong in several ways."""
    if fault == "type":
        return 7

    @njit
    def compute(x, shift, out):
        for i in range(x.shape[0]):
            out[i] = x[i].sum() / x.shape[1] + shift
        if fault == "value":
            out[0] *= 1.001
        if fault == "input":
            x[0, 0] += 1
        if fault == "outside":
            out[out.size] = 0

    return compute


def clipped(x: at.Tensor["n"]) -> tuple[at.Tensor["n"], at.Integers["n"]]:
    """Elements below 0 as 0, and which they were."""
    return np.maximum(x, 0), x < 0


@at.template(clipped, knobs={"branch": (False, True)}, terms=())
def clip(branch: bool) -> Any:
    """The same, with a branch or without."""

    @njit
    def compute(x, out, below):
        for i in range(x.size):
            below[i] = x[i] < 0
            if branch:
                out[i] = x[i] * (x[i] > 0)
            else:
                out[i] = max(x[i], x.dtype.type(0))

    return compute


@at.kernel
def scaled_sums(x: at.Tensor["m", "n"], scale: at.Scalar) -> Any:
    """A kernel in index notation."""
    i, j = at.axes(x)
    return at.output[i](scale * at.sum(x[i, j], over=j))


@at.template(
    scaled_sums,
    knobs=[at.Knob("width", (4, 8, 16))],
    constraints={"no wider than a row": lambda width, n: width <= n},
    default=lambda n: {"width": 8 if n >= 8 else 4},
    inputs=lambda rng, m, n: {"x": rng.uniform(size=(m, n)), "scale": 2.0},
)
def parallel_sums(width: int, dtype: str, threads: int) -> Any:
    """The same in tasks, each of some rows."""
    zero = np.dtype(dtype).type(0)

    @njit(parallel=threads > 1, error_model="numpy")
    def compute(x, scale, out):
        rows, cols = x.shape
        for task in prange(threads):
            for i in range(task * rows // threads, (task + 1) * rows // threads):
                partial = np.full(width, zero)
                for first in range(0, cols - cols % width, width):
                    for lane in range(width):
                        partial[lane] += x[i, first + lane]
                total = partial.sum()
                for j in range(cols - cols % width, cols):
                    total += x[i, j]
                out[i] = scale * total

    return compute
