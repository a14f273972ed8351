"""Questions about expressions, and the renaming of their axes."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from autotune.lang.affine import Affine
from autotune.lang.axes import Axis, fresh_name
from autotune.lang.constructs import Carry, Linearized, Reindex, Scan, Scatter
from autotune.lang.expressions import (
    Apply,
    Constant,
    Expr,
    Extent,
    Index,
    Parameter,
    Position,
    Read,
    Reduce,
    axes_of,
)
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


def shared(roots: Sequence[Expr]) -> tuple[Expr, ...]:
    """The computed subexpressions that stand in more than one place, those of others first.

    Parts of a scan's steps are among them, and so are such as depend on what it carries: left in place, the text of
    a step that uses each intermediate twice would double with each.
    """
    nodes = subexpressions(roots)
    uses = Counter(child for node in nodes for child in node.children)
    uses.update(roots)
    leaves = (Constant, Carry, Extent, Parameter, Position)
    return tuple(
        node
        for node in nodes
        if uses[node] > 1 and not isinstance(node, leaves) and not (isinstance(node, Read) and node.plain)
    )


def carrying(nodes: Iterable[Expr]) -> frozenset[Expr]:
    """Those of `nodes`, given children first, that depend on a carried value from outside its scan."""
    found: set[Expr] = set()
    for node in nodes:
        if isinstance(node, Carry) or (not isinstance(node, Scan) and not found.isdisjoint(node.children)):
            found.add(node)
    return frozenset(found)


def scan_inputs(scan: Scan) -> tuple[Expr, ...]:
    """The largest parts of a scan's steps that do not depend on what it carries, and its starts."""
    nodes = subexpressions(scan.steps, _of_this_scan)
    carried = carrying(nodes)
    outside = [step for step in scan.steps if step not in carried]
    outside += [child for node in nodes if node in carried for child in node.children]
    return (*scan.starts, *dict.fromkeys(node for node in outside if node not in carried))


def step_nodes(scan: Scan) -> tuple[Expr, ...]:
    """The parts of a scan's steps that depend on what it carries, operands first."""
    nodes = subexpressions(scan.steps, _of_this_scan)
    carried = carrying(nodes)
    return tuple(node for node in nodes if node in carried)


def _of_this_scan(node: Expr) -> tuple[Expr, ...]:
    """The children of a node of a step; the steps of another scan inside are not steps of this one."""
    return () if isinstance(node, Scan) else node.children


def rename(expr: Expr, axes: Mapping[Axis, Axis]) -> Expr:
    """`expr` with its free axes replaced, all at once; bound axes that would capture a new one are renamed too."""
    renamed: dict[Expr, Expr] = {}
    for node in subexpressions(expr, _in_scope):
        replaced = {old: new for old, new in axes.items() if old in node.axes and old != new}
        renamed[node] = _renamed(node, replaced, renamed) if replaced else node
    return renamed[expr]


def _in_scope(node: Expr) -> tuple[Expr, ...]:
    """The children of `node` that have its axes, which those of a node that binds some have not."""
    return () if isinstance(node, Reduce | Reindex | Scatter | Linearized) else node.children


def _renamed(node: Expr, axes: dict[Axis, Axis], renamed: Mapping[Expr, Expr]) -> Expr:
    match node:
        case Position(axis):
            return Position(axes.get(axis, axis))
        case Read(tensor, indices, pad, integer):
            return Read(tensor, renamed_indices(indices, axes), pad, integer)
        case Carry(name, lanes):
            return Carry(name, tuple(axes.get(axis, axis) for axis in lanes))
        case Scan(axis, carries, starts, steps, which, reverse):
            return Scan(
                axes.get(axis, axis),
                tuple(Carry(carry.name, tuple(axes.get(lane, lane) for lane in carry.lanes)) for carry in carries),
                tuple(renamed[start] for start in starts),
                tuple(renamed[step] for step in steps),
                which,
                reverse,
            )
        case Reduce(reduction, body, over):
            apart = _set_apart(over, axes.values(), body.axes)
            return Reduce(reduction, rename(body, axes | apart), tuple(apart.get(axis, axis) for axis in over))
        case Reindex(body, bound, indices, pad):
            outside = {old: new for old, new in axes.items() if old not in bound}
            apart = _set_apart(bound, outside.values(), body.axes)
            new_body = rename(body, outside | apart)
            return Reindex(
                new_body, tuple(apart.get(axis, axis) for axis in bound), renamed_indices(indices, axes), pad
            )
        case Linearized():
            apart = _set_apart(node.inner, axes.values(), node.axes)
            return node.rebuild([rename(child, axes | apart) for child in node.children])
        case Scatter(body, over, onto, indices, strict):
            apart = _set_apart(over, axes.values(), (*body.axes, *axes_of(indices)))
            inside = axes | apart
            return Scatter(
                rename(body, {old: new for old, new in inside.items() if old in body.axes}),
                tuple(inside.get(axis, axis) if axis in apart else axis for axis in over),
                tuple(axes.get(axis, axis) for axis in onto),
                renamed_indices(indices, inside),
                strict,
            )
        case _:
            return node.rebuild([renamed[child] for child in node.children])


def renamed_indices(indices: Sequence[Index], axes: Mapping[Axis, Axis]) -> tuple[Index, ...]:
    """The indices with axes replaced, all at once."""

    def one(index: Index) -> Index:
        match index:
            case Axis():
                return axes.get(index, index)
            case Affine():
                return index.substitute(axes).simplest()
            case _:
                return rename(index, axes)

    return tuple(map(one, indices))


def _set_apart(over: tuple[Axis, ...], new: Collection[Axis], inside: Collection[Axis]) -> dict[Axis, Axis]:
    """For each axis of `over`, bound where the axes `inside` are, that has the name of a `new` one: one of another."""
    clashing = {axis.name for axis in new}
    taken = clashing | {axis.name for axis in (*over, *inside)}
    return {axis: fresh_axis(axis, taken) for axis in over if axis.name in clashing}


def fresh_axis(axis: Axis, taken: set[str]) -> Axis:
    """`axis` under a name that is not in `taken`, which gets it."""
    fresh = replace(axis, name=fresh_name(re.sub(r"_\d+$", "", axis.name), taken))
    taken.add(fresh.name)
    return fresh


def substitute(expr: Expr, replacements: Mapping[Expr, Expr]) -> Expr:
    """`expr` with whole subexpressions replaced, also inside what binds axes: the new ones must not be captured."""
    done: dict[Expr, Expr] = {}
    for node in subexpressions(expr, lambda node: () if node in replacements else node.children):
        if node in replacements:
            done[node] = replacements[node]
        else:
            children = [done[child] for child in node.children]
            done[node] = node if children == list(node.children) else node.rebuild(children)
    return done[expr]


def erase(expr: Expr) -> Expr:
    """`expr` without derivative rules of its own: every Linearized node as its value."""
    done: dict[Expr, Expr] = {}
    for node in subexpressions(expr, lambda node: (node.value,) if isinstance(node, Linearized) else node.children):
        if isinstance(node, Linearized):
            done[node] = done[node.value]
        else:
            children = [done[child] for child in node.children]
            done[node] = node if children == list(node.children) else node.rebuild(children)
    return done[expr]


def replace_carried(expr: Expr, values: Mapping[Expr, Expr]) -> Expr:
    """`expr`, from the steps of a scan, with what it carries replaced; other scans keep theirs, of whatever name."""
    carried = carrying(subexpressions(expr))
    done: dict[Expr, Expr] = {}
    for node in subexpressions(expr, lambda node: node.children if _opens(node, carried) else ()):
        if node in values:
            done[node] = values[node]
        elif _opens(node, carried):
            done[node] = node.rebuild([done[child] for child in node.children])
        else:
            done[node] = node
    return done[expr]


def _opens(node: Expr, carried: Collection[Expr]) -> bool:
    """Whether carried values from outside may stand in `node`."""
    return node in carried and not isinstance(node, Scan)
