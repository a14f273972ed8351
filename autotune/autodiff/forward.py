"""Forward mode: the tangents of expressions, given those of what they read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autotune.autodiff.gather import reindexed
from autotune.autodiff.locals import local_derivatives
from autotune.autodiff.recurrence import derivative_sources, step_sources, tangent
from autotune.autodiff.simplify import ZERO, product, sum_over, total
from autotune.lang import Expr, Parameter, Read, Reindex, Scan, Scatter
from autotune.lang.axes import unite
from autotune.lang.expressions import axes_of
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import substitute

Leaf = Callable[[Read | Parameter], Expr]


@dataclass(frozen=True)
class Tangents:
    """Values and their tangents, in which scans of both are one scan."""

    values: tuple[Expr, ...]
    tangents: tuple[Expr, ...]


def push_forward(roots: Sequence[Expr], leaf: Leaf) -> Tangents:
    """The tangents of `roots`, where those of reads and parameters are given by `leaf` (0 for such as are constant)."""
    known: dict[Expr, Expr] = {}
    joined: dict[Expr, Expr] = {}
    for node in subexpressions(roots, derivative_sources):
        if isinstance(node, Scan):
            if node == node.group:
                _join(node, known, joined)
        else:
            value = _tangent(node, known, leaf)
            if value != ZERO:
                known[node] = value
    found = [known.get(root, ZERO) for root in roots]
    return Tangents(tuple(substitute(root, joined) for root in roots), tuple(substitute(dot, joined) for dot in found))


def _join(scan: Scan, known: dict[Expr, Expr], joined: dict[Expr, Expr]) -> None:
    """Take in all values of a scan: their tangents, and the scan that computes both."""
    tangents = {node: known[node] for node in step_sources(scan) if node in known}
    if not tangents:
        return
    joint, places = tangent(scan, tangents)
    both = substitute(joint, joined)
    assert isinstance(both, Scan)  # a scan is replaced by one only where it is a key itself
    for which in range(len(scan.carries)):
        if set(both.lanes) == set(scan.lanes):  # the tangents of a Jacobian have lanes of their own
            joined[scan.result(which)] = both.result(which)
        if which in places:
            known[scan.result(which)] = both.result(places[which])


def _tangent(node: Expr, known: dict[Expr, Expr], leaf: Leaf) -> Expr:
    match node:
        case Read() | Parameter():
            return leaf(node)
        case Reindex(body, bound, indices, pad) if body in known:
            moved = dict(zip(bound, indices, strict=True))
            return Reindex(known[body], bound, indices) if pad is None else reindexed(known[body], moved, 0.0)
        case Scatter(body) if body in known:
            return _scattered(known[body], node)
        case Reindex() | Scatter():
            return ZERO
        case _:
            parts = []
            for operand, partial in local_derivatives(node, known):
                value = product([known[operand], *partial])
                inner = unite([operand.axes, *(factor.axes for factor in partial)])
                parts.append(sum_over(value, [axis for axis in inner if axis not in node.axes]))
            return total(parts)


def _scattered(body: Expr, node: Scatter) -> Expr:
    """The tangent of a scatter, whose body's tangent may have fewer axes but is added as often."""
    inside = unite([body.axes, axes_of(node.indices)])
    over = tuple(axis for axis in node.over if axis in inside)
    found = Scatter(body, over, node.onto, node.indices, node.strict)
    return sum_over(found, [axis for axis in node.over if axis not in inside])
