"""Building blocks in LLVM IR that are the same for numbers and for vectors of them.

Values are llvmlite's. A vector has `lanes` elements; of a number `lanes` is None, and every function here that takes a
value takes either. Intrinsics are declared under their overloaded names, since llvmlite's own declarations know no
vector types.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

INT1, INT32, INT64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
MANY_LANES = 8  # from which on numbers of lanes are compared in 32 bits: in 64 they would fill two registers or more

_BYTES = {"float": 4, "double": 8, "i1": 1, "i32": 4, "i64": 8}
_SUFFIXES = {"float": "f32", "double": "f64"}


# Types


def element_of(kind: Any) -> Any:
    """The type of an element: of a vector, or the type itself."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def lanes_of(kind: Any) -> int | None:
    """The lanes of a vector type, None of a number's."""
    return int(kind.count) if isinstance(kind, ir.VectorType) else None


def shaped(element: Any, lanes: int | None) -> Any:
    """The type of `lanes` elements, or of one where that is None."""
    return ir.VectorType(element, lanes) if lanes else element


def element_bytes(kind: Any) -> int:
    """Bytes of an element."""
    return _BYTES[str(element_of(kind))]


def is_real(kind: Any) -> bool:
    """Whether the elements are floating-point numbers."""
    return str(element_of(kind)) in _SUFFIXES


def suffix(kind: Any) -> str:
    """How the names of intrinsics say a type: f32, v16f32, v8i64, …"""
    element, lanes = element_of(kind), lanes_of(kind)
    return f"{f'v{lanes}' if lanes else ''}{_SUFFIXES.get(str(element), str(element))}"


# Values


def constant(kind: Any, value: float) -> Any:
    """A constant; in every lane of a vector type."""
    if isinstance(kind, ir.VectorType):
        return ir.Constant(kind, [ir.Constant(kind.element, value)] * kind.count)
    return ir.Constant(kind, value)


def lane_numbers(lanes: int) -> Any:
    """0, 1, 2, … as int64."""
    return ir.Constant(ir.VectorType(INT64, lanes), [INT64(lane) for lane in range(lanes)])


def short_lane_numbers(lanes: int) -> Any:
    """0, 1, 2, … as int32."""
    return ir.Constant(ir.VectorType(INT32, lanes), [INT32(lane) for lane in range(lanes)])


def short(builder: Any, number: Any) -> Any:
    """An integer as int32; what does not fit is cut off."""
    return builder.trunc(number, INT32) if number.type.width > INT32.width else number


def splat(builder: Any, number: Any, lanes: int | None) -> Any:
    """A number in every lane; the number itself where `lanes` is None."""
    if lanes is None:
        return number
    if isinstance(number, ir.Constant):
        return constant(ir.VectorType(number.type, lanes), number.constant)
    empty = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    first = builder.insert_element(empty, number, INT32(0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(INT32, lanes), [0] * lanes))


def shuffled(builder: Any, a: Any, b: Any, indices: Sequence[int]) -> Any:
    """The elements of `a` and `b`, numbered one after the other, at these indices."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(indices)), list(indices)))


def intrinsic_call(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """A call of an LLVM intrinsic by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def same_type_call(builder: Any, name: str, *arguments: Any) -> Any:
    """A call of `llvm.name`, whose result and arguments are of one type."""
    kind = arguments[0].type
    return intrinsic_call(builder, f"llvm.{name}.{suffix(kind)}", kind, arguments)


def outlined_call(
    builder: Any,
    name: str,
    result: Any,
    arguments: Sequence[Any],
    define: Callable[[Any], None],
    convention: str = "",
) -> Any:
    """A call of a function of this module that is never inlined; `define` writes its body where there is none yet.

    Its calling `convention` may be one of LLVM's: by "preserve_allcc" it leaves all registers as they were.
    """
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = ir.Function(builder.module, kind, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.calling_convention = convention
        define(function)
    return builder.call(function, arguments, cconv=convention)


def fma(builder: Any, a: Any, b: Any, total: Any) -> Any:
    """`a * b + total`, rounded once."""
    return same_type_call(builder, "fma", a, b, total)


def larger(builder: Any, a: Any, b: Any) -> Any:
    """The larger of two; NaN if either is NaN. Which zero it is of two, is not said."""
    if not is_real(a.type):
        return builder.select(builder.icmp_signed("<", a, b), b, a)
    return _extreme(builder, "maximum", a, b)


def smaller(builder: Any, a: Any, b: Any) -> Any:
    """The smaller of two; NaN if either is NaN. Which zero it is of two, is not said."""
    if not is_real(a.type):
        return builder.select(builder.icmp_signed(">", a, b), b, a)
    return _extreme(builder, "minimum", a, b)


def _extreme(builder: Any, name: str, a: Any, b: Any) -> Any:
    """One instruction on ARM, three on x86 and one where `b` is a constant: comparisons and choices take four."""
    kind = ir.FunctionType(a.type, [a.type, b.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{suffix(a.type)}")
    return builder.call(function, [a, b], fastmath=("nsz",))


# Masks


def lanes_below(builder: Any, count: Any, lanes: int) -> Any:
    """The mask of the lanes before `count` (any integer, negative or beyond the vector too)."""
    if lanes < MANY_LANES:
        return builder.icmp_signed("<", lane_numbers(lanes), splat(builder, count, lanes))
    zero, most = count.type(0), count.type(lanes)
    count = builder.select(builder.icmp_signed("<", count, zero), zero, count)
    count = builder.select(builder.icmp_signed(">", count, most), most, count)
    return builder.icmp_signed("<", short_lane_numbers(lanes), splat(builder, short(builder, count), lanes))


def one_lane(builder: Any, number: Any, lanes: int) -> Any:
    """The mask of the lane of this number alone, of none where there is no such lane."""
    if lanes < MANY_LANES:
        return builder.icmp_signed("==", lane_numbers(lanes), splat(builder, number, lanes))
    exists = builder.icmp_unsigned("<", number, number.type(lanes))
    number = builder.select(exists, short(builder, number), INT32(-1))
    return builder.icmp_signed("==", short_lane_numbers(lanes), splat(builder, number, lanes))


def lanes_between(builder: Any, first: Any, last: Any, lanes: int) -> Any:
    """The mask of the lanes from `first` on and before `last`."""
    return builder.and_(builder.not_(lanes_below(builder, first, lanes)), lanes_below(builder, last, lanes))


def any_lane(builder: Any, mask: Any) -> Any:
    """Whether a truth value holds in any lane; of a number, the value itself."""
    if not isinstance(mask.type, ir.VectorType):
        return mask
    return intrinsic_call(builder, f"llvm.vector.reduce.or.{suffix(mask.type)}", INT1, [mask])


def all_lanes(builder: Any, mask: Any) -> Any:
    """Whether a truth value holds in every lane; of a number, the value itself."""
    if not isinstance(mask.type, ir.VectorType):
        return mask
    return intrinsic_call(builder, f"llvm.vector.reduce.and.{suffix(mask.type)}", INT1, [mask])


# Memory: `base` is a typed pointer, offsets count elements


def address(builder: Any, base: Any, offset: Any, lanes: int) -> Any:
    """Address of a vector `offset` elements after `base`."""
    at = builder.gep(base, [offset]) if offset is not None else base
    return builder.bitcast(at, ir.VectorType(base.type.pointee, lanes).as_pointer())


def load(builder: Any, base: Any, offset: Any, lanes: int) -> Any:
    """A vector from anywhere."""
    value = builder.load(address(builder, base, offset, lanes))
    value.align = element_bytes(base.type.pointee)
    return value


def store(builder: Any, value: Any, base: Any, offset: Any) -> None:
    """Write a vector anywhere."""
    builder.store(value, address(builder, base, offset, value.type.count)).align = element_bytes(value.type)


def load_masked(builder: Any, base: Any, offset: Any, mask: Any, outside: Any = None) -> Any:
    """Lanes in `mask`, the others as in the vector `outside`, or zero; memory outside the mask is not touched."""
    element, lanes = base.type.pointee, mask.type.count
    kind = ir.VectorType(element, lanes)
    others = constant(kind, 0) if outside is None else outside
    arguments = [address(builder, base, offset, lanes), INT32(element_bytes(element)), mask, others]
    return intrinsic_call(builder, f"llvm.masked.load.{suffix(kind)}.p0", kind, arguments)


def store_masked(builder: Any, value: Any, base: Any, offset: Any, mask: Any) -> None:
    """Write the lanes in `mask`."""
    at = address(builder, base, offset, value.type.count)
    arguments = [value, at, INT32(element_bytes(value.type)), mask]
    intrinsic_call(builder, f"llvm.masked.store.{suffix(value.type)}.p0", ir.VoidType(), arguments)


def addresses(builder: Any, base: Any, offsets: Any) -> Any:
    """The vector of addresses at a vector of offsets."""
    step = ir.GEPInstr(builder.block, base, [offsets], False, "", source_etype=base.type.pointee)
    step.type = ir.VectorType(ir.PointerType(), offsets.type.count)  # llvmlite takes it for one pointer
    builder._insert(step)
    return step


def load_each(builder: Any, base: Any, offsets: Any, mask: Any, outside: Any) -> Any:
    """The elements at a vector of offsets, where `mask` has them; the others as in `outside`."""
    element, lanes = base.type.pointee, offsets.type.count
    kind = ir.VectorType(element, lanes)
    arguments = [addresses(builder, base, offsets), INT32(element_bytes(element)), mask, outside]
    return intrinsic_call(builder, f"llvm.masked.gather.{suffix(kind)}.v{lanes}p0", kind, arguments)


def load_one_by_one(builder: Any, base: Any, offsets: Sequence[Any]) -> Any:
    """The elements at all of the offsets, by as many loads."""
    found = ir.Constant(ir.VectorType(base.type.pointee, len(offsets)), ir.Undefined)
    for lane, offset in enumerate(offsets):
        found = builder.insert_element(found, builder.load(builder.gep(base, [offset])), INT32(lane))
    return found


def store_each(builder: Any, value: Any, base: Any, offsets: Any, mask: Any) -> None:
    """Write the lanes in `mask` at a vector of offsets; of equal offsets the last lane stays."""
    arguments = [value, addresses(builder, base, offsets), INT32(element_bytes(value.type)), mask]
    name = f"llvm.masked.scatter.{suffix(value.type)}.v{value.type.count}p0"
    intrinsic_call(builder, name, ir.VoidType(), arguments)
