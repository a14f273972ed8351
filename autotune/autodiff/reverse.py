"""Reverse mode: from the cotangents of expressions to the cotangents of what they read.

The cotangent of a node is a tensor over the node's free axes, whichever loops those axes are bound by further up: a
node that stands under several reductions adds up what it receives from each.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autotune.autodiff.gather import gathered, reindexed
from autotune.autodiff.locals import local_derivatives
from autotune.autodiff.recurrence import derivative_sources, transposed
from autotune.autodiff.simplify import ZERO, product, sum_over, total
from autotune.lang import Axis, Expr, Parameter, Read, Reindex, Scan, Scatter
from autotune.lang.graph import subexpressions


@dataclass(frozen=True)
class Seed:
    """The cotangent of an expression, a tensor over the axes of an output, which may repeat the expression."""

    expr: Expr
    axes: tuple[Axis, ...]
    cotangent: Expr


def leaf_cotangents(seeds: Sequence[Seed], wrt: str) -> dict[Expr, Expr]:
    """The cotangent of every read of the input `wrt`, over the axes of the read."""
    nodes = subexpressions([seed.expr for seed in seeds], derivative_sources)
    active = _dependents(nodes, wrt)
    preferred = frozenset(axis for seed in seeds for axis in seed.axes)
    received: dict[Expr, list[Expr]] = {node: [] for node in active}
    for seed in seeds:
        if seed.expr in received:
            repeated = [axis for axis in seed.axes if axis not in seed.expr.axes]
            received[seed.expr].append(sum_over(seed.cotangent, repeated))
    states: dict[Expr, dict[int, Expr]] = {}
    for node in reversed(nodes):
        if node not in active:
            continue
        cotangent = total(received[node])
        if isinstance(node, Scan):
            states.setdefault(node.group, {})[node.which] = cotangent
            if node != node.group:
                continue
            contributions = transposed(node, states[node], active)
        else:
            contributions = _contributions(node, cotangent, active, preferred)
        for operand, contribution in contributions:
            received[operand].append(contribution)
    return {node: total(received[node]) for node in nodes if _is_leaf(node, wrt)}


def _is_leaf(node: Expr, wrt: str) -> bool:
    match node:
        case Read(name) | Parameter(name):
            return name == wrt
        case _:
            return False


def _dependents(nodes: Sequence[Expr], wrt: str) -> frozenset[Expr]:
    """Those of `nodes`, given sources first, whose derivative by the input `wrt` is not 0 by construction."""
    active: set[Expr] = set()
    for node in nodes:
        if _is_leaf(node, wrt) or not active.isdisjoint(derivative_sources(node)):
            active.add(node)
    return frozenset(active)


def _contributions(
    node: Expr, cotangent: Expr, active: Collection[Expr], preferred: Collection[Axis]
) -> Iterator[tuple[Expr, Expr]]:
    """What `node` adds to the cotangent of each active source."""
    if cotangent == ZERO:
        return
    match node:
        case Reindex(body, bound, indices):
            kept = [axis for axis in body.axes if axis not in bound]
            yield body, gathered(cotangent, indices, bound, kept=kept, preferred=preferred)
        case Scatter(body, over, onto, indices):
            # Each term was added at its indices: it receives what stands there, nothing where it was left out.
            value = reindexed(cotangent, dict(zip(onto, indices, strict=True)), 0.0)
            spread = dict.fromkeys(axis for axis in (*value.axes, *over) if axis not in body.axes)
            yield body, sum_over(value, tuple(spread))
        case _:
            for operand, partial in local_derivatives(node, active):
                value = product([cotangent, *partial])
                spread = dict.fromkeys(axis for axis in (*node.axes, *value.axes) if axis not in operand.axes)
                yield operand, sum_over(value, tuple(spread))


def element_cotangent(leaves: Mapping[Expr, Expr], axes: Sequence[Axis], preferred: Collection[Axis]) -> Expr:
    """From the cotangent of every read of a tensor to that of the tensor, over `axes`, one for each dimension."""
    return total(
        gathered(cotangent, leaf.indices, axes, preferred=preferred, strict=leaf.pad is None)
        if isinstance(leaf, Read)
        else cotangent
        for leaf, cotangent in leaves.items()
    )
