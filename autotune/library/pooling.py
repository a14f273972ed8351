"""Neural networks: pooling of images."""

import math

from autotune import lang as at
from autotune.library.windows import places, surrounded, within
from autotune.runtime import kernel


@kernel
def max_pool2d(
    x: at.Tensor["n", "c", "h", "w"],
    *,
    size: int = 2,
    stride: int = 2,
    padding: int = 0,
) -> at.Output:
    """The largest of each window, out[n, c, p, q] = max x[n, c, p·stride - padding + r, …s…] over r, s < size.

    Around the image x is -inf. Shapes: x (n, c, h, w), out (n, c, p, q) with p = ⌊(h + 2·padding - size) / stride⌋ + 1,
    and q likewise. Units: those of x. Gradient: x̄[n, c, h, w] = Σ out̄ over the windows whose first largest element, row
    by row, is (h, w), as in PyTorch and JAX (Scherer, Müller and Behnke 2010, "Evaluation of pooling operations").
    """
    n, c, i, j = at.axes(x)
    r, s = at.axis("r", size), at.axis("s", size)
    p = places("p", i, size, stride=stride, padding=padding)
    q = places("q", j, size, stride=stride, padding=padding)
    row, column = within(p, r, stride=stride, padding=padding), within(q, s, stride=stride, padding=padding)
    window = surrounded(x, -math.inf, padding)[n, c, row, column]
    return at.output[n, c, p, q](at.max(window, over=(r, s), ties="first"))


@kernel
def avg_pool2d(
    x: at.Tensor["n", "c", "h", "w"],
    *,
    size: int = 2,
    stride: int = 2,
    padding: int = 0,
) -> at.Output:
    """The mean of each window, out[n, c, p, q] = Σ x[n, c, p·stride - padding + r, …s…] / size² over r, s < size.

    Around the image x is 0, which counts (PyTorch's count_include_pad=True). Shapes: x (n, c, h, w), out (n, c, p, q)
    with p = ⌊(h + 2·padding - size) / stride⌋ + 1, and q likewise. Units: those of x.
    Gradient: x̄[n, c, h, w] = Σ out̄ / size² over the windows that (h, w) lies in
    (LeCun and others 1998, "Gradient-based learning applied to document recognition", §II).
    """
    n, c, i, j = at.axes(x)
    r, s = at.axis("r", size), at.axis("s", size)
    p = places("p", i, size, stride=stride, padding=padding)
    q = places("q", j, size, stride=stride, padding=padding)
    row, column = within(p, r, stride=stride, padding=padding), within(q, s, stride=stride, padding=padding)
    window = surrounded(x, 0.0, padding)[n, c, row, column]
    return at.output[n, c, p, q](at.sum(window, over=(r, s)) / size**2)
