"""Matrices transposed in registers, square by square."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from autotune.codegen import llvm
from autotune.codegen.llvm import INT64


def transposition(lanes: int) -> Any:
    """The intrinsic `transpose` of `vector_memory.VectorOperations`."""

    @intrinsic
    def transpose(
        _context: Any,
        source: types.CPointer,
        source_step: types.Integer,
        target: types.CPointer,
        target_step: types.Integer,
        rows: types.Integer,
        columns: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            name = f"autotune_transpose_{lanes}_{llvm.suffix(arguments[0].type.pointee)}"
            llvm.outlined_call(
                builder, name, ir.VoidType(), arguments, lambda function: _define_transpose(function, lanes)
            )
            return context.get_dummy_value()

        return types.void(source, types.intp, target, types.intp, types.intp, types.intp), emit

    return transpose


def _define_transpose(function: Any, lanes: int) -> None:
    """Squares of `lanes` rows and columns, transposed in registers, with masks at the edges."""
    builder = ir.IRBuilder(function.append_basic_block())
    source, source_step, target, target_step, rows, columns = function.args
    step = INT64(lanes)
    with (
        cgutils.for_range_slice(builder, INT64(0), rows, step, INT64) as (row, _),
        cgutils.for_range_slice(builder, INT64(0), columns, step, INT64) as (column, _),
    ):
        rest = builder.sub(rows, row), builder.sub(columns, column)
        fits = [builder.icmp_signed(">=", count, step) for count in rest]
        here = builder.gep(source, [builder.add(builder.mul(row, source_step), column)])
        there = builder.gep(target, [builder.add(builder.mul(column, target_step), row)])
        with builder.if_else(builder.and_(*fits)) as (whole, edge):
            with whole:
                square = [llvm.load(builder, here, at, lanes) for at in _multiples(builder, source_step, lanes)]
                for value, at in zip(transposed(builder, square), _multiples(builder, target_step, lanes), strict=True):
                    llvm.store(builder, value, there, at)
            with edge:
                _transpose_edge(builder, here, source_step, there, target_step, *rest, lanes)
    builder.ret_void()


def _multiples(builder: Any, step: Any, lanes: int) -> list[Any]:
    return [builder.mul(INT64(row), step) for row in range(lanes)]


def _transpose_edge(
    builder: Any, source: Any, source_step: Any, target: Any, target_step: Any, rows: Any, columns: Any, lanes: int
) -> None:
    """A square of which only some rows and columns exist; a row that does not is loaded under an empty mask."""
    below_rows, below_columns = (llvm.lanes_below(builder, count, lanes) for count in (rows, columns))
    nothing = llvm.constant(below_rows.type, 0)

    def mask(row: int, count: Any, lanes_there: Any) -> Any:
        return builder.select(builder.icmp_signed("<", INT64(row), count), lanes_there, nothing)

    square = [
        llvm.load_masked(builder, source, at, mask(row, rows, below_columns))
        for row, at in enumerate(_multiples(builder, source_step, lanes))
    ]
    for column, (value, at) in enumerate(
        zip(transposed(builder, square), _multiples(builder, target_step, lanes), strict=True)
    ):
        llvm.store_masked(builder, value, target, at, mask(column, columns, below_rows))


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose a square of vectors by log2(lanes) rounds of pairwise exchanges of halves, quarters, and so on."""
    lanes = len(rows)
    half = lanes // 2
    while half:
        exchanged = list(rows)
        low = [lane if not lane & half else lane - half + lanes for lane in range(lanes)]
        high = [lane + half if not lane & half else lane + lanes for lane in range(lanes)]
        for row in range(lanes):
            if not row & half:
                a, b = rows[row], rows[row + half]
                exchanged[row] = llvm.shuffled(builder, a, b, low)
                exchanged[row + half] = llvm.shuffled(builder, a, b, high)
        rows, half = exchanged, half // 2
    return rows
