"""Code that gathers windows onto tensors into panels: tables of where the elements are, and calls that copy them.

A flattened place in a group of axes, the columns (p, q) say, is taken apart once for each entry of a block's table, by
counting; the copies themselves have no division in them.
"""

from autotune.codegen.names import affine, array, constant_part
from autotune.codegen.text import Lines, scaled, total
from autotune.codegen.tiling import Gathered, Side, Tiled
from autotune.codegen.window_packing import REACH
from autotune.lang import Affine, Axis
from autotune.templates.contraction_problem import fused_groups


def window_names(lines: Lines, tiled: Tiled) -> None:
    """The functions that pack the operands, under plain names."""
    for operand in tiled.gathered:
        window, label = operand.window, f"{operand.side}{tiled.label}"
        lines.add(f"pack_{label} = window_packing(REAL, {window})")
        if window.runs:
            lines.add(f"count_runs_{label} = run_lengths({window.checked}, {window.moving}, {window.step})")
        if window.runs and window.checked:
            lines.add(f"span_{label} = index_reach({window.checked})")


def window_buffers(lines: Lines, tiled: Tiled, base: str, offset: int) -> None:
    """Where tables and squares are: from `offset` on, and how far each checked dimension reaches."""
    for operand in tiled.gathered:
        for name, size, whole in operand.buffers:
            at = f"shift({base}, {offset})"
            lines.add(f"{operand.side}_{name} = {f'whole_numbers({at})' if whole else at}")
            offset += size
        for position, dimension in enumerate(operand.checked):
            extent = f"{array(operand.factor.tensor)}.shape[{dimension}]"
            lines.add(f"put({operand.side}_reach, {REACH * position}, {extent})")


def periods(lines: Lines, tiled: Tiled) -> None:
    """How many indices each axis has, before axes are run as one."""
    for axes in tiled.contraction.groups.values():
        for axis in _inside(tiled, axes):
            lines.add(f"{axis.name}_period = {axis.name}_size")


def tabulate(lines: Lines, tiled: Tiled, axis: str) -> None:
    """The tables of a block, at the head of its loop over `axis`."""
    for operand in tiled.gathered:
        if axis == tiled.depth.name:
            _table(lines, operand, "along", tiled.contraction.depth, f"{axis}_block", f"{axis}_length")
        across = tiled.axis(operand.side)
        if across and axis == across.name:
            group = tiled.contraction.rows if operand.side == "left" else tiled.contraction.columns
            _table(lines, operand, "across", group, f"{axis}_block", f"{axis}_length")


def pack_window(lines: Lines, tiled: Tiled, side: Side) -> None:
    """Copy a block of an operand into panels."""
    operand, axis, depth = Gathered(tiled, side), tiled.axis(side), f"{tiled.depth.name}_length"
    panel, square = tiled.panel(side), f"{side}_square" if operand.window.square else f"{side}_panels"
    length = f"{axis.name}_length" if axis else "1"
    with lines.block(f"for panel in range(0, {length}, {panel}):  # pack {operand.factor}"):
        across = f"shift({side}_across, panel * {operand.window.fields})"
        target = f"shift({side}_panels, panel * {depth})"
        lines.add(f"source, across, target = {tiled.names.variable(operand.factor)}_at, {across}, {target}")
        lines.add(f"count = min({panel}, {length} - panel)")
        tables = f"across, {side}_along, {side}_reach"
        lines.add(f"pack_{side}{tiled.label}(source, {tables}, target, count, {depth}, {square})")


def _inside(tiled: Tiled, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """The axes of a group that its blocked axis may stand for, outermost first."""
    outer = [pair[0] for pair in fused_groups(tiled.stage, tiled.contraction) if pair[1] == axes[-1]]
    return (*reversed(outer), axes[-1])


def _table(lines: Lines, operand: Gathered, name: str, axes: tuple[Axis, ...], first: str, entries: str) -> None:
    """Entries for the places from `first` on in a group of axes; what is the same for all goes into the table along."""
    tiled, factor = operand.tiled, operand.factor
    inside, down = _inside(tiled, axes) if axes else (), _downward(tiled) if name == "along" else ()
    for position, axis in enumerate(inside):
        below = " * ".join(f"{inner.name}_period" for inner in inside[position + 1 :])
        place = f"{first} // ({below})" if below else first
        place += f" % {axis.name}_period" if position else ""
        lines.add(f"{axis.name}_place = " + (f"{axis.name}_period - 1 - {place}" if axis in down else place))
    table = f"{operand.side}_{name}"
    with lines.block(f"for entry in range({entries}):  # where {operand.factor} is"):
        lines.add(f"at = entry * {operand.window.fields}")
        steps = [scaled(f"{axis.name}_place", tiled.names.stride(factor, axis)) for axis in inside]
        lines.add(f"put({table}, at + 1, {total(steps)})")
        for position, dimension in enumerate(operand.checked, start=2):
            index = affine(factor)[dimension]
            terms = _terms(index, {axis: f"{axis.name}_place" for axis in inside})
            # The loops around a block that is not of this group may be inside this one.
            around = axes[:-1] if name == "across" else (*tiled.contraction.batch, *axes[:-1])
            terms += _terms(index, {axis: f"{axis.name}_index" for axis in around})
            terms += [constant_part(index)] if name == "along" else []
            lines.add(f"put({table}, at + {position}, {total(terms)})")
        _count(lines, inside, down)
    label = f"{operand.side}{tiled.label}"
    if name == operand.window.runs:
        lines.add(f"count_runs_{label}({table}, {entries})")
    elif operand.window.runs and operand.checked:
        lines.add(f"span_{label}({table}, {entries}, {operand.side}_reach)")


def _terms(index: Affine, variables: dict[Axis, str]) -> list[str]:
    """What axes add to an index."""
    found = [(variable, index.coefficient(axis)) for axis, variable in variables.items() if index.coefficient(axis)]
    return [variable if number == 1 else f"{number} * {variable}" for variable, number in found]


def _downward(tiled: Tiled) -> tuple[Axis, ...]:
    """The axes of the depth that are run through from their ends: those that move back through the right operand.

    So memory is read forward, as prefetching expects: the gradient of a convolution by its input ran at 101 instead of
    89 GFLOP/s on Zen 4. Not the innermost, along which the left operand may have its runs.
    """
    (factor,) = tiled.contraction.right
    return tuple(
        axis
        for axis in _inside(tiled, tiled.contraction.depth)[:-1]
        if any(index.coefficient(axis) < 0 for index in affine(factor))
    )


def _count(lines: Lines, axes: tuple[Axis, ...], down: tuple[Axis, ...]) -> None:
    """One place on: the last axis first, the one before it where that is through."""
    if not axes:
        return
    name, outer = axes[-1].name, axes[:-1]
    lines.add(f"{name}_place {'-' if axes[-1] in down else '+'}= 1")
    if outer:
        first, end = (f"{name}_period - 1", "-1") if axes[-1] in down else ("0", f"{name}_period")
        with lines.block(f"if {name}_place == {end}:"):
            lines.add(f"{name}_place = {first}")
            _count(lines, outer, down)
