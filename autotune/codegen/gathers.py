"""Vectors whose lanes lie in memory at any stride, or each anywhere."""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from autotune.codegen import llvm
from autotune.codegen.llvm import INT32, INT64
from autotune.codegen.vectors import Mask, Vector


class Gathers(NamedTuple):
    """Loads and stores of one element for each lane; see `vector_memory.VectorOperations`."""

    gather: Any
    gather_first: Any
    gather_between: Any
    gather_at: Any
    scatter: Any
    scatter_first: Any
    scatter_between: Any


def gathers(lanes: int) -> Gathers:
    """Intrinsics on vectors of `lanes` elements."""
    return Gathers(*_gathers(lanes), _gather_at(lanes), *_scatters(lanes))


def _gathers(lanes: int) -> tuple[Any, Any, Any]:
    @intrinsic
    def gather(_context: Any, base: types.CPointer, offset: types.Integer, stride: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            # Zen 4 takes half as long over loads and insertions as over a gather instruction.
            base, offset, stride = arguments
            at = [builder.add(offset, builder.mul(INT64(lane), stride)) for lane in range(lanes)]
            return llvm.load_one_by_one(builder, base, at)

        return Vector(base.dtype, lanes)(base, types.intp, types.intp), emit

    @intrinsic
    def gather_first(
        _context: Any, base: types.CPointer, offset: types.Integer, stride: types.Integer, count: types.Integer
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, count = arguments
            zero = llvm.constant(ir.VectorType(base.type.pointee, lanes), 0)
            mask = llvm.lanes_below(builder, count, lanes)
            return llvm.load_each(builder, base, _offsets(builder, offset, stride, lanes), mask, zero)

        return Vector(base.dtype, lanes)(base, types.intp, types.intp, types.intp), emit

    @intrinsic
    def gather_between(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        stride: types.Integer,
        first: types.Integer,
        last: types.Integer,
        outside: types.Number,
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, first, last, outside = arguments
            mask = llvm.lanes_between(builder, first, last, lanes)
            others = llvm.splat(builder, outside, lanes)
            return llvm.load_each(builder, base, _offsets(builder, offset, stride, lanes), mask, others)

        return Vector(base.dtype, lanes)(base, *[types.intp] * 4, base.dtype), emit

    return gather, gather_first, gather_between


def _gather_at(lanes: int) -> Any:
    @intrinsic
    def gather_at(_context: Any, base: types.CPointer, offsets: Vector, mask: Mask, outside: types.Number) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            # No loads one by one here: taking the offsets out of their vector costs what the gather instruction does.
            base, offsets, mask, outside = arguments
            return llvm.load_each(builder, base, offsets, mask, llvm.splat(builder, outside, lanes))

        return Vector(base.dtype, lanes)(base, offsets, mask, base.dtype), emit

    return gather_at


def _scatters(lanes: int) -> tuple[Any, Any, Any]:
    @intrinsic
    def scatter(
        _context: Any, base: types.CPointer, offset: types.Integer, stride: types.Integer, value: Vector
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, value = arguments
            for lane in range(lanes):
                at = builder.add(offset, builder.mul(INT64(lane), stride))
                builder.store(builder.extract_element(value, INT32(lane)), builder.gep(base, [at]))
            return context.get_dummy_value()

        return types.void(base, types.intp, types.intp, value), emit

    @intrinsic
    def scatter_first(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        stride: types.Integer,
        value: Vector,
        count: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, value, count = arguments
            mask = llvm.lanes_below(builder, count, lanes)
            llvm.store_each(builder, value, base, _offsets(builder, offset, stride, lanes), mask)
            return context.get_dummy_value()

        return types.void(base, types.intp, types.intp, value, types.intp), emit

    @intrinsic
    def scatter_between(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        stride: types.Integer,
        value: Vector,
        first: types.Integer,
        last: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, value, first, last = arguments
            mask = llvm.lanes_between(builder, first, last, lanes)
            llvm.store_each(builder, value, base, _offsets(builder, offset, stride, lanes), mask)
            return context.get_dummy_value()

        return types.void(base, types.intp, types.intp, value, types.intp, types.intp), emit

    return scatter, scatter_first, scatter_between


def _offsets(builder: Any, offset: Any, stride: Any, lanes: int) -> Any:
    """`offset + l * stride` for every lane."""
    steps = builder.mul(llvm.lane_numbers(lanes), llvm.splat(builder, stride, lanes))
    return builder.add(llvm.splat(builder, offset, lanes), steps)
