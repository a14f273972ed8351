"""A Numba function of your own with knobs, tuned like any other kernel.

autotune run examples/own_template.py:column_means --size rows=4096,cols=1024
python examples/own_template.py
"""

import numpy as np
from numba import njit

import autotune as at


def means(x: at.Tensor["rows", "cols"]) -> at.Tensor["cols"]:
    """The mean of every column: what the template has to compute, in NumPy."""
    return x.mean(axis=0)


@at.template(
    means,
    knobs={"block": (16, 32, 64, 128, 256, 512, 1024, 2048), "rows_at_once": (1, 2, 4, 8)},
    constraints={"a block of rows stays in the first cache": lambda block, rows_at_once: block * rows_at_once <= 4096},
)
def column_means(block, rows_at_once):
    """Means of columns, a block of them at a time, adding up several rows before the block is touched again."""

    @njit(error_model="numpy", fastmath={"contract", "reassoc"})
    def compute(x, out):
        rows, cols = x.shape
        out[:] = 0
        for first in range(0, cols, block):
            last = min(first + block, cols)
            whole = rows - rows % rows_at_once
            for row in range(0, whole, rows_at_once):
                for col in range(first, last):
                    total = x[row, col]
                    for more in range(1, rows_at_once):
                        total += x[row + more, col]
                    out[col] += total
            for row in range(whole, rows):
                for col in range(first, last):
                    out[col] += x[row, col]
        for col in range(cols):
            out[col] /= rows

    return compute


if __name__ == "__main__":
    x = np.random.default_rng(0).standard_normal((4096, 1000), dtype=np.float32)
    column_means.tune(x=x.shape, trials=16, threads=1)
    print(column_means.plan(x).choice)
    np.testing.assert_allclose(column_means(x), x.mean(axis=0), atol=1e-5)
