"""Register tiles for Numba: `Tile(dtype, rows, vectors, lanes)` is a block of `rows x vectors` vectors.

It is held as an LLVM array, which LLVM splits into its vectors (SROA), so a tile that fits the register file never
touches memory. `tile_operations` binds the sizes and returns the intrinsics as a named tuple.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from autotune.codegen import llvm
from autotune.codegen.llvm import INT64
from autotune.codegen.simd import CACHE_LINE, ask_for


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
    shape = _Shape(rows, vectors, lanes)
    return TileOperations(
        zeros=_zeros(shape),
        update=_update(shape),
        update_first=_update_first(shape),
        store=_store(shape, add=False),
        add=_store(shape, add=True),
        store_first=_store_first(shape, add=False),
        add_first=_store_first(shape, add=True),
        touch=_touch(shape),
    )


@dataclass(frozen=True)
class _Shape:
    """The sizes of a tile, and what all its operations are built of, in LLVM IR."""

    rows: int
    vectors: int
    lanes: int

    def of(self, dtype: types.Type) -> Tile:
        """The tile of this shape."""
        return Tile(dtype, self.rows, self.vectors, self.lanes)

    def cells(self) -> Iterator[tuple[int, int, int]]:
        """The place of each vector in the tile, its row, and which vector of the row it is."""
        return (
            (row * self.vectors + vector, row, vector) for row in range(self.rows) for vector in range(self.vectors)
        )

    def offset(self, builder: Any, row: int, vector: int, row_step: Any) -> Any:
        """Where a vector lies in an array whose rows are `row_step` apart."""
        return builder.add(builder.mul(INT64(row), row_step), INT64(vector * self.lanes))

    def row_offsets(self, builder: Any, step: Any, count: Any) -> list[Any]:
        """Where each row begins, the last of `count` rows for those beyond."""
        # Where the count is the tile's own, a constant, LLVM folds all of this.
        last = builder.sub(count, INT64(1))
        inside = [builder.icmp_signed("<", INT64(row), count) for row in range(self.rows)]
        return [builder.mul(builder.select(inside[row], INT64(row), last), step) for row in range(self.rows)]

    def masks(self, builder: Any, columns: Any) -> list[Any]:
        """For each vector of a row, its lanes that are among the first `columns`."""
        found = []
        for vector in range(self.vectors):
            left = builder.sub(columns, INT64(vector * self.lanes)) if vector else columns
            found.append(llvm.lanes_below(builder, left, self.lanes))
        return found

    def rank_one(self, builder: Any, tile: Any, left: Any, offsets: list[Any], right: list[Any]) -> Any:
        """The tile plus the outer product of the elements of `left` at `offsets` and a row of vectors."""
        # Each broadcast stands right before its multiply-adds: one register serves all rows. With all broadcasts first,
        # LLVM spilled 14 x 2 tiles of 16 lanes on Zen 4.
        for row in range(self.rows):
            broadcast = llvm.splat(builder, builder.load(builder.gep(left, [offsets[row]])), self.lanes)
            for vector in range(self.vectors):
                index = row * self.vectors + vector
                total = builder.extract_value(tile, index)
                tile = builder.insert_value(tile, llvm.fma(builder, broadcast, right[vector], total), index)
        return tile


def _zeros(shape: _Shape) -> Any:
    @intrinsic
    def zeros(_context: Any, like: types.CPointer) -> Any:
        kind = shape.of(like.dtype)

        def emit(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
            zero = llvm.constant(ir.VectorType(context.get_value_type(like.dtype), shape.lanes), 0.0)
            return ir.Constant(context.get_value_type(kind), [zero] * (shape.rows * shape.vectors))

        return kind(like), emit

    return zeros


def _update(shape: _Shape) -> Any:
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
            starts = [INT64(vector * shape.lanes) for vector in range(shape.vectors)]
            columns = [llvm.load(builder, right, at, shape.lanes) for at in starts]
            return shape.rank_one(builder, tile, left, shape.row_offsets(builder, left_step, count), columns)

        return tile(tile, left, types.intp, types.intp, right), emit

    return update


def _update_first(shape: _Shape) -> Any:
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
                llvm.load_masked(builder, right, INT64(vector * shape.lanes), mask)
                for vector, mask in enumerate(shape.masks(builder, width))
            ]
            return shape.rank_one(builder, tile, left, shape.row_offsets(builder, left_step, count), columns)

        return tile(tile, left, types.intp, types.intp, right, types.intp), emit

    return update_first


def _store(shape: _Shape, *, add: bool) -> Any:
    @intrinsic
    def store(_context: Any, tile: Tile, out: types.CPointer, row_step: types.Integer) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            tile, out, row_step = arguments
            for index, row, vector in shape.cells():
                at, value = shape.offset(builder, row, vector, row_step), builder.extract_value(tile, index)
                if add:
                    value = builder.fadd(llvm.load(builder, out, at, shape.lanes), value)
                llvm.store(builder, value, out, at)
            return context.get_dummy_value()

        return types.void(tile, out, types.intp), emit

    return store


def _store_first(shape: _Shape, *, add: bool) -> Any:
    @intrinsic
    def store_first(
        _context: Any,
        tile: Tile,
        out: types.CPointer,
        row_step: types.Integer,
        count: types.Integer,
        columns: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            tile, out, row_step, count, columns = arguments
            # Through memory, so that rows and whole vectors are loops at run time.
            memory = cgutils.alloca_once(builder, tile.type)
            builder.store(tile, memory)
            cells, row = builder.bitcast(memory, out.type), _Row.of(builder, columns, shape.lanes)
            with cgutils.for_range(builder, count) as loop:
                source = builder.gep(cells, [builder.mul(loop.index, INT64(shape.vectors * shape.lanes))])
                target = builder.gep(out, [builder.mul(loop.index, row_step)])
                row.copy(builder, source, target, add=add)
            return context.get_dummy_value()

        return types.void(tile, out, types.intp, types.intp, types.intp), emit

    return store_first


class _Row(NamedTuple):
    """The first elements of a row: how many are in whole vectors, and whether and where there are more in the next.

    AVX2 stores under a mask at a tenth of the speed of whole vectors, so only what is left of a row goes that way.
    """

    lanes: int
    even: Any
    more: Any
    mask: Any

    @classmethod
    def of(cls, builder: Any, columns: Any, lanes: int) -> Self:
        """The first `columns` elements."""
        rest = builder.srem(columns, INT64(lanes))
        even = builder.sub(columns, rest)
        return cls(lanes, even, builder.icmp_signed(">", rest, INT64(0)), llvm.lanes_below(builder, rest, lanes))

    def copy(self, builder: Any, source: Any, target: Any, *, add: bool) -> None:
        """Write these elements of one row to another, or add them to it."""
        with cgutils.for_range_slice(builder, INT64(0), self.even, INT64(self.lanes), INT64) as (at, _):
            value = llvm.load(builder, source, at, self.lanes)
            if add:
                value = builder.fadd(llvm.load(builder, target, at, self.lanes), value)
            llvm.store(builder, value, target, at)
        with builder.if_then(self.more):
            value = llvm.load(builder, source, self.even, self.lanes)
            if add:
                value = builder.fadd(llvm.load_masked(builder, target, self.even, self.mask), value)
            llvm.store_masked(builder, value, target, self.even, self.mask)


def _touch(shape: _Shape) -> Any:
    @intrinsic
    def touch(_context: Any, out: types.CPointer, row_step: types.Integer) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            out, row_step = arguments
            line = max(1, CACHE_LINE // (shape.lanes * llvm.element_bytes(out.type.pointee)))
            for row in range(shape.rows):
                for vector in range(0, shape.vectors, line):
                    ask_for(builder, builder.gep(out, [shape.offset(builder, row, vector, row_step)]))
            return context.get_dummy_value()

        return types.void(out, types.intp), emit

    return touch
