"""Floating-point operations of an expression, counted as written."""

from collections.abc import Mapping, Sequence
from math import prod

from autotune.lang.axes import Axis
from autotune.lang.constructs import Linearized, Reindex, Scan, Scatter
from autotune.lang.expressions import Apply, Expr, Read, Reduce
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import factors, scan_inputs, step_nodes, summands


def count_flops(root: "Expr | Sequence[Expr]", extents: Mapping[str, int]) -> int:
    """Operations to compute `root`, or several, over its axes, each distinct subexpression once.

    A pointwise function costs 1 per point of its axes. A sum over a product of p factors costs p per point of the
    product's axes, p - 1 multiplications and an addition, so that a matrix product is 2·m·n·k; a scatter likewise. Any
    other reduction costs 1 per point of what it reduces. The steps of a scan cost what they would as expressions over
    all of its steps. Indices cost nothing, nor does a value that is the same for every point.
    """
    return sum(_flops(node, extents) for node in subexpressions(root, _computed))


def _computed(node: Expr) -> tuple[Expr, ...]:
    match node:
        case Scan() if node != node.group:
            return (node.group,)
        case Scan():
            return scan_inputs(node)
        case Linearized(value):
            return (value,)
        case Scatter(body):
            return factors(body)
        case Reindex(body):
            return (body,)
        case Read():
            return ()
        case _:
            return summands(node)


def _flops(node: Expr, extents: Mapping[str, int]) -> int:
    match node:
        case Reduce("sum", body, _) | Scatter(body):
            return len(factors(body)) * _points(body, extents)
        case Reduce(_, body, _):
            return _points(body, extents)
        case Apply("stop_gradient"):
            return 0
        case Apply():
            return _points(node, extents)
        case Scan() if node == node.group:
            parts = [part for part in step_nodes(node) if isinstance(part, Apply) and part.function != "stop_gradient"]
            return sum(_points(part, extents, node.axis) for part in parts)
        case _:
            return 0


def _points(expr: Expr, extents: Mapping[str, int], *others: Axis) -> int:
    return prod(extents[axis.extent] for axis in dict.fromkeys((*expr.axes, *others)))
