"""Scans differentiated in both modes: recurrences again.

With states s, inputs u and steps s[t] = f(s[t - 1], u[t]), reverse mode runs from the last step to the first:

    a[t] = s̄[t] + c[t + 1],    c[t] = (∂f/∂s)ᵀ a[t],    ū[t] = (∂f/∂u)ᵀ a[t],

where s̄ are the cotangents of the states from outside and c, 0 at first, what goes back to the state before (KERNELS.md
K15a for RK4). All of it is one scan: it carries c, what an input that is the same in all steps has received so far,
and hands out what an input of the step receives. The states before each step are read, not computed backward: whether
they are all kept, or some of them and the others computed again, is for the schedule to decide.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autotune.autodiff.locals import local_derivatives, sources
from autotune.autodiff.simplify import ZERO, product, sum_over, total
from autotune.lang import Affine, Carry, Constant, Expr, Extent, Position, Reindex, Scan, greater, where
from autotune.lang.axes import fresh_name
from autotune.lang.constructs import recurrence
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import replace_carried, scan_inputs, step_nodes


def derivative_sources(node: Expr) -> tuple[Expr, ...]:
    """The nodes that a derivative of `node` goes through; the values of a scan all go through the first of them."""
    if isinstance(node, Scan):
        return step_sources(node) if node == node.group else (node.group,)
    return sources(node)


def step_sources(scan: Scan) -> tuple[Expr, ...]:
    """The parts of a scan that do not depend on what it carries and that a derivative goes through."""
    starts, inputs = scan.starts, _inputs(scan)
    return tuple(dict.fromkeys((*starts, *inputs)))


def _inputs(scan: Scan) -> tuple[Expr, ...]:
    """The largest parts of the steps without carried values through which their derivatives go."""
    nodes = step_nodes(scan)
    carried = frozenset(nodes)
    found = [step for step in scan.steps if step not in carried]
    for node in nodes:
        found += [source for source in sources(node) if source not in carried]
    order = {node: place for place, node in enumerate(scan_inputs(scan))}
    return tuple(sorted(dict.fromkeys(found), key=lambda node: order.get(node, len(order))))  # stable


@dataclass(frozen=True)
class _Tape:
    """A scan's values as the steps of another scan along the same axis read them."""

    scan: Scan

    def before(self, which: int) -> Expr:
        """A carried value before each step."""
        scan, start = self.scan, self.scan.starts[which]
        earlier = 1 if scan.reverse else -1
        constant = start.value if isinstance(start, Constant) else 0.0
        index = Affine(((scan.axis, 1),), earlier)
        states = Reindex(scan.result(which), (scan.axis,), (index,), constant)
        if isinstance(start, Constant):
            return states
        position = Position(scan.axis)
        later = greater(Extent(scan.axis.extent) - 1, position) if scan.reverse else greater(position, 0)
        return where(later, states, start)

    def opened(self, expr: Expr) -> Expr:
        """`expr`, which depends on carried values, with those before the step in their place."""
        return replace_carried(expr, {carry: self.before(which) for which, carry in enumerate(self.scan.carries)})


def transposed(scan: Scan, cotangents: Mapping[int, Expr], active: Collection[Expr]) -> Iterator[tuple[Expr, Expr]]:
    """What a scan adds to the cotangents of its active inputs and starts, given those of its states."""
    varying = _varying(scan, active)
    chosen = [which for which in _used(scan, [j for j, bar in cotangents.items() if bar != ZERO]) if which in varying]
    if not chosen:
        return
    tape, lanes = _Tape(scan), scan.lanes
    inputs = [node for node in _inputs(scan) if node in active]
    wanted = [f"{scan.carries[which].name}_bar" for which in chosen] + ["input_bar"] * len(inputs)
    bars = _names([*scan.steps, *scan.starts, *scan.carries, *cotangents.values()], wanted)
    constant = [scan.axis not in node.axes for node in inputs]

    def steps(carries: tuple[Carry, ...]) -> Sequence[Expr]:
        seeds = {
            which: total([cotangents.get(which, ZERO), carry])
            for which, carry in zip(chosen, carries[: len(chosen)], strict=True)
        }
        found = _pulled(scan, seeds, {*active, *(scan.carries[which] for which in varying)})
        back = [tape.opened(total(found.get(scan.carries[which], ()))) for which in chosen]
        received = [tape.opened(total(found.get(node, ()))) for node in inputs]
        gathered = [
            total([carry, value]) if same else value
            for same, carry, value in zip(constant, carries[len(chosen) :], received, strict=True)
        ]
        return [*back, *gathered]

    backward = recurrence(scan.axis, bars, [ZERO] * len(bars), steps, lanes=lanes, reverse=not scan.reverse)
    for position, which in enumerate(chosen):
        if scan.starts[which] in active:
            yield scan.starts[which], _over(final(backward.result(position)), scan.starts[which])
    for position, (node, same) in enumerate(zip(inputs, constant, strict=True), start=len(chosen)):
        value = backward.result(position)
        yield node, _over(final(value) if same else value, node)


def tangent(scan: Scan, tangents: Mapping[Expr, Expr]) -> tuple[Scan, dict[int, int]]:
    """The scan that carries tangents beside its values; and for each value that has one, which of its results it is.

    `tangents` are those of the scan's inputs and starts, where they are not 0.
    """
    active = frozenset(tangents)
    chosen = _varying(scan, active)
    dots = [f"{scan.carries[which].name}_dot" for which in chosen]
    names = [carry.name for carry in scan.carries]
    names += _names([*scan.steps, *scan.starts, *scan.carries, *tangents.values()], dots)
    count = len(scan.carries)
    starts = [*scan.starts, *(tangents.get(scan.starts[which], ZERO) for which in chosen)]

    def steps(carries: tuple[Carry, ...]) -> Sequence[Expr]:
        values: dict[Expr, Expr] = dict(zip(scan.carries, carries[:count], strict=True))
        known: dict[Expr, Expr] = {scan.carries[which]: dot for which, dot in zip(chosen, carries[count:], strict=True)}
        pushed = _pushed(scan, {**tangents, **known})
        return [
            replace_carried(step, values) for step in (*scan.steps, *(pushed.get(scan.steps[w], ZERO) for w in chosen))
        ]

    joint = recurrence(scan.axis, names, starts, steps, lanes=scan.lanes, reverse=scan.reverse)
    return joint, {which: count + position for position, which in enumerate(chosen)}


def final(value: Scan) -> Expr:
    """A carried value after the last of its steps; 0 where there are none."""
    index = Affine((), 0) if value.reverse else Affine(((value.axis.extent, 1),), -1)
    return Reindex(value, (value.axis,), (index,), 0.0)


def _over(value: Expr, node: Expr) -> Expr:
    return sum_over(value, [axis for axis in value.axes if axis not in node.axes])


def _varying(scan: Scan, active: Collection[Expr]) -> list[int]:
    """The carried values that depend on something active."""
    varying: set[int] = {which for which, start in enumerate(scan.starts) if start in active}
    within = _within(scan)
    nodes = subexpressions(scan.steps, within)
    while True:
        seeds = {*active, *(scan.carries[which] for which in varying)}
        reached: set[Expr] = set()
        for node in nodes:
            if node in seeds or not reached.isdisjoint(within(node)):
                reached.add(node)
        found = varying | {which for which, step in enumerate(scan.steps) if step in reached}
        if found == varying:
            return sorted(varying)
        varying = found


def _used(scan: Scan, wanted: Sequence[int]) -> list[int]:
    """The carried values that those `wanted` depend on, themselves included."""
    used, within = set(wanted), _within(scan)
    while True:
        reached = subexpressions([scan.steps[which] for which in sorted(used)], within)
        found = used | {which for which, carry in enumerate(scan.carries) if carry in reached}
        if found == used:
            return sorted(used)
        used = found


def _within(scan: Scan) -> Callable[[Expr], tuple[Expr, ...]]:
    """The sources of a node of the steps, as far as they depend on what is carried."""
    carried = frozenset(step_nodes(scan))
    return lambda node: sources(node) if node in carried else ()


def _pulled(scan: Scan, seeds: Mapping[int, Expr], active: Collection[Expr]) -> dict[Expr, list[Expr]]:
    """Reverse mode through one step: what each carried value and each input receives, at every lane."""
    within = _within(scan)
    nodes = subexpressions([scan.steps[which] for which in seeds], within)
    reached: set[Expr] = set()
    for node in nodes:
        if node in active or not reached.isdisjoint(within(node)):
            reached.add(node)
    received: dict[Expr, list[Expr]] = {node: [] for node in reached}
    for which, seed in seeds.items():
        if scan.steps[which] in received:
            received[scan.steps[which]].append(seed)
    for node in reversed(nodes):
        if node in reached and within(node):
            cotangent = total(received[node])
            for operand, partial in local_derivatives(node, reached):
                received[operand].append(product([cotangent, *partial]))
    return received


def _pushed(scan: Scan, tangents: Mapping[Expr, Expr]) -> dict[Expr, Expr]:
    """Forward mode through one step: the tangent of each of its nodes that has one."""
    within, known = _within(scan), dict(tangents)
    for node in subexpressions(scan.steps, within):
        if node not in known and within(node):
            parts = [product([known[operand], *partial]) for operand, partial in local_derivatives(node, known)]
            if parts:
                known[node] = total(parts)
    return known


def _names(roots: Sequence[Expr], wanted: Sequence[str]) -> list[str]:
    """Names like those `wanted` for carried values of a scan that contains `roots`, whose scans have others."""
    taken = {node.name for node in subexpressions(roots) if isinstance(node, Carry)}
    names: list[str] = []
    for name in wanted:
        names.append(fresh_name(name, {*taken, *names}))
    return names
