"""The language: kernels written in index notation. Knows nothing of loops.

For example, the matrix product::

    def matmul(a: Tensor["m", "k"], b: Tensor["k", "n"]):
        i, k = axes(a)
        _, j = axes(b)
        return output[i, j](sum(a[i, k] * b[k, j], over=k))

    kernel = define(matmul)
"""

from autotune.lang.axes import Axis, axis
from autotune.lang.define import Scalar, Tensor, axes, define, output
from autotune.lang.expressions import Apply, Constant, Expr, Extent, Parameter, Read, Reduce
from autotune.lang.functions import FUNCTIONS, Function
from autotune.lang.kernel import FORWARD, Kernel
from autotune.lang.operations import (
    abs,  # noqa: A004  # at.abs, as in NumPy and JAX
    cos,
    equal,
    erf,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    max,  # noqa: A004
    maximum,
    mean,
    min,  # noqa: A004
    minimum,
    not_equal,
    pow,  # noqa: A004
    prod,
    relu,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sqrt,
    stop_gradient,
    sum,  # noqa: A004
    tanh,
    where,
)
from autotune.lang.specs import Output, ScalarSpec, TensorSpec

__all__ = [
    "FORWARD",
    "FUNCTIONS",
    "Apply",
    "Axis",
    "Constant",
    "Expr",
    "Extent",
    "Function",
    "Kernel",
    "Output",
    "Parameter",
    "Read",
    "Reduce",
    "Scalar",
    "ScalarSpec",
    "Tensor",
    "TensorSpec",
    "abs",
    "axes",
    "axis",
    "cos",
    "define",
    "equal",
    "erf",
    "exp",
    "floor",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "log",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "not_equal",
    "output",
    "pow",
    "prod",
    "relu",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "stop_gradient",
    "sum",
    "tanh",
    "where",
]
