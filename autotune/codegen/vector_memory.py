"""Vectors from memory and back: whole, masked, gathered, streamed, transposed; and from numbers alone.

`vector_operations` binds the number of lanes and returns the intrinsics as a named tuple, as `strided_operations` does
(`strided_memory`); generated modules call their members by plain names. Pointers are Numba `CPointer`s of float32,
float64 or int64; offsets, strides and counts are int64 and count elements, so any stride works. Lanes that an operation
leaves out are not touched in memory, whatever lies there.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from autotune.codegen import llvm
from autotune.codegen.gathers import gathers
from autotune.codegen.llvm import INT32, INT64
from autotune.codegen.strided_memory import consecutive_operations
from autotune.codegen.transposition import transposition
from autotune.codegen.vectors import Mask, Vector


@intrinsic
def fence(_context: Any) -> Any:
    """Make streamed stores visible before whatever is stored afterwards."""

    def emit(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        if "x86" in builder.module.triple:
            llvm.intrinsic_call(builder, "llvm.x86.sse.sfence", ir.VoidType(), [])
        else:
            builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


class VectorOperations(NamedTuple):
    """Intrinsics on `Vector`s of one length."""

    load: Any
    """load(base, offset) -> vector"""
    store: Any
    """store(base, offset, vector)"""
    load_first: Any
    """load_first(base, offset, count) -> vector whose lanes from `count` on are zero and not read"""
    store_first: Any
    """store_first(base, offset, vector, count): lanes from `count` on are not written"""
    broadcast: Any
    """broadcast(base, offset) -> vector with every lane the element at `offset`"""
    splat: Any
    """splat(value) -> vector, or mask of a truth value, with every lane `value`"""
    load_between: Any
    """load_between(base, offset, first, last, outside) -> the lanes first <= l < last, the others `outside`"""
    store_between: Any
    """store_between(base, offset, vector, first, last): only the lanes first <= l < last are written"""
    gather: Any
    """gather(base, offset, stride) -> vector whose lane l is the element at `offset + l * stride`"""
    gather_first: Any
    """gather_first(base, offset, stride, count): lanes from `count` on are zero and not read"""
    gather_between: Any
    """gather_between(base, offset, stride, first, last, outside)"""
    gather_at: Any
    """gather_at(base, offsets, mask, outside) -> vector of the elements at the offsets of lanes in `mask`"""
    scatter: Any
    """scatter(base, offset, stride, vector): lane l to `offset + l * stride`"""
    scatter_first: Any
    """scatter_first(base, offset, stride, vector, count)"""
    scatter_between: Any
    """scatter_between(base, offset, stride, vector, first, last)"""
    stream: Any
    """stream(base, offset, vector): past the caches where the address is a multiple of the vector's size, otherwise
    an ordinary store; `fence` orders it before later stores"""
    stream_first: Any
    """stream_first(base, offset, vector, count): as `stream` if all lanes are before `count`, else as `store_first`"""
    ramp: Any
    """ramp(start) -> int64 vector start, start + 1, …"""
    first_lanes: Any
    """first_lanes(count) -> mask of the lanes before `count`"""
    lanes_between: Any
    """lanes_between(first, last) -> mask"""
    one_lane: Any
    """one_lane(number) -> mask of that lane alone, of none where there is no such lane"""
    transpose: Any
    """transpose(source, source_step, target, target_step, rows, columns): the element at `c * target_step + r` of the
    target becomes that at `r * source_step + c` of the source"""


def vector_operations(lanes: int) -> VectorOperations:
    """Intrinsics on vectors of `lanes` elements."""
    consecutive, stream = consecutive_operations(lanes), _streams(lanes)
    return VectorOperations(
        **consecutive._asdict(),
        **gathers(lanes)._asdict(),
        **_constants(lanes)._asdict(),
        broadcast=_broadcast(lanes),
        stream=stream[0],
        stream_first=stream[1],
        transpose=transposition(lanes),
    )


def _broadcast(lanes: int) -> Any:
    @intrinsic
    def broadcast(_context: Any, base: types.CPointer, offset: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset = arguments
            return llvm.splat(builder, builder.load(builder.gep(base, [offset])), lanes)

        return Vector(base.dtype, lanes)(base, types.intp), emit

    return broadcast


class _Constants(NamedTuple):
    """Vectors and masks that come from numbers alone."""

    splat: Any
    ramp: Any
    first_lanes: Any
    lanes_between: Any
    one_lane: Any


def _constants(lanes: int) -> _Constants:
    @intrinsic
    def splat(_context: Any, value: types.Number) -> Any:
        dtype = types.unliteral(value)
        kind = Mask(lanes) if dtype == types.boolean else Vector(dtype, lanes)

        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return llvm.splat(builder, arguments[0], lanes)

        return kind(dtype), emit

    @intrinsic
    def ramp(_context: Any, start: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.add(llvm.splat(builder, arguments[0], lanes), llvm.lane_numbers(lanes))

        return Vector(types.int64, lanes)(types.intp), emit

    @intrinsic
    def first_lanes(_context: Any, count: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return llvm.lanes_below(builder, arguments[0], lanes)

        return Mask(lanes)(types.intp), emit

    @intrinsic
    def lanes_between(_context: Any, first: types.Integer, last: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            first, last = arguments
            return llvm.lanes_between(builder, first, last, lanes)

        return Mask(lanes)(types.intp, types.intp), emit

    @intrinsic
    def one_lane(_context: Any, number: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return llvm.one_lane(builder, arguments[0], lanes)

        return Mask(lanes)(types.intp), emit

    return _Constants(splat, ramp, first_lanes, lanes_between, one_lane)


def _streams(lanes: int) -> tuple[Any, Any]:
    def past_caches(builder: Any, value: Any, base: Any, offset: Any) -> None:
        size = lanes * llvm.element_bytes(value.type)
        at = llvm.address(builder, base, offset, lanes)
        rest = builder.and_(builder.ptrtoint(at, INT64), INT64(size - 1))
        with builder.if_else(builder.icmp_signed("==", rest, INT64(0))) as (aligned, unaligned):
            with aligned:
                past = builder.store(value, at)
                past.align = size
                past.set_metadata("nontemporal", builder.module.add_metadata([INT32(1)]))
            with unaligned:
                llvm.store(builder, value, base, offset)

    @intrinsic
    def stream(_context: Any, base: types.CPointer, offset: types.Integer, value: Vector) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value = arguments
            past_caches(builder, value, base, offset)
            return context.get_dummy_value()

        return types.void(base, types.intp, value), emit

    @intrinsic
    def stream_first(
        _context: Any, base: types.CPointer, offset: types.Integer, value: Vector, count: types.Integer
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value, count = arguments
            with builder.if_else(builder.icmp_signed(">=", count, INT64(lanes))) as (all_of_it, some):
                with all_of_it:
                    past_caches(builder, value, base, offset)
                with some:
                    llvm.store_masked(builder, value, base, offset, llvm.lanes_below(builder, count, lanes))
            return context.get_dummy_value()

        return types.void(base, types.intp, value, types.intp), emit

    return stream, stream_first
