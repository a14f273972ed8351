"""The language: kernels written in index notation. Knows nothing of loops.

For example, the matrix product::

    def matmul(a: Tensor["m", "k"], b: Tensor["k", "n"]):
        i, k = axes(a)
        _, j = axes(b)
        return output[i, j](sum(a[i, k] * b[k, j], over=k))

    kernel = define(matmul)
"""

from autotune.lang.affine import Affine
from autotune.lang.axes import Axis, axis
from autotune.lang.constructs import Carry, Linearized, Reindex, Scan, Scatter
from autotune.lang.custom import custom_gradient
from autotune.lang.define import Integers, Scalar, Tensor, axes, define, let, output
from autotune.lang.expressions import Apply, Constant, Expr, Extent, Index, Parameter, Position, Read, Reduce
from autotune.lang.functions import FUNCTIONS, Function
from autotune.lang.kernel import FORWARD, Kernel
from autotune.lang.operations import (
    abs,  # noqa: A004  # at.abs, as in NumPy and JAX
    argmax,
    argmin,
    cos,
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
from autotune.lang.specs import Output, ScalarSpec, TensorSpec

__all__ = [
    "FORWARD",
    "FUNCTIONS",
    "Affine",
    "Apply",
    "Axis",
    "Carry",
    "Constant",
    "Expr",
    "Extent",
    "Function",
    "Index",
    "Integers",
    "Kernel",
    "Linearized",
    "Output",
    "Parameter",
    "Position",
    "Read",
    "Reduce",
    "Reindex",
    "Scalar",
    "ScalarSpec",
    "Scan",
    "Scatter",
    "Tensor",
    "TensorSpec",
    "abs",
    "argmax",
    "argmin",
    "axes",
    "axis",
    "cos",
    "custom_gradient",
    "define",
    "equal",
    "erf",
    "exp",
    "extent",
    "first",
    "floor",
    "greater",
    "greater_equal",
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
    "output",
    "pow",
    "prod",
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
    "where",
]
