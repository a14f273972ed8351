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
    equal,
    exp,
    greater,
    log,
    maximum,
    minimum,
    pow,  # noqa: A004
    relu,
    sigmoid,
    sign,
    sqrt,
    sum,  # noqa: A004
    tanh,
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
    "define",
    "equal",
    "exp",
    "greater",
    "log",
    "maximum",
    "minimum",
    "output",
    "pow",
    "relu",
    "sigmoid",
    "sign",
    "sqrt",
    "sum",
    "tanh",
]
