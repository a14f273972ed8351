"""Which loops of a reduction run innermost: those over the reduction, or some over its result.

By default each element of the result is one sum in a register. Where parts of the terms do not depend on an axis of
the result, or neighbouring elements read neighbouring data, it is cheaper to let that axis run inside the reduction
and to add to the elements in memory: `for i: for j: for d: out[i, d] += force(i, j) * distance(i, j, d)`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import prod

from autotune.lang import Affine, Apply, Axis, Expr, Index, Read, Reduce, Reindex
from autotune.lang.graph import subexpressions
from autotune.schedule.costs import COSTS, operations

MOST_AXES = 6  # of a result, for which all choices are compared
LANES = 4  # elements that a vector instruction works on, at least
SHORTEST = 8  # iterations that are worth a vector loop
GAIN = 0.8  # of the cost by default, above which the default stays
NEAR = 1.1  # times the least cost: what is as good with fewer axes inside is better, its elements stay in L1


def inner_axes(
    axes: tuple[Axis, ...], over: tuple[Axis, ...], body: Expr, extents: Mapping[str, int]
) -> tuple[Axis, ...]:
    """The axes of the result to run inside the loops over `over` of a sum of `body`."""
    sizes = {axis: extents[axis.extent] for axis in (*axes, *over)}
    if len(axes) > MOST_AXES or 0 in sizes.values():
        return ()
    nodes = subexpressions(body, _inside)
    costs = {inner: _cost(nodes, axes, over, inner, sizes) for inner in _choices(axes)}
    best = next(inner for inner in costs if costs[inner] <= NEAR * min(costs.values()))
    return best if costs[best] < GAIN * costs[()] else ()


def _choices(axes: tuple[Axis, ...]) -> Iterator[tuple[Axis, ...]]:
    """Those with few axes first, the last axes before others."""
    for count in range(len(axes) + 1):
        yield from reversed(list(combinations(axes, count)))


def _inside(node: Expr) -> tuple[Expr, ...]:
    return node.children if isinstance(node, Apply) else ()


def _cost(
    nodes: Sequence[Expr],
    axes: tuple[Axis, ...],
    over: tuple[Axis, ...],
    inner: tuple[Axis, ...],
    sizes: Mapping[Axis, int],
) -> float:
    """Operations, with what does not depend on the inner loops computed outside them."""
    order = (*(axis for axis in axes if axis not in inner), *over, *inner)
    points = [prod(sizes[axis] for axis in order[: depth + 1]) for depth in range(len(order))]
    depth = {axis: position for position, axis in enumerate(order)}
    last = len(order) - 1
    total = 0.0
    vector = LANES if _vectorized(nodes, order[last], axes, inner=bool(inner), size=sizes[order[last]]) else 1
    for node in nodes:
        at = max((depth[axis] for axis in node.axes if axis in depth), default=-1)
        if at >= 0:
            total += _own_cost(node, sizes) * points[at] / (vector if at == last else 1)
    return total + (2 if inner else 1) * points[last] / vector


def _own_cost(node: Expr, sizes: Mapping[Axis, int]) -> int:
    match node:
        case Apply(function):
            return COSTS.get(function, 1)
        case Reduce(_, body, over):
            return operations(body) * prod(sizes.get(axis, 1) for axis in over)
        case Reindex(body):
            return operations(body)
        case Read():
            return 1
        case _:
            return 0


def _vectorized(nodes: Iterable[Expr], axis: Axis, axes: tuple[Axis, ...], *, inner: bool, size: int) -> bool:
    """Whether a loop over `axis` reads and writes neighbouring elements and calls nothing."""
    if size < SHORTEST or (inner and axis != axes[-1]):
        return False
    for node in nodes:
        if axis not in node.axes:
            continue
        match node:
            case Apply(function) if COSTS.get(function, 1) > COSTS["sqrt"]:
                return False
            case Reduce():
                return False
            case Read(_, indices) | Reindex(_, _, indices) if not _neighbours(indices, axis):
                return False
            case _:
                pass
    return True


def _neighbours(indices: Sequence[Index], axis: Axis) -> bool:
    """Whether a step along `axis` is one along the last dimension, and along no other."""
    *others, last = indices
    if any(axis in _axes(index) for index in others):
        return False
    if isinstance(last, Expr):
        return axis not in last.axes
    affine = Affine.of(last)
    return affine.coefficient(axis) in (0, 1) and (affine.divisor == 1 or affine.coefficient(axis) == 0)


def _axes(index: Index) -> tuple[Axis, ...]:
    return (index,) if isinstance(index, Axis) else index.axes
