"""Sizes of dimensions that no input has: whole-numbered expressions of the extents of those that do."""

from collections.abc import Mapping
from fractions import Fraction
from math import floor

from autotune.errors import DefinitionError
from autotune.lang.arithmetic import Operand
from autotune.lang.expressions import Apply, Constant, Expr, Extent, as_expr
from autotune.lang.graph import subexpressions

_OPERATIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "floor": lambda a: Fraction(floor(a)),
    "maximum": max,
    "minimum": min,
}


def as_size(axis: str, size: Operand) -> Expr:
    """`size` as the number of elements along an axis; raises DefinitionError where it is none."""
    expr = as_expr(size)
    for node in subexpressions(expr):
        match node:
            case Extent():
                pass
            case Constant(value) if value.is_integer():
                pass
            case Apply(function) if function in _OPERATIONS:
                pass
            case _:
                message = (
                    f"axis {axis} cannot have {expr} elements: {node} is no extent, whole number or one of + - * // "
                    f"of these; write extent(i) for the number of elements along an axis i"
                )
                raise DefinitionError(message)
    return expr


def extents_in(size: Expr) -> tuple[str, ...]:
    """Names of the extents that `size` is computed from."""
    return tuple(node.name for node in subexpressions(size) if isinstance(node, Extent))


def evaluate_size(size: Expr, extents: Mapping[str, int]) -> Fraction:
    """The number of elements, exactly; a division may leave a fraction, which is none."""
    known: dict[Expr, Fraction] = {}
    for node in subexpressions(size):
        match node:
            case Extent(name):
                known[node] = Fraction(extents[name])
            case Constant(value):
                known[node] = Fraction(value)
            case Apply(function, operands):
                known[node] = _OPERATIONS[function](*(known[operand] for operand in operands))  # type: ignore[operator]
            case _:
                raise AssertionError(node)
    return known[size]
