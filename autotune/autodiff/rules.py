"""Derivatives of the pointwise functions: one table, one rule a line.

A rule takes the function's value y and its operands and gives the partial derivative by each operand: in terms of y
where that spares a second evaluation, and as a product where parts of it may leave a sum. At kinks the table follows
JAX and PyTorch's amax: maximum and minimum split evenly between equal operands; relu'(0) = 0; abs'(0) = 0.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from autotune.autodiff.simplify import power, sum_over
from autotune.errors import DifferentiationError
from autotune.lang import Apply, Axis, Expr, Extent, Position, Reduce, cos, equal, exp, greater, sign, sin, where
from autotune.lang.expressions import as_expr

Rule: TypeAlias = Callable[..., tuple[Expr | float, ...]]

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "add": lambda *_: (1, 1),
        "sub": lambda *_: (1, -1),
        "mul": lambda _, u, v: (v, u),
        "div": lambda y, _, v: (1 / v, -y * (1 / v)),
        "neg": lambda *_: (-1,),
        "pow": lambda _, u, p: (p.value * power(u, p.value - 1), 0),
        "maximum": lambda _, u, v: (greater(u, v) + 0.5 * equal(u, v), greater(v, u) + 0.5 * equal(u, v)),
        "minimum": lambda _, u, v: (greater(v, u) + 0.5 * equal(u, v), greater(u, v) + 0.5 * equal(u, v)),
        "exp": lambda y, _: (y,),
        "log": lambda _, u: (1 / u,),
        "sqrt": lambda y, _: (0.5 / y,),
        "rsqrt": lambda y, u: (-0.5 * y / u,),
        "tanh": lambda y, _: (1 - y * y,),
        "sigmoid": lambda y, _: (y * (1 - y),),
        "erf": lambda _, u: (2 / math.sqrt(math.pi) * exp(-u * u),),
        "sin": lambda _, u: (cos(u),),
        "cos": lambda _, u: (-sin(u),),
        "abs": lambda _, u: (sign(u),),
        "relu": lambda _, u: (greater(u, 0),),
        "floor": lambda *_: (0,),
        "sign": lambda *_: (0,),
        "greater": lambda *_: (0, 0),
        "equal": lambda *_: (0, 0),
        "greater_equal": lambda *_: (0, 0),
        "where": lambda _, condition, u, v: (0, where(condition, 1, 0), where(condition, 0, 1)),  # noqa: ARG005
        "stop_gradient": lambda *_: (0,),
    }
)

CONSTANT = frozenset({"floor", "sign", "greater", "equal", "greater_equal", "stop_gradient"})
"""The functions whose derivatives are 0 everywhere: no derivative goes through them."""


def reduction_partial(node: Reduce, reduction: str, body: Expr, over: tuple[Axis, ...]) -> tuple[Expr, ...]:
    """The factors of the partial derivative of a reduction by each element of its body.

    The largest and the smallest share evenly among the elements that are equal to it, or go to the first. That of a
    product is the product of the other elements, also where one of them is 0; of a second derivative, terms with two
    zeros are not there.
    """
    match reduction:
        case "sum":
            return ()
        case "max" | "min":
            chosen = equal(body, node)
            return chosen, 1 / sum_over(chosen, over)
        case "first_max" | "first_min":
            return (equal(Reduce(f"arg{reduction.removeprefix('first_')}", body, over), _rank(over)),)
        case "prod":
            zero = equal(body, 0)
            others = Reduce("prod", where(zero, 1, body), over)
            return (where(zero, where(equal(sum_over(zero, over), 1), others, 0), node / body),)
        case _:
            message = f"{reduction} has no derivative, in {node}; differentiate by inputs that do not go through it"
            raise DifferentiationError(message)


def _rank(axes: tuple[Axis, ...]) -> Expr:
    """Which element each is, counted in the order of `axes`, the last of which runs fastest."""
    first, *others = axes
    rank: Expr = Position(first)
    for axis in others:
        rank = rank * Extent(axis.extent) + Position(axis)
    return rank


def partials(node: Apply, rules: Mapping[str, Rule] = RULES) -> tuple[Expr, ...]:
    """The partial derivative of `node` by each operand; raises DifferentiationError for a function without a rule."""
    rule = rules.get(node.function)
    if rule is None:
        message = f"{node.function} has no derivative, in {node}; differentiate by inputs that do not go through it"
        raise DifferentiationError(message)
    return tuple(map(as_expr, rule(node, *node.operands)))
