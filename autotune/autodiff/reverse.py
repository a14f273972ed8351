"""Reverse mode: from the cotangent of an expression to the cotangents of what it reads.

The cotangent of a node is a tensor over the node's free axes, whichever loops those axes are bound by further up: a
node that stands under several reductions adds up what it receives from each.
"""

from collections.abc import Iterator

from autotune.autodiff.rules import partials, reduction_partial
from autotune.autodiff.simplify import ZERO, product, sum_over, total
from autotune.lang import Apply, Expr, Output, Parameter, Read, Reduce
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import factors


def leaf_cotangents(output: Output, seed: Expr, wrt: str) -> dict[Expr, Expr]:
    """The cotangent of every read of the input `wrt`, given the cotangent `seed` of `output` over the output's axes."""
    nodes = subexpressions(output.expr)
    active = _dependents(nodes, wrt)
    repeated = [axis for axis in output.axes if axis not in output.expr.axes]
    received: dict[Expr, list[Expr]] = {node: [] for node in active}
    if output.expr in received:
        received[output.expr].append(sum_over(seed, repeated))
    for node in reversed(nodes):
        if node in active:
            for operand, contribution in _contributions(node, total(received[node]), active):
                received[operand].append(contribution)
    return {node: total(received[node]) for node in nodes if _is_leaf(node, wrt)}


def _is_leaf(node: Expr, wrt: str) -> bool:
    match node:
        case Read(name) | Parameter(name):
            return name == wrt
        case _:
            return False


def _dependents(nodes: tuple[Expr, ...], wrt: str) -> frozenset[Expr]:
    """Those of `nodes`, given children first, whose value depends on the input `wrt`."""
    active: set[Expr] = set()
    for node in nodes:
        if _is_leaf(node, wrt) or not active.isdisjoint(node.children):
            active.add(node)
    return frozenset(active)


def _contributions(node: Expr, cotangent: Expr, active: frozenset[Expr]) -> Iterator[tuple[Expr, Expr]]:
    """What `node` adds to the cotangent of each active operand."""
    if cotangent == ZERO:
        return
    for operand, partial in _local_derivatives(node, active):
        spread = [axis for axis in node.axes if axis not in operand.axes]
        yield operand, sum_over(product([cotangent, *partial]), spread)


def _local_derivatives(node: Expr, active: frozenset[Expr]) -> Iterator[tuple[Expr, tuple[Expr, ...]]]:
    """The active operands of `node`, each with the factors of its partial derivative."""
    match node:
        case Apply("mul"):
            # All factors of a product at once: the gradient is then one sum of products, not a nest of them.
            parts = factors(node)
            for position, part in enumerate(parts):
                if part in active:
                    yield part, (*parts[:position], *parts[position + 1 :])
        case Apply(_, operands):
            for operand, partial in zip(operands, partials(node), strict=True):
                if operand in active:
                    yield operand, (partial,)
        case Reduce(reduction, body, over):
            yield body, reduction_partial(node, reduction, body, over)
        case _:
            pass
