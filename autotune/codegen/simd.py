"""SIMD for Numba: pointers, which generated modules take of their arrays.

Numba types of this layer carry LLVM values that live in registers: a `Vector(dtype, lanes)` or `Mask(lanes)` is one
LLVM vector (`vectors`, `vector_memory`, `vector_math`), a `Tile(dtype, rows, vectors, lanes)` a block of them
(`tiles`). Pointers are Numba `CPointer`s and offsets count elements, so any stride works. A pointer does not keep its
array alive: Numba frees an array after its last visible use, so whoever takes a `pointer` calls `keep` on the array
after the pointer's last use.

Why pointers: an array argument travels as seven fields, which costs a micro-kernel 10 to 20 % (measured on Zen 5).
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from autotune.codegen.llvm import INT32

CACHE_LINE = 64  # bytes, on x86-64 and on most Arm cores; elsewhere some prefetches are for nothing


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
        ask_for(builder, builder.gep(arguments[0], [arguments[1]]))
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


def ask_for(builder: Any, address: Any) -> None:
    """Emit a prefetch of the cache line at an address."""
    kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, INT32, INT32, INT32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    read, all_levels, data = INT32(0), INT32(3), INT32(1)  # as the LLVM reference numbers them
    builder.call(function, [builder.bitcast(address, cgutils.voidptr_t), read, all_levels, data])
