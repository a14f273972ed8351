"""Floating-point operations of an expression, counted as written."""

from collections.abc import Mapping
from math import prod

from autotune.lang.expressions import Apply, Expr, Reduce
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import factors, summands


def count_flops(root: Expr, extents: Mapping[str, int]) -> int:
    """Operations to compute `root` over its axes, each distinct subexpression once.

    A pointwise function costs 1 per point of its axes. A sum over a product of p factors costs p per point of the
    product's axes, p - 1 multiplications and an addition, so that a matrix product is 2·m·n·k. Any other reduction
    costs 1 per point of what it reduces.
    """
    return sum(_flops(node, extents) for node in subexpressions(root, summands))


def _flops(node: Expr, extents: Mapping[str, int]) -> int:
    match node:
        case Reduce("sum", body, _):
            return len(factors(body)) * _points(body, extents)
        case Reduce(_, body, _):
            return _points(body, extents)
        case Apply():
            return _points(node, extents)
        case _:
            return 0


def _points(expr: Expr, extents: Mapping[str, int]) -> int:
    return prod(extents[axis.extent] for axis in expr.axes)
