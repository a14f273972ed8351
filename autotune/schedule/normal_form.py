"""Expressions in a form in which equal parts look equal, and sums are of products as far as they can be."""

import re

from autotune.lang import Apply, Axis, Expr, Read, Reduce, Reindex
from autotune.lang.expressions import axes_of
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import fresh_axis, rename


def normal_form(expr: Expr) -> Expr:
    """`expr` with bound axes named after their extents where nothing else is called so, and reindexing moved inside.

    Derivatives set bound axes apart (h_2 for h), so the same intermediate may stand in them under several names.
    """
    done: dict[Expr, Expr] = {}
    for node in subexpressions(expr):
        children = [done[child] for child in node.children]
        found = node if children == list(node.children) else node.rebuild(children)
        match found:
            case Reindex():
                done[node] = moved_inside(_renamed_bound(found))
            case Reduce():
                done[node] = _renamed_over(found)
            case _:
                done[node] = found
    return done[expr]


def _canonical(bound: tuple[Axis, ...], body: Expr) -> dict[Axis, Axis]:
    """Other names for axes set apart whose own name no other axis of `body` has."""
    taken = {axis.name for axis in body.axes if axis not in bound}
    found: dict[Axis, Axis] = {}
    for axis in bound:
        stem = Axis(re.sub(r"_\d+$", "", axis.name), axis.extent, axis.size)
        chosen = stem if axis.name != stem.name == axis.extent and stem.name not in taken else axis
        taken.add(chosen.name)
        found[axis] = chosen
    return {axis: chosen for axis, chosen in found.items() if axis != chosen}


def _renamed_bound(node: Reindex) -> Reindex:
    names = _canonical(node.bound, node.body)
    if not names:
        return node
    body = rename(node.body, {old: new for old, new in names.items() if old in node.body.axes})
    return Reindex(body, tuple(names.get(axis, axis) for axis in node.bound), node.indices, node.pad)


def _renamed_over(node: Reduce) -> Reduce:
    names = _canonical(node.over, node.body)
    return Reduce(node.reduction, rename(node.body, names), tuple(names.get(axis, axis) for axis in node.over))


def moved_inside(node: Reindex) -> Expr:
    """`node` as a read of a tensor at its indices, or as a product of reindexed factors, where it is one.

    (a · b).pad(0)[i - 1] = a.pad(0)[i - 1] · b.pad(0)[i - 1], and factors without the axis stay as they are.
    """
    body, bound, indices, pad = node.body, node.bound, node.indices, node.pad
    match body:
        case Read() if body.plain and set(bound) <= set(body.axes) and _fits(body, pad):
            moved = dict(zip(bound, indices, strict=True))
            return Read(body.tensor, tuple(moved.get(axis, axis) for axis in body.axes), pad, body.integer)
        case Apply("mul", (a, b)) if pad is None or (pad == 0.0 and set(bound) <= {*a.axes, *b.axes}):
            return Apply("mul", (_part(a, node, pad), _part(b, node, pad)))
        case Apply("div", (a, b)) if pad is None or (pad == 0.0 and set(bound) <= set(a.axes)):
            return Apply("div", (_part(a, node, pad), _part(b, node, None if pad is None else 1.0)))
        case Apply("neg" | "stop_gradient", (a,)) if pad is None or pad == 0.0:
            return Apply(body.function, (_part(a, node, pad),))
        case _:
            return node


def _fits(read: Read, pad: float | None) -> bool:
    """Whether the elements of a tensor may have this value."""
    return pad is None or not read.integer or pad.is_integer()


def _part(part: Expr, node: Reindex, pad: float | None) -> Expr:
    """An operand of the body of `node` at its indices."""
    own = [(axis, index) for axis, index in zip(node.bound, node.indices, strict=True) if axis in part.axes]
    if not own:
        return part
    bound, indices = tuple(axis for axis, _ in own), tuple(index for _, index in own)
    return moved_inside(Reindex(part, bound, indices, pad))


def merged(node: Reduce) -> Reduce:
    """A sum with the sums among its factors that have all of its axes made part of it.

    Σ_r f[i, r] · (Σ_k g[i, r, k]) = Σ_{r,k} f[i, r] · g[i, r, k], also where the inner one is reindexed.
    """
    if node.reduction != "sum":
        return node
    whole = {*node.axes, *node.over}
    taken = {axis.name for axis in whole}
    body, inner = _pulled(node.body, whole, taken)
    return Reduce("sum", body, (*node.over, *inner)) if inner else node


def _pulled(part: Expr, whole: set[Axis], taken: set[str]) -> tuple[Expr, tuple[Axis, ...]]:
    """A factor, and the axes that it must be summed over yet."""
    match part:
        case Reduce("sum", body, over) if set(part.axes) == whole:
            apart = _apart(over, taken)
            return _pulled(rename(body, apart), {*whole, *apart.values()}, taken)[0], tuple(apart.values())
        case Reindex(Reduce("sum", body, over), bound, indices, pad) if set(part.axes) == whole and not pad:
            taken |= {axis.name for axis in (*bound, *axes_of(indices))}
            apart = _apart(over, taken)
            return moved_inside(Reindex(rename(body, apart), bound, indices, pad)), tuple(apart.values())
        case Apply("mul", (a, b)):
            first, over = _pulled(a, whole, taken)
            second, also = (b, ()) if over else _pulled(b, whole, taken)
            return Apply("mul", (first, second)), (*over, *also)
        case Apply("neg", (a,)):
            first, over = _pulled(a, whole, taken)
            return Apply("neg", (first,)), over
        case Apply("div", (a, b)):
            first, over = _pulled(a, whole, taken)
            return Apply("div", (first, b)), over
        case _:
            return part, ()


def _apart(over: tuple[Axis, ...], taken: set[str]) -> dict[Axis, Axis]:
    return {axis: fresh_axis(axis, taken) for axis in over}
