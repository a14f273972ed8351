"""SIMD for Numba: pointers and register tiles; with what generated modules use of vectors.

Numba types carry LLVM values that live in registers:

* `Vector(dtype, lanes)` and `Mask(lanes)`: one LLVM vector, see `vectors`, `vector_memory` and `vector_math`;
* `Tile(dtype, rows, vectors, lanes)`: a block of `rows x vectors` vectors, held as an LLVM array. LLVM splits the array
  into its vectors (SROA), so a tile that fits the register file never touches memory.

`vector_operations` and `tile_operations` bind the compile-time sizes and return the intrinsics as named tuples;
generated modules call their members by plain names. Pointers are Numba `CPointer`s and offsets count elements, so any
stride works. A pointer does not keep its array alive: Numba frees an array after its last visible use, so whoever takes
a `pointer` calls `keep` on the array after the pointer's last use.

Why pointers: an array argument travels as seven fields, which costs a micro-kernel 10 to 20 % (measured on Zen 5).
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from autotune.codegen import llvm
from autotune.codegen.llvm import INT32, INT64
from autotune.codegen.vector_memory import (
    StridedOperations,
    VectorOperations,
    fence,
    strided_operations,
    vector_operations,
)
from autotune.codegen.vectors import Mask, Vector

__all__ = [
    "CACHE_LINE",
    "Mask",
    "StridedOperations",
    "Tile",
    "TileOperations",
    "Vector",
    "VectorOperations",
    "fence",
    "get",
    "keep",
    "local_memory",
    "pointer",
    "prefetch",
    "put",
    "shift",
    "strided_operations",
    "tile_operations",
    "vector_operations",
]

CACHE_LINE = 64  # bytes, on x86-64 and on most Arm cores; elsewhere some prefetches are for nothing


class Tile(types.Type):
    """A register tile: `rows` times `vectors` vectors of `lanes` elements of `dtype`."""

    def __init__(self, dtype: types.Type, rows: int, vectors: int, lanes: int) -> None:
        self.dtype, self.rows, self.vectors, self.lanes = dtype, rows, vectors, lanes
        super().__init__(name=f"Tile({dtype}, {rows}, {vectors}, {lanes})")


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Tile) -> None:
        vector = ir.VectorType(manager.lookup(kind.dtype).get_value_type(), kind.lanes)
        super().__init__(manager, kind, ir.ArrayType(vector, kind.rows * kind.vectors))


# Pointers


@intrinsic
def pointer(_context: Any, array: types.Array) -> Any:
    """Pointer to the first element of an array."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), emit


@intrinsic
def keep(_context: Any, array: types.Array) -> Any:
    """Keep an array alive up to this point."""

    def emit(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return context.get_dummy_value()

    return types.void(array), emit


@intrinsic
def shift(_context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    """The pointer `offset` elements further on."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return base(base, types.intp), emit


@intrinsic
def get(_context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    """The element at `offset`."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.gep(arguments[0], [arguments[1]]))

    return base.dtype(base, types.intp), emit


@intrinsic
def put(_context: Any, base: types.CPointer, offset: types.Integer, value: types.Float) -> Any:
    """Write the element at `offset`."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], builder.gep(arguments[0], [arguments[1]]))
        return context.get_dummy_value()

    return types.void(base, types.intp, base.dtype), emit


@intrinsic
def prefetch(_context: Any, base: types.CPointer, offset: types.Integer) -> Any:
    """Ask for the cache line at `offset` to be brought into L1; any address is allowed."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        _prefetch(builder, builder.gep(arguments[0], [arguments[1]]))
        return context.get_dummy_value()

    return types.void(base, types.intp), emit


def local_memory(count: int) -> Any:
    """Intrinsic `memory(like)`: room on the stack for `count` elements of what `like` points to, on a cache line."""

    @intrinsic
    def memory(_context: Any, like: types.CPointer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            element = arguments[0].type.pointee
            room = cgutils.alloca_once(builder, ir.ArrayType(element, count))
            room.align = CACHE_LINE
            return builder.bitcast(room, arguments[0].type)

        return like(like), emit

    return memory


# Building blocks in LLVM IR


def _prefetch(builder: Any, address: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, INT32, INT32, INT32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    read, all_levels, data = INT32(0), INT32(3), INT32(1)  # as the LLVM reference numbers them
    builder.call(function, [builder.bitcast(address, cgutils.voidptr_t), read, all_levels, data])


def _remaining(builder: Any, count: Any, done: int) -> Any:
    return builder.sub(count, INT64(done)) if done else count


def _scaled(builder: Any, factor: int, step: Any) -> Any:
    return builder.mul(INT64(factor), step)


class TileOperations(NamedTuple):
    """Intrinsics on a `Tile` of one shape; steps and counts are in elements."""

    zeros: Any
    """zeros(like) -> tile of zeros, of the element type `like` points to"""
    update: Any
    """update(tile, left, left_step, rows, right) -> tile + left ⊗ right: row i gains left[i * left_step] times the
    vectors at right. Only `rows` rows are read; those beyond repeat the last one"""
    update_first: Any
    """update_first(tile, left, left_step, rows, right, columns): the same where only `columns` columns may be read;
    those beyond are zero"""
    store: Any
    """store(tile, out, row_step)"""
    add: Any
    """add(tile, out, row_step): out += tile"""
    store_first: Any
    """store_first(tile, out, row_step, rows, columns): only the first `rows` rows and `columns` columns are touched"""
    add_first: Any
    """add_first(tile, out, row_step, rows, columns)"""
    touch: Any
    """touch(out, row_step): prefetch the tile's rows"""


def tile_operations(rows: int, vectors: int, lanes: int) -> TileOperations:
    """Intrinsics on tiles of `rows` times `vectors` vectors of `lanes` elements."""

    def cells() -> list[tuple[int, int, int]]:
        return [(row * vectors + vector, row, vector) for row in range(rows) for vector in range(vectors)]

    def offset(builder: Any, row: int, vector: int, row_step: Any) -> Any:
        return builder.add(_scaled(builder, row, row_step), INT64(vector * lanes))

    def rank_one(builder: Any, tile: Any, left: Any, offsets: list[Any], right: list[Any]) -> Any:
        # Each broadcast stands right before its multiply-adds: one register serves all rows. With all broadcasts first,
        # LLVM spilled 14 x 2 tiles of 16 lanes on Zen 4.
        for row in range(rows):
            broadcast = llvm.splat(builder, builder.load(builder.gep(left, [offsets[row]])), lanes)
            for vector in range(vectors):
                index = row * vectors + vector
                total = builder.extract_value(tile, index)
                tile = builder.insert_value(tile, llvm.fma(builder, broadcast, right[vector], total), index)
        return tile

    def masks(builder: Any, columns: Any) -> list[Any]:
        return [
            llvm.lanes_below(builder, _remaining(builder, columns, vector * lanes), lanes) for vector in range(vectors)
        ]

    @intrinsic
    def zeros(_context: Any, like: types.CPointer) -> Any:
        kind = Tile(like.dtype, rows, vectors, lanes)

        def emit(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
            element = context.get_value_type(like.dtype)
            return ir.Constant(
                context.get_value_type(kind), [llvm.constant(ir.VectorType(element, lanes), 0.0)] * (rows * vectors)
            )

        return kind(like), emit

    def row_offsets(builder: Any, step: Any, count: Any) -> list[Any]:
        # Where the count is the tile's own, a constant, LLVM folds all of this.
        last = builder.sub(count, INT64(1))
        inside = [builder.icmp_signed("<", INT64(row), count) for row in range(rows)]
        return [builder.mul(builder.select(inside[row], INT64(row), last), step) for row in range(rows)]

    @intrinsic
    def update(
        _context: Any,
        tile: Tile,
        left: types.CPointer,
        left_step: types.Integer,
        count: types.Integer,
        right: types.CPointer,
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            tile, left, left_step, count, right = arguments
            columns = [llvm.load(builder, right, INT64(vector * lanes), lanes) for vector in range(vectors)]
            return rank_one(builder, tile, left, row_offsets(builder, left_step, count), columns)

        return tile(tile, left, types.intp, types.intp, right), emit

    @intrinsic
    def update_first(
        _context: Any,
        tile: Tile,
        left: types.CPointer,
        left_step: types.Integer,
        count: types.Integer,
        right: types.CPointer,
        columns: types.Integer,
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            tile, left, left_step, count, right, width = arguments
            columns = [
                llvm.load_masked(builder, right, INT64(vector * lanes), mask)
                for vector, mask in enumerate(masks(builder, width))
            ]
            return rank_one(builder, tile, left, row_offsets(builder, left_step, count), columns)

        return tile(tile, left, types.intp, types.intp, right, types.intp), emit

    def whole(accumulate: bool) -> Any:
        @intrinsic
        def write(_context: Any, tile: Tile, out: types.CPointer, row_step: types.Integer) -> Any:
            def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
                tile, out, row_step = arguments
                for index, row, vector in cells():
                    at, value = offset(builder, row, vector, row_step), builder.extract_value(tile, index)
                    if accumulate:
                        value = builder.fadd(llvm.load(builder, out, at, lanes), value)
                    llvm.store(builder, value, out, at)
                return context.get_dummy_value()

            return types.void(tile, out, types.intp), emit

        return write

    def partial(accumulate: bool) -> Any:
        @intrinsic
        def write(
            _context: Any,
            tile: Tile,
            out: types.CPointer,
            row_step: types.Integer,
            count: types.Integer,
            columns: types.Integer,
        ) -> Any:
            def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
                tile, out, row_step, count, width = arguments
                # Through memory, so that rows and whole vectors are loops at run time. AVX2 stores under a mask at a
                # tenth of the speed of whole vectors, so only what is left of a row goes that way.
                memory = cgutils.alloca_once(builder, tile.type)
                builder.store(tile, memory)
                cells = builder.bitcast(memory, out.type)
                rest = builder.srem(width, INT64(lanes))
                even = builder.sub(width, rest)
                mask = llvm.lanes_below(builder, rest, lanes)
                some = builder.icmp_signed(">", rest, INT64(0))
                with cgutils.for_range(builder, count) as loop:
                    source = builder.gep(cells, [builder.mul(loop.index, INT64(vectors * lanes))])
                    target = builder.gep(out, [builder.mul(loop.index, row_step)])
                    with cgutils.for_range_slice(builder, INT64(0), even, INT64(lanes), INT64) as (at, _):
                        value = llvm.load(builder, source, at, lanes)
                        if accumulate:
                            value = builder.fadd(llvm.load(builder, target, at, lanes), value)
                        llvm.store(builder, value, target, at)
                    with builder.if_then(some):
                        value = llvm.load(builder, source, even, lanes)
                        if accumulate:
                            value = builder.fadd(llvm.load_masked(builder, target, even, mask), value)
                        llvm.store_masked(builder, value, target, even, mask)
                return context.get_dummy_value()

            return types.void(tile, out, types.intp, types.intp, types.intp), emit

        return write

    @intrinsic
    def touch(_context: Any, out: types.CPointer, row_step: types.Integer) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            out, row_step = arguments
            line = max(1, CACHE_LINE // (lanes * llvm.element_bytes(out.type.pointee)))
            for row in range(rows):
                for vector in range(0, vectors, line):
                    _prefetch(builder, builder.gep(out, [offset(builder, row, vector, row_step)]))
            return context.get_dummy_value()

        return types.void(out, types.intp), emit

    return TileOperations(zeros, update, update_first, whole(False), whole(True), partial(False), partial(True), touch)
