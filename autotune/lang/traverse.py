"""Questions about expressions, and the renaming of their axes."""

import re
from collections import Counter
from collections.abc import Collection, Mapping

from autotune.lang.axes import Axis, fresh_name
from autotune.lang.expressions import Apply, Expr, Read, Reduce
from autotune.lang.graph import subexpressions


def factors(expr: Expr) -> tuple[Expr, ...]:
    """The factors of a product, nested products flattened; an expression that is no product is its only factor."""
    if isinstance(expr, Apply) and expr.function == "mul":
        return tuple(factor for operand in expr.operands for factor in factors(operand))
    return (expr,)


def summands(node: Expr) -> tuple[Expr, ...]:
    """The children of `node`, but for a sum the factors of its body: a sum of products is computed as one operation."""
    match node:
        case Reduce("sum", body, _):
            return factors(body)
        case _:
            return node.children


def shared(root: Expr) -> tuple[Expr, ...]:
    """The computed subexpressions that stand in more than one place, those of others first."""
    nodes = subexpressions(root)
    uses = Counter(child for node in nodes for child in node.children)
    return tuple(node for node in nodes if uses[node] > 1 and isinstance(node, Apply | Reduce))


def rename(expr: Expr, axes: Mapping[Axis, Axis]) -> Expr:
    """`expr` with its free axes replaced, all at once; bound axes that would capture a new one are renamed too."""
    renamed: dict[Expr, Expr] = {}
    for node in subexpressions(expr, _in_scope):
        replaced = {old: new for old, new in axes.items() if old in node.axes and old != new}
        renamed[node] = _renamed(node, replaced, renamed) if replaced else node
    return renamed[expr]


def _in_scope(node: Expr) -> tuple[Expr, ...]:
    """The children of `node` that have its axes, which those of a reduction have not."""
    return () if isinstance(node, Reduce) else node.children


def _renamed(node: Expr, axes: dict[Axis, Axis], renamed: Mapping[Expr, Expr]) -> Expr:
    match node:
        case Read(tensor, indices):
            return Read(tensor, tuple(axes.get(index, index) for index in indices))
        case Reduce(reduction, body, over):
            apart = _set_apart(over, axes.values(), body)
            return Reduce(reduction, rename(body, axes | apart), tuple(apart.get(axis, axis) for axis in over))
        case _:
            return node.rebuild([renamed[child] for child in node.children])


def _set_apart(over: tuple[Axis, ...], new: Collection[Axis], body: Expr) -> dict[Axis, Axis]:
    """For each axis of `over`, which binds in `body`, that has the name of a `new` one: one of another name."""
    clashing = {axis.name for axis in new}
    taken = clashing | {axis.name for axis in body.axes}
    apart: dict[Axis, Axis] = {}
    for axis in over:
        if axis.name in clashing:
            stem = re.sub(r"_\d+$", "", axis.name)
            apart[axis] = Axis(fresh_name(stem, taken), axis.extent)
            taken.add(apart[axis].name)
    return apart
