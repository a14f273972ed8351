"""Code of a blocked, packed, register-tiled stage: the loops of its nest, outermost first, around one micro-kernel."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from autotune.codegen.simd import CACHE_LINE
from autotune.codegen.text import Lines, scalar, scaled, unwrapped
from autotune.codegen.tiles import TileOperations
from autotune.codegen.tiling import Side, Tiled
from autotune.codegen.windows import (
    pack_window,
    periods,
    tabulate,
    window_buffers,
    window_names,
)
from autotune.lang import Axis, Expr, Read
from autotune.lang.traverse import shared, substitute
from autotune.schedule import Loop
from autotune.templates.contraction_problem import fused_groups, walked

LANES = {
    "read_lanes": "load_first",
    "gather_lanes": "gather_first",
    "write_lanes": "store",
    "write_first": "store_first",
}
"""Operations on vectors of an epilogue, under names that no operation on tiles has."""


def tile_names(lines: Lines, tiled: Tiled) -> None:
    """Intrinsics of the tile's shape, and the functions that pack its operands, under plain names."""
    vectors = tiled.width // tiled.lanes
    names = ", ".join(f"{operation}{tiled.label}" for operation in TileOperations._fields)
    lines.add(f"{names} = tile_operations({tiled.rows}, {vectors}, {tiled.lanes})")
    if narrow := _narrow_lanes(tiled):
        names = ", ".join(f"narrow_{operation}{tiled.label}" for operation in TileOperations._fields)
        lines.add(f"{names} = tile_operations({tiled.rows}, 1, {narrow})")
    if tiled.scratch and tiled.local:
        lines.add(f"memory = local_memory({tiled.scratch})")
    if tiled.stage.has_epilogue:
        lines.add(f"lanes{tiled.label} = vector_operations({tiled.lanes})")
        lines.add(*(f"{name}{tiled.label} = lanes{tiled.label}.{operation}" for name, operation in LANES.items()))
    if tiled.contraction.gathered:
        window_names(lines, tiled)
        return
    lines.add(f"pack_left{tiled.label} = panel_packing({tiled.rows}, {tiled.lanes})")
    lines.add(f"pack_right{tiled.label} = panel_packing({tiled.width}, {tiled.lanes})")


def unit_strides(tiled: Tiled) -> dict[str, int]:
    """Tensors whose dimension of that number must have stride 1: what vectors read as it is, and the result."""
    stage = tiled.stage
    required = {stage.name: len(stage.axes) - 1}
    for operand in tiled.gathered:
        if operand.window.runs:
            required[operand.factor.tensor] = len(operand.factor.indices) - 1
    for read in tiled.names.reads:
        if stage.has_epilogue and read.plain and read.axes[-1:] == (tiled.column,) and read not in stage.factors:
            required[read.tensor] = len(read.axes) - 1
    if tiled.contraction.right and not tiled.packed("right") and not tiled.contraction.gathered:
        (read,) = tiled.contraction.right
        required[read.tensor] = read.axes.index(tiled.column)
    return required


def write_tiled(lines: Lines, tiled: Tiled) -> None:
    """The body of a tiled stage's function."""
    names = tiled.names
    lines.add("# Extents, strides in elements, first elements.")
    names.declare(lines)
    if tiled.contraction.gathered:
        periods(lines, tiled)
    _fuse(lines, tiled)
    _buffers(lines, tiled)
    _slices(lines, tiled)
    outer = {axis.name: axis for axis in tiled.contraction.outer}
    with ExitStack() as nest:
        known: list[Axis] = []
        _starts(lines, tiled, known)
        for loop in tiled.nest.loops:
            if loop.name in outer:
                known.append(outer[loop.name])
                _outer_loop(lines, nest, tiled, known[-1])
                _starts(lines, tiled, known)
            if loop.name.endswith("_block"):
                _block_loop(lines, nest, loop, tiled)
                tabulate(lines, tiled, loop.axis)
                for pack in tiled.nest.packs:
                    if pack.within == loop.name:
                        _pack(lines, tiled, "left" if pack.tensor == "left" else "right")
            elif loop.name.endswith("_tile"):
                _tile_loop(lines, nest, loop, tiled)
        _micro_kernel(lines, tiled)
    names.keep(lines)
    if tiled.scratch and not tiled.local:
        lines.add("keep(scratch)")


def _fuse(lines: Lines, tiled: Tiled) -> None:
    """Run neighbouring axes as one where every array is dense in them."""
    names = tiled.names
    for outer, inner, between in fused_groups(tiled.stage, tiled.contraction):
        dense = [
            f"{names.stride(read, outer)} == {scaled(f'{inner.name}_size', names.stride(read, inner))}"
            for read in walked(tiled.stage, tiled.contraction)
            if outer in read.axes
        ]
        alone = [f"{axis.name}_size == 1" for axis in between]
        with ExitStack() as condition:
            if tests := [*alone, *dense]:
                condition.enter_context(lines.block(f"if {' and '.join(tests)}:  # {outer} and {inner} as one axis"))
            lines.add(f"{inner.name}_size, {outer.name}_size = {outer.name}_size * {inner.name}_size, 1")


def _buffers(lines: Lines, tiled: Tiled) -> None:
    """Where the packed panels of this task live."""
    base = f"shift(pointer(scratch), task * {tiled.scratch})" if tiled.tasks > 1 else "pointer(scratch)"
    if tiled.scratch and tiled.local:
        base = "scratch_start"
        lines.add(f"scratch_start = memory({tiled.names.variable(tiled.stage.total)}_start)")
    if tiled.buffer("right"):
        lines.add(f"right_panels = {base}")
    if tiled.buffer("left"):
        lines.add(f"left_panels = shift({base}, {tiled.buffer('right')})")
    window_buffers(lines, tiled, base, tiled.panels)
    sides: tuple[Side, Side] = ("left", "right")
    for side in sides:
        if not tiled.factors(side):
            with lines.block(f"for element in range({tiled.panel(side) * tiled.depth_block}):"):
                lines.add(f"put({side}_panels, element, REAL(1.0))")


def _slices(lines: Lines, tiled: Tiled) -> None:
    """The part of the output that this task computes: `m_first` up to `m_last` of each blocked or shared axis."""
    rest = "task"
    shared = {loop.axis for loop in tiled.parallel_loops}
    for loop in tiled.parallel_loops:
        unit = tiled.width if loop.axis == tiled.column.name else tiled.rows if _is(tiled.row, loop) else 1
        share = f"({loop.axis}_size + {loop.tasks * unit - 1}) // {loop.tasks * unit}" if loop.tasks else "0"
        lines.add(f"{loop.axis}_share = {share}{f' * {unit}' if unit > 1 else ''}  # whole tiles")
        position = rest if loop is tiled.parallel_loops[-1] else f"{rest} % {loop.tasks}"
        lines.add(f"{loop.axis}_first = min({loop.axis}_size, ({position}) * {loop.axis}_share)")
        lines.add(f"{loop.axis}_last = min({loop.axis}_size, {loop.axis}_first + {loop.axis}_share)")
        rest = f"{rest} // {loop.tasks}"
    for axis in (tiled.row, tiled.column):
        if axis and axis.name not in shared:
            lines.add(f"{axis.name}_first, {axis.name}_last = 0, {axis.name}_size")


def _is(axis: Axis | None, loop: Loop) -> bool:
    return axis is not None and axis.name == loop.axis


def _outer_loop(lines: Lines, nest: ExitStack, tiled: Tiled, axis: Axis) -> None:
    """A plain loop over an axis that is not blocked."""
    shared = axis.name in {loop.axis for loop in tiled.parallel_loops}
    bounds = f"{axis.name}_first, {axis.name}_last" if shared else f"{axis.name}_size"
    nest.enter_context(lines.block(f"for {axis.name}_index in range({bounds}):"))


def _starts(lines: Lines, tiled: Tiled, known: Sequence[Axis]) -> None:
    """The start of each array at the indices of the loops so far, where the last of them is the last to move it."""
    for read in tiled.names.reads:
        moving = [axis for axis in tiled.contraction.outer if axis in read.axes]
        if set(moving) <= set(known) and (known[-1] in moving if known else not moving):
            variable = tiled.names.variable(read)
            at = tiled.names.offset(read, {axis: f"{axis.name}_index" for axis in moving})
            lines.add(f"{variable}_at = " + (f"shift({variable}_start, {at})" if at != "0" else f"{variable}_start"))


def _block_loop(lines: Lines, nest: ExitStack, loop: Loop, tiled: Tiled) -> None:
    axis = loop.axis
    first, last = ("0", f"{axis}_size") if axis == tiled.depth.name else (f"{axis}_first", f"{axis}_last")
    nest.enter_context(lines.block(f"for {loop.name} in range({first}, {last}, {loop.step}):"))
    lines.add(f"{axis}_length = min({loop.step}, {last} - {loop.name})")


def _tile_loop(lines: Lines, nest: ExitStack, loop: Loop, tiled: Tiled) -> None:
    nest.enter_context(lines.block(f"for {loop.name} in range(0, {loop.axis}_length, {loop.step}):"))
    count = "columns" if loop.axis == tiled.column.name else "rows"
    lines.add(f"{count} = min({loop.step}, {loop.axis}_length - {loop.name})")


def _pack(lines: Lines, tiled: Tiled, side: Side) -> None:
    """Copy a block of an operand into panels."""
    if tiled.contraction.gathered:
        pack_window(lines, tiled, side)
        return
    names, factors, panel = tiled.names, tiled.factors(side), tiled.panel(side)
    axis, depth = tiled.axis(side), tiled.depth
    length = f"{axis.name}_length" if axis else "1"
    steps = [names.stride(read, axis) if axis else "0" for read in factors]
    depth_steps = [names.stride(read, depth) for read in factors]

    def sources(first: str) -> list[str]:
        at = {depth: f"{depth.name}_block"} | ({axis: first} if axis else {})
        return [f"shift({names.variable(read)}_at, {names.offset(read, at)})" for read in factors]

    block = f"{axis.name}_block" if axis else ""
    if len(factors) == 1:
        extents = f"{length}, {depth.name}_length)  # {factors[0]}"
        lines.add(
            f"pack_{side}{tiled.label}({sources(block)[0]}, {steps[0]}, {depth_steps[0]}, {side}_panels, {extents}"
        )
        return
    with lines.block(f"for panel in range(0, {length}, {panel}):  # pack {' * '.join(map(str, factors))}"):
        lines.add(f"count, target = min({panel}, {length} - panel), shift({side}_panels, panel * {depth.name}_length)")
        for number, source in enumerate(sources(f"{block} + panel")):
            lines.add(f"factor_{number} = {source}")
        with lines.block(f"for d in range({depth.name}_length):"), lines.block(f"for lane in range({panel}):"):
            product = " * ".join(
                f"get(factor_{number}, lane * {step} + d * {depth_step})"
                for number, (step, depth_step) in enumerate(zip(steps, depth_steps, strict=True))
            )
            lines.add(f"put(target, d * {panel} + lane, {product} if lane < count else REAL(0.0))")


@dataclass(frozen=True)
class _Operand:
    """How the micro-kernel walks one operand: first element, step across the tile, step along the depth."""

    start: str
    step: str
    depth_step: str


def _operand(tiled: Tiled, side: Side) -> _Operand:
    names, factors, panel = tiled.names, tiled.factors(side), tiled.panel(side)
    axis, depth = tiled.axis(side), tiled.depth
    if not factors:
        return _Operand(f"{side}_panels", "1", str(panel))
    if tiled.packed(side):
        start = f"shift({side}_panels, {axis.name}_tile * {depth.name}_length)" if axis else f"{side}_panels"
        return _Operand(start, "1", str(panel))
    (read,) = factors
    at = {depth: f"{depth.name}_block"} | ({axis: f"{axis.name}_block + {axis.name}_tile"} if axis else {})
    if side == "right":
        at_text = names.offset(read, {depth: at[depth]})
        return _Operand(
            f"shift({names.variable(read)}_at, {at_text} + {at[tiled.column]})", "1", names.stride(read, depth)
        )
    step = names.stride(read, axis) if axis else "0"
    return _Operand(f"shift({names.variable(read)}_at, {names.offset(read, at)})", step, names.stride(read, depth))


def _micro_kernel(lines: Lines, tiled: Tiled) -> None:
    """Hold a tile of the output in registers while the depth runs; then write or add it."""
    names, row, column, depth = tiled.names, tiled.row, tiled.column, tiled.depth
    out = tiled.stage.total
    left, right = _operand(tiled, "left"), _operand(tiled, "right")
    at = {column: f"{column.name}_block + {column.name}_tile"}
    if row:
        at[row] = f"{row.name}_block + {row.name}_tile"
    else:
        lines.add("rows = 1")
    out_step = names.stride(out, row) if row else "0"
    lines.add(f"target = shift({names.variable(out)}_at, {names.offset(out, at)})")
    lines.add(
        f"touch{tiled.label}(target, {out_step})",
        f"left = {left.start}",
        f"right = {right.start}",
    )
    with ExitStack() as wider:
        if narrow := _narrow_lanes(tiled):
            with lines.block(f"if columns <= {narrow}:"):
                _edge_tile(lines, tiled, left, right, out_step, "narrow_")
            wider.enter_context(lines.block("else:"))
        _whole_tile(lines, tiled, left, right, out_step)
    if tiled.stage.has_epilogue:
        outer_depth = tiled.contraction.depth[:-1]
        ends = [f"{axis.name}_index == {axis.name}_size - 1" for axis in outer_depth]
        last = " and ".join([f"{depth.name}_block + {depth.name}_length == {depth.name}_size", *ends])
        with lines.block(f"if {last}:"):
            _epilogue(lines, tiled, at, out_step)


def _narrow_lanes(tiled: Tiled) -> int:
    """Lanes of the vectors for tiles of few columns, 0 where there are none: where a row is one vector, read in place.

    65 columns are four vectors of 16 and a column, whose multiply-adds on whole vectors take a fifth of the time: 17 x
    33 x 65 in float32 takes 0.94 instead of 1.07 µs (Zen 4).
    """
    whole = _padded(tiled, "right") or tiled.width > tiled.lanes or tiled.lanes < 8
    return 0 if whole else tiled.lanes // 4


def _whole_tile(lines: Lines, tiled: Tiled, left: _Operand, right: _Operand, out_step: str) -> None:
    """Compute a tile and write or add it; where it ends inside of the array, with what is not there left out."""
    lines.add(f"tile = zeros{tiled.label}(target)")
    if _padded(tiled, "right"):
        _depth_loop(lines, tiled, left, right)
    else:
        with lines.block(f"if columns == {tiled.width}:"):
            _depth_loop(lines, tiled, left, right)
        with lines.block("else:"):
            _edge_loop(lines, tiled, left, right, "tile", "")
    _write_or_add(lines, tiled, lambda how: _write_tile(lines, tiled, how, out_step))


def _edge_tile(lines: Lines, tiled: Tiled, left: _Operand, right: _Operand, out_step: str, prefix: str) -> None:
    """Compute a tile of few columns by operations whose names have a prefix, and write or add it."""
    lines.add(f"edge = {prefix}zeros{tiled.label}(target)")
    _edge_loop(lines, tiled, left, right, "edge", prefix)
    _write_or_add(
        lines,
        tiled,
        lambda how: lines.add(f"{prefix}{how}_first{tiled.label}(edge, target, {out_step}, rows, columns)"),
    )


def _edge_loop(lines: Lines, tiled: Tiled, left: _Operand, right: _Operand, tile: str, prefix: str) -> None:
    """Rank-one updates of the columns that there are."""
    with lines.block(f"for _ in range({tiled.depth.name}_length):"):
        lines.add(
            f"{tile} = {prefix}update_first{tiled.label}({tile}, left, {left.step}, {_rows(tiled)}, right, columns)"
        )
        lines.add(f"left = shift(left, {left.depth_step})", f"right = shift(right, {right.depth_step})")


def _write_or_add(lines: Lines, tiled: Tiled, write: Callable[[str], None]) -> None:
    """Write what the first block of the depth gives, and add the others to it."""
    outer_depth = tiled.contraction.depth[:-1]
    first = " and ".join([f"{tiled.depth.name}_block == 0", *(f"{axis.name}_index == 0" for axis in outer_depth)])
    with lines.block(f"if {first}:"):
        write("store")
    with lines.block("else:"):
        write("add")


def _write_tile(lines: Lines, tiled: Tiled, how: str, out_step: str) -> None:
    with lines.block(f"if rows == {tiled.rows} and columns == {tiled.width}:"):
        lines.add(f"{how}{tiled.label}(tile, target, {out_step})")
    with lines.block("else:"):
        lines.add(f"{how}_first{tiled.label}(tile, target, {out_step}, rows, columns)")


def _padded(tiled: Tiled, side: Side) -> bool:
    """Whether an operand is read from panels, which hold zeros where it ends."""
    return tiled.packed(side) or not tiled.factors(side)


def _rows(tiled: Tiled) -> str:
    """Rows of the left operand that may be read: all of a panel's, else those that there are."""
    return str(tiled.rows) if _padded(tiled, "left") else "rows"


def _depth_loop(lines: Lines, tiled: Tiled, left: _Operand, right: _Operand) -> None:
    """`unroll` rank-one updates an iteration, then what is left of the depth one by one."""
    length, unroll = f"{tiled.depth.name}_length", tiled.unroll

    def update(times: int) -> None:
        for number in range(times):
            at_left, at_right = (
                name if number == 0 else f"shift({name}, {_times(number, operand.depth_step)})"
                for name, operand in (("left", left), ("right", right))
            )
            lines.add(f"tile = update{tiled.label}(tile, {at_left}, {left.step}, {_rows(tiled)}, {at_right})")
        lines.add(f"left = shift(left, {_times(times, left.depth_step)})")
        lines.add(f"right = shift(right, {_times(times, right.depth_step)})")

    with lines.block(f"for _ in range({length} // {unroll}):" if unroll > 1 else f"for _ in range({length}):"):
        _prefetch(lines, tiled, left, right)
        update(unroll)
    if unroll > 1:
        with lines.block(f"for _ in range({length} % {unroll}):"):
            update(1)


def _prefetch(lines: Lines, tiled: Tiled, left: _Operand, right: _Operand) -> None:
    """Ask for every cache line of the packed panels that an iteration `prefetch` ahead will read."""
    ahead = tiled.nest.prefetch
    if not ahead:
        return
    line = CACHE_LINE // tiled.nest.itemsize
    operands: tuple[tuple[Side, _Operand], ...] = (("left", left), ("right", right))
    for side, operand in operands:
        if operand.depth_step.isdigit():
            panel = tiled.panel(side)
            for start in range(0, panel * tiled.unroll, line):
                lines.add(f"prefetch({side}, {ahead * panel + start})")
        else:
            lines.add(f"prefetch({side}, {_times(ahead, operand.depth_step)})")


def _times(count: int, step: str) -> str:
    """`count` steps, as a number where the step is one."""
    return str(count * int(step)) if step.isdigit() else step if count == 1 else f"{count} * {step}"


def _epilogue(lines: Lines, tiled: Tiled, at: dict[Axis, str], out_step: str) -> None:
    """What is done to the sum, vector by vector, while the tile is still in L1."""
    names, stage = tiled.names, tiled.stage
    inside = {tiled.column: f"{at[tiled.column]} + j"}
    if tiled.row:
        inside[tiled.row] = f"{at[tiled.row]} + i"
    here = f"i * {out_step} + j" if out_step != "0" else "j"
    values = _values(stage.epilogue)

    def element(read: Read) -> str:
        if read in names_of:
            return names_of[read]
        if read == stage.total:
            return f"read_lanes{tiled.label}(target, {here}, columns - j)"
        start, offset = f"{names.variable(read)}_at", names.offset(read, inside)
        if tiled.column not in read.axes:
            return f"get({start}, {offset})"
        if read.axes[-1] == tiled.column:
            return f"read_lanes{tiled.label}({start}, {offset}, columns - j)"
        return f"gather_lanes{tiled.label}({start}, {offset}, {names.stride(read, tiled.column)}, columns - j)"

    names_of: dict[Expr, str] = {}
    with lines.block("for i in range(rows):"), lines.block(f"for j in range(0, columns, {tiled.lanes}):"):
        for number, (stand_in, value) in enumerate(values, start=1):
            text = unwrapped(scalar(value, element, wide=True))
            names_of[stand_in] = f"value_{number}"
            lines.add(f"value_{number} = {text}")
        with lines.block(f"if columns - j >= {tiled.lanes}:"):
            lines.add(f"write_lanes{tiled.label}(target, {here}, value_{len(values)})")
        with lines.block("else:"):
            lines.add(f"write_first{tiled.label}(target, {here}, value_{len(values)}, columns - j)")


def _values(epilogue: Expr) -> list[tuple[Read, Expr]]:
    """What is used several times in an epilogue, and last all of it, each over what stands for those before it."""
    found: list[tuple[Read, Expr]] = []
    known: dict[Expr, Expr] = {}
    repeated = [node for node in shared([epilogue]) if node != epilogue]
    for number, node in enumerate([*repeated, epilogue], start=1):
        stand_in = Read(f"value_{number}", node.axes)
        found.append((stand_in, substitute(node, known)))
        known[node] = stand_in
    return found
