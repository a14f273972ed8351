"""Numerical kernels written once in index notation, with gradients, tuned by measurement to the machine they run on.

For example::

    import autotune as at

    @at.kernel
    def matmul(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]):
        i, k = at.axes(a)
        _, j = at.axes(b)
        return at.output[i, j](at.sum(a[i, k] * b[k, j], over=k))

    c = matmul(a, b)                          # tuned if known, nearest tuned shape if not, a safe default otherwise
    c, pullback = at.vjp(matmul, a, b)        # as jax.vjp
    a_bar, b_bar = pullback(c_bar)
    matmul.tune(m=1024, n=1024, k=1024)
"""

from typing import TYPE_CHECKING

from autotune.__about__ import __version__
from autotune.errors import AutotuneError
from autotune.lang import (
    Integers,
    Scalar,
    Tensor,
    abs,  # noqa: A004  # at.abs, as in NumPy and JAX
    argmax,
    argmin,
    axes,
    axis,
    cos,
    custom_gradient,
    equal,
    erf,
    exp,
    extent,
    first,
    floor,
    greater,
    greater_equal,
    last,
    less,
    less_equal,
    let,
    log,
    max,  # noqa: A004
    maximum,
    mean,
    min,  # noqa: A004
    minimum,
    not_equal,
    output,
    pow,  # noqa: A004
    prod,
    relu,
    rsqrt,
    scan,
    sigmoid,
    sign,
    sin,
    sqrt,
    stop_gradient,
    sum,  # noqa: A004
    tanh,
    where,
)
from autotune.on_use import packages_on_use
from autotune.runtime import Explanation, TunedKernel, jacobian, jvp, kernel, options, refresh, template, vjp, vmap
from autotune.schedule import Knob

if TYPE_CHECKING:
    from autotune import jax, torch

__getattr__ = packages_on_use("autotune", ("jax", "torch"))

__all__ = [
    "AutotuneError",
    "Explanation",
    "Integers",
    "Knob",
    "Scalar",
    "Tensor",
    "TunedKernel",
    "__version__",
    "abs",
    "argmax",
    "argmin",
    "axes",
    "axis",
    "cos",
    "custom_gradient",
    "equal",
    "erf",
    "exp",
    "extent",
    "first",
    "floor",
    "greater",
    "greater_equal",
    "jacobian",
    "jax",
    "jvp",
    "kernel",
    "last",
    "less",
    "less_equal",
    "let",
    "log",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "not_equal",
    "options",
    "output",
    "pow",
    "prod",
    "refresh",
    "relu",
    "rsqrt",
    "scan",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "stop_gradient",
    "sum",
    "tanh",
    "template",
    "torch",
    "vjp",
    "vmap",
    "where",
]
