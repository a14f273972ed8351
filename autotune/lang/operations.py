"""The functions that kernels are written with; operators on expressions are the others."""

import inspect
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, Literal, TypeAlias

from autotune.errors import DefinitionError
from autotune.lang.affine import Affine
from autotune.lang.arithmetic import Operand
from autotune.lang.axes import Axis, unite
from autotune.lang.constructs import Carry, Reindex, Scan, recurrence
from autotune.lang.expressions import Expr, Extent, Reduce, apply, as_expr
from autotune.lang.graph import subexpressions

Over: TypeAlias = "Axis | tuple[Axis, ...]"
Ties: TypeAlias = Literal["even", "first"]


def sum(x: Operand, over: Over) -> Expr:  # noqa: A001  # at.sum, as in NumPy and JAX
    """Σ x over one axis or several, each of which `x` must have."""
    return Reduce("sum", as_expr(x), _axes(over))


def max(x: Operand, over: Over, *, ties: Ties = "even") -> Expr:  # noqa: A001  # at.max, as in NumPy and JAX
    """The largest x over one axis or several, NaN if any is, -inf of none.

    Equal ones share the gradient evenly; with ties="first", the first in the order of `over` has all of it.
    """
    return Reduce(_extreme("max", ties), as_expr(x), _axes(over))


def min(x: Operand, over: Over, *, ties: Ties = "even") -> Expr:  # noqa: A001  # at.min, as in NumPy and JAX
    """The smallest x over one axis or several, NaN if any is, inf of none.

    Equal ones share the gradient evenly; with ties="first", the first in the order of `over` has all of it.
    """
    return Reduce(_extreme("min", ties), as_expr(x), _axes(over))


def prod(x: Operand, over: Over) -> Expr:
    """Π x over one axis or several, 1 of none."""
    return Reduce("prod", as_expr(x), _axes(over))


def argmax(x: Operand, over: Over) -> Expr:
    """Where x is largest, the first such index; over several axes, of the elements in the order of `over`."""
    return Reduce("argmax", as_expr(x), _axes(over))


def argmin(x: Operand, over: Over) -> Expr:
    """Where x is smallest, the first such index; over several axes, of the elements in the order of `over`."""
    return Reduce("argmin", as_expr(x), _axes(over))


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


def mean(x: Operand, over: Over) -> Expr:
    """The mean of x over one axis or several, each of which `x` must have; NaN where there is nothing."""
    axes = _axes(over)
    return sum(x, axes) / reduce(operator.mul, (Extent(axis.extent) for axis in axes))


def extent(axis: Axis) -> Expr:
    """The number of indices of `axis`, as a value, in the index of a read, or in the size of another axis."""
    return Extent(_checked("the extent", axis).extent)


def scan(
    step: Callable[..., Operand | tuple[Operand, ...]],
    start: Operand | tuple[Operand, ...],
    over: Axis,
    *,
    reverse: bool = False,
) -> Any:
    """The recurrence s = step(s) along `over`, beginning with `start`: the value after every step, a tensor over it.

    Several values are carried where `start` is a tuple: `step` then takes and returns as many, and so does this.
    The steps are pointwise in what they carry; they may read anything else at `over`. `reverse` goes from the last
    index to the first. The carried values are named like the parameters of `step`.
    """
    _checked("a scan", over)
    several = isinstance(start, tuple)
    starts = tuple(map(as_expr, start if isinstance(start, tuple) else (start,)))
    names = tuple(inspect.signature(step).parameters)
    if len(names) != len(starts):
        message = (
            f"the step of a scan takes {len(names)} carried values ({', '.join(names)}), but {len(starts)} start it"
        )
        raise DefinitionError(message)

    def steps(carries: tuple[Carry, ...]) -> tuple[Expr, ...]:
        result = step(*carries)
        return tuple(map(as_expr, result if isinstance(result, tuple) else (result,)))

    lanes = unite([value.axes for value in starts])
    found = recurrence(over, names, starts, steps, lanes=lanes, reverse=reverse)
    inner = [node for node in subexpressions(found.children) if isinstance(node, Scan)]
    twice = sorted({carry.name for scan in inner for carry in scan.carries} & set(names))
    if twice:
        message = f"two scans, one inside the other, carry {', '.join(twice)}; rename the parameters of one step"
        raise DefinitionError(message)
    values = tuple(found.result(which) for which in range(len(names)))
    return values if several else values[0]


def last(x: Operand, over: Axis) -> Expr:
    """x at the last index of `over`, such as the value that a scan ends with; the axis must not be empty."""
    return Reindex(_along("last", x, over), (over,), (Affine(((over.extent, 1),), -1),))


def first(x: Operand, over: Axis) -> Expr:
    """x at the first index of `over`, where a reverse scan ends; the axis must not be empty."""
    return Reindex(_along("first", x, over), (over,), (Affine((), 0),))


def _extreme(name: str, ties: Ties) -> str:
    if ties not in ("even", "first"):
        message = f'ties={ties!r}: equal elements of a {name} share its gradient ("even") or the "first" has it'
        raise DefinitionError(message)
    return name if ties == "even" else f"first_{name}"


def _along(name: str, x: Operand, over: Axis) -> Expr:
    expr = as_expr(x)
    if _checked(name, over) not in expr.axes:
        known = ", ".join(map(str, expr.axes)) or "none"
        message = f"{name} over {over}, but {expr!r} does not have that axis (its axes: {known})"
        raise DefinitionError(message)
    return expr


def _checked(name: str, axis: object) -> Axis:
    if not isinstance(axis, Axis):
        message = f"{name} takes an axis, not {axis!r}; write one from axes(…) or axis(name, extent)"
        raise DefinitionError(message)
    return axis


def _axes(over: Over) -> tuple[Axis, ...]:
    return tuple(_checked("a reduction", axis) for axis in (over if isinstance(over, tuple) else (over,)))
