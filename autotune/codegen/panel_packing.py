"""Packing: a block of an operand copied into the panels that a micro-kernel reads in order.

A panel holds `width` rows or columns of the operand, all of one depth side by side. Blocks of matrices whose rows are a
power of two apart in memory are the rule, and all their rows fall into the same few sets of a cache. So what is read of
a line of the cache is read at once: several panels side by side are filled together, and squares are transposed line by
line. On Zen 3, a block of 256 x 1024 in float32 with rows of 4 KiB is packed in half of the time that a panel after the
other takes.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from autotune.codegen import llvm
from autotune.codegen.llvm import INT64
from autotune.codegen.simd import CACHE_LINE
from autotune.codegen.transposition import transposed

# Panels that are filled together: four lines of the cache of a row, and no more streams of stores than 8.
TOGETHER = 4 * CACHE_LINE
MOST_TOGETHER = 8


def panel_packing(width: int, lanes: int) -> Any:
    """Intrinsic `pack(source, step, depth_step, panels, count, depth)` that copies a block.

    `panels[p * depth * width + d * width + w] = source[(p * width + w) * step + d * depth_step]` for `d < depth`,
    `p * width + w < count`; lanes from `count` up to whole panels become zero, so that a micro-kernel may always read
    whole panels. Three ways, chosen by the strides at run time: vector copies where `step` is 1, square transposes in
    registers where `depth_step` is 1, single elements otherwise. Stores whole vectors, so up to `lanes` elements after
    the last panel are overwritten: the buffer has that much slack.
    """

    @intrinsic
    def pack(
        _context: Any,
        source: types.CPointer,
        step: types.Integer,
        depth_step: types.Integer,
        panels: types.CPointer,
        count: types.Integer,
        depth: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            name = f"autotune_pack_{width}_{lanes}_{8 * llvm.element_bytes(arguments[0].type.pointee)}"
            llvm.outlined_call(
                builder, name, ir.VoidType(), arguments, lambda function: _define_packing(function, width, lanes)
            )
            return context.get_dummy_value()

        return types.void(source, types.intp, types.intp, panels, types.intp, types.intp), emit

    return pack


def _define_packing(function: Any, width: int, lanes: int) -> None:
    builder = ir.IRBuilder(function.append_basic_block())
    source, step, depth_step, panels, count, depth = function.args
    one = INT64(1)
    with builder.if_else(builder.icmp_signed("==", step, one)) as (unit, strided):
        with unit:
            _copy_panels(builder, source, depth_step, panels, count, depth, width, lanes)
        with strided, cgutils.for_range_slice(builder, INT64(0), count, INT64(width), INT64) as (first, _):
            panel = builder.gep(panels, [builder.mul(first, depth)])
            start = builder.gep(source, [builder.mul(first, step)])
            rest = llvm.smaller(builder, builder.sub(count, first), INT64(width))
            with builder.if_else(builder.icmp_signed("==", depth_step, one)) as (transposing, scattered):
                with transposing:
                    _transpose(builder, start, step, panel, rest, depth, width, lanes)
                with scattered:
                    _copy_elements(builder, start, step, depth_step, panel, rest, depth, width)
    builder.ret_void()


def _copy_panels(
    builder: Any, source: Any, depth_step: Any, panels: Any, count: Any, depth: Any, width: int, lanes: int
) -> None:
    """Copies of neighbours, a group of whole panels at a time; then what is left of a panel."""
    bytes_wide = width * llvm.element_bytes(source.type.pointee)
    group = min(MOST_TOGETHER, max(1, TOGETHER // bytes_wide)) * width
    whole = builder.mul(builder.sdiv(count, INT64(width)), INT64(width))
    # What a vector writes beyond its panel's row, later depths of the panel overwrite: the last of them must not.
    spilt = -width % lanes
    freely = llvm.larger(builder, builder.sub(depth, INT64(-(-spilt // width))), INT64(0))
    with cgutils.for_range_slice(builder, INT64(0), whole, INT64(group), INT64) as (first, _):
        span = first, llvm.smaller(builder, builder.add(first, INT64(group)), whole)
        for begin, end, spill in ((INT64(0), freely, True), (freely, depth, False))[: 2 if spilt else 1]:
            with cgutils.for_range_slice(builder, begin, end, INT64(1), INT64) as (at, _):
                _copy_row(builder, source, depth_step, panels, span, depth, at, width, lanes, spill=spill)
    rest = builder.sub(count, whole)
    with builder.if_then(builder.icmp_signed(">", rest, INT64(0))), cgutils.for_range(builder, depth) as loop:
        row = builder.gep(source, [builder.add(whole, builder.mul(loop.index, depth_step))])
        target = builder.gep(panels, [builder.add(builder.mul(whole, depth), builder.mul(loop.index, INT64(width)))])
        for start in range(0, width, lanes):
            mask = llvm.lanes_below(builder, builder.sub(rest, INT64(start)), lanes)
            llvm.store(builder, llvm.load_masked(builder, row, INT64(start), mask), target, INT64(start))


def _copy_row(
    builder: Any,
    source: Any,
    depth_step: Any,
    panels: Any,
    span: tuple[Any, Any],
    depth: Any,
    at: Any,
    width: int,
    lanes: int,
    *,
    spill: bool,
) -> None:
    """One depth of the panels of a span; vectors may spill over the end of a panel, or not."""
    row = builder.gep(source, [builder.mul(at, depth_step)])
    target = builder.gep(panels, [builder.mul(at, INT64(width))])
    with cgutils.for_range_slice(builder, span[0], span[1], INT64(width), INT64) as (panel, _):
        to = builder.gep(target, [builder.mul(panel, depth)])
        for start in range(0, width, lanes):
            place = builder.add(panel, INT64(start))
            if start + lanes <= width:
                llvm.store(builder, llvm.load(builder, row, place, lanes), to, INT64(start))
                continue
            mask = llvm.lanes_below(builder, INT64(width - start), lanes)
            value = llvm.load_masked(builder, row, place, mask)
            if spill:
                llvm.store(builder, value, to, INT64(start))
            else:
                llvm.store_masked(builder, value, to, INT64(start), mask)


def _transpose(
    builder: Any, source: Any, step: Any, panel: Any, count: Any, depth: Any, width: int, lanes: int
) -> None:
    """Squares of `lanes` rows by `lanes` depths, transposed in registers; of each row a line of the cache at a time.

    Squares of rows go from last to first, because the last may overhang into the lanes that the first of the next depth
    fills afterwards.
    """
    starts = range((width - 1) // lanes * lanes, -1, -lanes)
    line = max(lanes, CACHE_LINE // llvm.element_bytes(source.type.pointee))

    def whole_multiple(size: int) -> Any:
        return builder.mul(builder.sdiv(depth, INT64(size)), INT64(size))

    def squares(first: Any, last: Any, size: int) -> None:
        with cgutils.for_range_slice(builder, first, last, INT64(size), INT64) as (at, _):
            for start in starts:
                for part in range(0, size, lanes):
                    here = builder.add(at, INT64(part))
                    rows = _rows(builder, source, step, count, start, here, width, lanes, None)
                    for column, value in enumerate(transposed(builder, rows)):
                        llvm.store(builder, value, panel, _packed_offset(builder, here, column, width, start))

    lines = whole_multiple(line)
    squares(INT64(0), lines, line)
    whole = lines
    if line > lanes:
        whole = whole_multiple(lanes)
        squares(lines, whole, lanes)
    rest = builder.sub(depth, whole)
    with builder.if_then(builder.icmp_signed(">", rest, INT64(0))):
        mask = llvm.lanes_below(builder, rest, lanes)
        for start in starts:
            rows = _rows(builder, source, step, count, start, whole, width, lanes, mask)
            for column, value in enumerate(transposed(builder, rows)):
                with builder.if_then(builder.icmp_signed("<", INT64(column), rest)):
                    llvm.store(builder, value, panel, _packed_offset(builder, whole, column, width, start))


def _packed_offset(builder: Any, at: Any, column: int, width: int, start: int) -> Any:
    return builder.add(builder.mul(at, INT64(width)), INT64(column * width + start))


def _rows(
    builder: Any, source: Any, step: Any, count: Any, start: int, at: Any, width: int, lanes: int, mask: Any
) -> list[Any]:
    """`lanes` vectors along the depth from row `start` on.

    Rows from `count` on read the first row again and are zeroed.
    """
    element = source.type.pointee
    rows = []
    for row in range(start, start + lanes):
        if row >= width:
            rows.append(llvm.constant(ir.VectorType(element, lanes), 0.0))
            continue
        inside = builder.icmp_signed("<", INT64(row), count)
        offset = builder.add(at, builder.select(inside, builder.mul(INT64(row), step), INT64(0)))
        loaded = (
            llvm.load(builder, source, offset, lanes)
            if mask is None
            else llvm.load_masked(builder, source, offset, mask)
        )
        rows.append(builder.select(inside, loaded, llvm.constant(ir.VectorType(element, lanes), 0.0)))
    return rows


def _copy_elements(
    builder: Any, source: Any, step: Any, depth_step: Any, panel: Any, count: Any, depth: Any, width: int
) -> None:
    element = source.type.pointee
    with cgutils.for_range(builder, depth) as outer:
        row = builder.gep(source, [builder.mul(outer.index, depth_step)])
        target = builder.gep(panel, [builder.mul(outer.index, INT64(width))])
        with cgutils.for_range(builder, count) as loop:
            value = builder.load(builder.gep(row, [builder.mul(loop.index, step)]))
            builder.store(value, builder.gep(target, [loop.index]))
        with cgutils.for_range_slice(builder, count, INT64(width), INT64(1), INT64) as (lane, _):
            builder.store(ir.Constant(element, 0.0), builder.gep(target, [lane]))
