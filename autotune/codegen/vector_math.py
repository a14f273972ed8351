"""Mathematical functions of generated code, each valid for numbers and vectors under one name.

Arguments may be mixed as operators allow it: a number meets a vector of its dtype and goes to every lane.

Errors are at most 4 units in the last place in float32 and 2 in float64, for any argument (seen: 2.6 and 1.7, of tanh);
`tests/codegen/test_vector_math.py` has those of each function. `sqrt` and `floor` are exact.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from autotune.codegen import elementary, llvm
from autotune.codegen.arithmetic import Arithmetic
from autotune.codegen.vectors import Mask, Vector, common_type, is_real, operand_type, spread

EmitValue: TypeAlias = Callable[[Arithmetic, Any], Any]


def _elementary(name: str, emit_value: EmitValue) -> Any:
    """A function of one real number."""

    def function(_context: Any, x: Any) -> Any:
        if not is_real(x):
            message = f"{name} takes a real number or a vector of them, not {x}"
            raise TypingError(message)

        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            _triple, _cpu, features = context.codegen().magic_tuple()
            return emit_value(Arithmetic(builder, arguments[0].type, features), arguments[0])

        return x(x), emit

    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


def _periodic(name: str, near: EmitValue) -> EmitValue:
    """`near`, and the C library's function where any argument is too large for it, which is rare."""

    def define(function: Any) -> None:
        builder = ir.IRBuilder(function.append_basic_block())
        x, far, value = function.args
        builder.ret(builder.select(far, llvm.same_type_call(builder, name, x), value))

    def emit_value(on: Arithmetic, x: Any) -> Any:
        builder, bound = on.builder, elementary.NEAR_SINGLE if on.single else elementary.NEAR_DOUBLE
        value, far = near(on, x), on.less(on.real(bound), on.abs(x))
        before = builder.block
        with builder.if_then(llvm.any_lane(builder, far), likely=False):
            far_name = f"autotune_far_{name}_{llvm.suffix(x.type)}"
            exact = llvm.outlined_call(builder, far_name, x.type, [x, far, value], define)
            within = builder.block
        result = builder.phi(x.type)
        result.add_incoming(value, before)
        result.add_incoming(exact, within)
        return result

    return emit_value


RARELY_CALLED = "preserve_allcc"  # else a loop has none of its values in vector registers across the call


def _usual(name: str, near: EmitValue, is_near: EmitValue, every: EmitValue) -> EmitValue:
    """`near` for vectors of which every lane is; else, and for numbers and AVX-512, `every`."""

    def emit_value(on: Arithmetic, x: Any) -> Any:
        if on.lanes is None or on.scales:
            return every(on, x)

        def define(function: Any) -> None:
            builder = ir.IRBuilder(function.append_basic_block())
            builder.ret(every(Arithmetic(builder, x.type), *function.args))

        builder, value = on.builder, near(on, x)
        before, far = builder.block, builder.not_(is_near(on, x))
        with builder.if_then(llvm.any_lane(builder, far), likely=False):
            every_name = f"autotune_every_{name}_{llvm.suffix(x.type)}"
            other = llvm.outlined_call(builder, every_name, x.type, [x], define, RARELY_CALLED)
            within = builder.block
        result = builder.phi(x.type)
        result.add_incoming(value, before)
        result.add_incoming(other, within)
        return result

    return emit_value


exp = _elementary("exp", _usual("exp", elementary.exp_near, elementary.is_exp_near, elementary.exp))
log = _elementary("log", _usual("log", elementary.log_near, elementary.is_positive_normal, elementary.log))
tanh = _elementary("tanh", elementary.tanh)
sigmoid = _elementary("sigmoid", elementary.sigmoid)
erf = _elementary("erf", elementary.erf)
sin = _elementary("sin", _periodic("sin", elementary.sin))
cos = _elementary("cos", _periodic("cos", elementary.cos))
sqrt = _elementary("sqrt", Arithmetic.sqrt)
rsqrt = _elementary("rsqrt", elementary.rsqrt)
floor = _elementary("floor", Arithmetic.floor)


@intrinsic
def sign(_context: Any, x: Any) -> Any:
    """-1, 0 or 1; a zero of either sign, or NaN, stays."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        if llvm.is_real(value.type):
            return elementary.sign(Arithmetic(builder, value.type), value)
        zero, one = llvm.constant(value.type, 0), llvm.constant(value.type, 1)
        positive = builder.select(builder.icmp_signed(">", value, zero), one, zero)
        return builder.select(builder.icmp_signed("<", value, zero), builder.neg(one), positive)

    return x(x), emit


def _common(name: str, *operands: Any) -> Any:
    """The type in which operands meet."""
    found = common_type(*operands)
    if found is None:
        message = f"{name} of {', '.join(map(str, operands))}: vectors meet numbers of their own dtype only"
        raise TypingError(message)
    return found


def _choice(name: str, emit_value: Callable[[Any, Any, Any], Any]) -> Any:
    """A function of two operands that gives one of them."""

    def function(_context: Any, a: Any, b: Any) -> Any:
        found = _common(name, a, b)

        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return emit_value(builder, *(spread(builder, found, value) for value in arguments))

        return found(operand_type(found, a), operand_type(found, b)), emit

    function.__name__ = function.__qualname__ = name
    return intrinsic(prefer_literal=True)(function)


larger = _choice("larger", llvm.larger)
smaller = _choice("smaller", llvm.smaller)


@intrinsic(prefer_literal=True)
def select(_context: Any, condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, `b` elsewhere; both are computed."""
    found = _common("select", a, b)
    if isinstance(condition, Mask) and not isinstance(found, Vector | Mask):
        found = Mask(condition.lanes) if found == types.boolean else Vector(found, condition.lanes)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.select(arguments[0], *(spread(builder, found, value) for value in arguments[1:]))

    return found(condition, operand_type(found, a), operand_type(found, b)), emit


LEAST_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}


@intrinsic
def reciprocal(_context: Any, x: Any) -> Any:
    """1 / x, for `quotient`; NaN where that would be infinite, subnormal or zero."""
    dtype = str(x.dtype if isinstance(x, Vector) else x)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        on, least = Arithmetic(builder, value.type), LEAST_NORMAL[dtype]
        size = on.abs(value)
        inside = builder.and_(on.less(on.real(least), size), on.less(size, on.real(1 / least)))
        found = builder.fdiv(llvm.constant(value.type, 1.0), value)
        return builder.select(inside, found, llvm.constant(value.type, float("nan")))

    return x(x), emit


@intrinsic
def quotient(_context: Any, a: Any, x: Any, inverse: Any) -> Any:
    """`a` / `x` for an `x` with its `reciprocal`, which does for many vectors: at most 1.5 ULP from exact.

    A vector division takes ten times as long as a multiplication (Zen 4, 16 lanes). Where the reciprocal is NaN it is
    one all the same, so that no result overflows or loses digits that does not in a division.
    """
    found = _common("quotient", a, x)  # the reciprocal is of the type of x

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        value, divisor, factor = arguments
        value = spread(builder, found, value)
        many = spread(builder, found, factor)
        fast = builder.fmul(value, many)
        before = builder.block
        unknown = llvm.any_lane(builder, builder.fcmp_unordered("uno", factor, factor))
        with builder.if_then(unknown, likely=False):
            slow = builder.fdiv(value, spread(builder, found, divisor))
            within = builder.block
        result = builder.phi(fast.type)
        result.add_incoming(fast, before)
        result.add_incoming(slow, within)
        return result

    return found(operand_type(found, a), x, inverse), emit


@intrinsic
def power(_context: Any, a: Any, b: Any) -> Any:
    """`a` to the power of `b`, by the C library, lane by lane."""
    found = _common("power", a, b)

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return llvm.same_type_call(builder, "pow", *(spread(builder, found, value) for value in arguments))

    return found(operand_type(found, a), operand_type(found, b)), emit


# Conversions


@intrinsic
def as_real(_context: Any, x: Any, real: Any) -> Any:
    """A whole number, a truth value or a real number as a `real`, which is `types.float32` or `types.float64`."""
    dtype = real.instance_type
    result = Vector(dtype, x.lanes) if isinstance(x, Vector | Mask) else dtype

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        value, kind = arguments[0], context.get_value_type(result)
        if llvm.is_real(value.type):
            wider = llvm.element_bytes(kind) - llvm.element_bytes(value.type)
            return builder.fpext(value, kind) if wider > 0 else builder.fptrunc(value, kind) if wider else value
        truth = llvm.element_of(value.type) == llvm.INT1
        return builder.uitofp(value, kind) if truth else builder.sitofp(value, kind)

    return result(x, real), emit


@intrinsic
def whole(_context: Any, x: Any) -> Any:
    """A real number as an int64, without what is after the point; whole numbers stay what they are."""
    result = Vector(types.int64, x.lanes) if isinstance(x, Vector) else types.int64

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        return builder.fptosi(value, context.get_value_type(result)) if llvm.is_real(value.type) else value

    return result(x if is_real(x) else result), emit


# All lanes


def _agreement(name: str, emit_value: Callable[[Any, Any], Any]) -> Any:
    """A truth value from those of all lanes; truth values stay what they are."""

    def function(_context: Any, mask: Any) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return emit_value(builder, arguments[0])

        return types.boolean(mask), emit

    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


any_lane = _agreement("any_lane", llvm.any_lane)
all_lanes = _agreement("all_lanes", llvm.all_lanes)


def _reduction(name: str, emit_value: Callable[[Any, Any, Any], Any]) -> Any:
    """A number from all lanes of a vector, by halves; numbers stay what they are."""

    def function(_context: Any, x: Any) -> Any:
        dtype = x.dtype if isinstance(x, Vector) else x

        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            (value,) = arguments
            while isinstance(value.type, ir.VectorType):
                lanes = value.type.count
                if lanes == 1:
                    return builder.extract_element(value, llvm.INT32(0))
                low, high = range(lanes // 2), range(lanes // 2, lanes)
                value = emit_value(
                    builder, llvm.shuffled(builder, value, value, low), llvm.shuffled(builder, value, value, high)
                )
            return value

        return dtype(x), emit

    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


def _add(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b, flags=("contract",)) if llvm.is_real(a.type) else builder.add(a, b)


def _multiply(builder: Any, a: Any, b: Any) -> Any:
    return builder.fmul(a, b, flags=("contract",)) if llvm.is_real(a.type) else builder.mul(a, b)


total = _reduction("total", _add)
product = _reduction("product", _multiply)
largest = _reduction("largest", llvm.larger)
smallest = _reduction("smallest", llvm.smaller)
