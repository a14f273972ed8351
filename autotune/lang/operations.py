"""The functions that kernels are written with; operators on expressions are the others."""

import operator
from functools import reduce

from autotune.lang.axes import Axis
from autotune.lang.expressions import Expr, Extent, Operand, Reduce, apply, as_expr


def sum(x: Operand, over: Axis | tuple[Axis, ...]) -> Expr:  # noqa: A001  # at.sum, as in NumPy and JAX
    """Σ x over one axis or several, each of which `x` must have."""
    return Reduce("sum", as_expr(x), over if isinstance(over, tuple) else (over,))


def max(x: Operand, over: Axis | tuple[Axis, ...]) -> Expr:  # noqa: A001  # at.max, as in NumPy and JAX
    """The largest x over one axis or several, NaN if any is, -inf of none; equal ones share the gradient evenly."""
    return Reduce("max", as_expr(x), over if isinstance(over, tuple) else (over,))


def min(x: Operand, over: Axis | tuple[Axis, ...]) -> Expr:  # noqa: A001  # at.min, as in NumPy and JAX
    """The smallest x over one axis or several, NaN if any is, inf of none; equal ones share the gradient evenly."""
    return Reduce("min", as_expr(x), over if isinstance(over, tuple) else (over,))


def prod(x: Operand, over: Axis | tuple[Axis, ...]) -> Expr:
    """Π x over one axis or several, 1 of none."""
    return Reduce("prod", as_expr(x), over if isinstance(over, tuple) else (over,))


def maximum(x: Operand, y: Operand) -> Expr:
    """The larger of x and y, NaN if either is; the gradient is split evenly where they are equal."""
    return apply("maximum", x, y)


def minimum(x: Operand, y: Operand) -> Expr:
    """The smaller of x and y, NaN if either is; the gradient is split evenly where they are equal."""
    return apply("minimum", x, y)


def exp(x: Operand) -> Expr:
    """e^x."""
    return apply("exp", x)


def log(x: Operand) -> Expr:
    """The natural logarithm; -inf at 0, NaN below."""
    return apply("log", x)


def sqrt(x: Operand) -> Expr:
    """The square root; NaN below 0."""
    return apply("sqrt", x)


def rsqrt(x: Operand) -> Expr:
    """1 / √x; inf at 0, NaN below."""
    return apply("rsqrt", x)


def tanh(x: Operand) -> Expr:
    """The hyperbolic tangent."""
    return apply("tanh", x)


def sigmoid(x: Operand) -> Expr:
    """1 / (1 + exp(-x))."""
    return apply("sigmoid", x)


def erf(x: Operand) -> Expr:
    """The error function, 2/√π times the integral of exp(-t²) from 0 to x."""
    return apply("erf", x)


def sin(x: Operand) -> Expr:
    """The sine of x in radians."""
    return apply("sin", x)


def cos(x: Operand) -> Expr:
    """The cosine of x in radians."""
    return apply("cos", x)


def floor(x: Operand) -> Expr:
    """The largest whole number not above x; its derivative is 0."""
    return apply("floor", x)


def relu(x: Operand) -> Expr:
    """max(x, 0); its derivative at 0 is 0."""
    return apply("relu", x)


def abs(x: Operand) -> Expr:  # noqa: A001  # at.abs, as in NumPy and JAX
    """|x|; its derivative at 0 is 0."""
    return apply("abs", x)


def pow(x: Operand, exponent: float) -> Expr:  # noqa: A001  # at.pow, as in JAX
    """x to a constant power; NaN for x < 0 unless the exponent is whole."""
    return apply("pow", x, exponent)


def sign(x: Operand) -> Expr:
    """-1, 0 or 1; its derivative is 0."""
    return apply("sign", x)


def greater(x: Operand, y: Operand) -> Expr:
    """1 where x > y, else 0; its derivative is 0."""
    return apply("greater", x, y)


def greater_equal(x: Operand, y: Operand) -> Expr:
    """1 where x ≥ y, else 0; its derivative is 0."""
    return apply("greater_equal", x, y)


def less(x: Operand, y: Operand) -> Expr:
    """1 where x < y, else 0; its derivative is 0."""
    return apply("greater", y, x)


def less_equal(x: Operand, y: Operand) -> Expr:
    """1 where x ≤ y, else 0; its derivative is 0."""
    return apply("greater_equal", y, x)


def equal(x: Operand, y: Operand) -> Expr:
    """1 where x = y, else 0; its derivative is 0. (`==` compares expressions, not values.)"""
    return apply("equal", x, y)


def not_equal(x: Operand, y: Operand) -> Expr:
    """1 where x ≠ y, else 0; its derivative is 0. (`!=` compares expressions, not values.)"""
    return 1 - equal(x, y)


def where(condition: Operand, x: Operand, y: Operand) -> Expr:
    """x where the condition is not 0, else y: `where(greater(x, 0), log(x), 0)`. The condition has no gradient.

    What the branch not taken would be never shows in the value. A gradient is 0 in that branch times the derivative
    of what stands there, so NaN where that is infinite, as in JAX: keep the operand of such a function in its domain.
    """
    return apply("where", condition, x, y)


def stop_gradient(x: Operand) -> Expr:
    """x, taken to be constant by every derivative."""
    return apply("stop_gradient", x)


def mean(x: Operand, over: Axis | tuple[Axis, ...]) -> Expr:
    """The mean of x over one axis or several, each of which `x` must have; NaN where there is nothing."""
    axes = over if isinstance(over, tuple) else (over,)
    return sum(x, axes) / reduce(operator.mul, (Extent(axis.extent) for axis in axes))
