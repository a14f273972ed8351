"""SIMD vectors and masks as Numba types, with Python's operators.

* `Vector(dtype, lanes)`: one LLVM vector of float32, float64 or int64;
* `Mask(lanes)`: a truth value for each lane.

The same expression text thus runs on numbers and on vectors. A vector meets vectors of its own type, numbers of its own
dtype and integer literals, which go to every lane; any other mix is an error of types, so nothing is rounded or widened
unseen. Arithmetic of real vectors carries the flags that `njit(fastmath={"contract", "reassoc"})` gives that of
numbers: a product and a sum may become one FMA, and sums may be reordered.

Typing templates and IR rather than Numba overloads, which would compile a function for every operator and type.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from autotune.codegen import llvm

FLAGS = ("contract", "reassoc")
OPERATORS: set[Callable[..., Any]] = set()  # those with a meaning for vectors


class Vector(types.Type):
    """A SIMD register: `lanes` elements of `dtype`."""

    def __init__(self, dtype: types.Type, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


class Mask(types.Type):
    """A truth value for each of `lanes` lanes."""

    def __init__(self, lanes: int) -> None:
        self.dtype, self.lanes = types.boolean, lanes
        super().__init__(name=f"Mask({lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), kind.lanes))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Mask) -> None:
        super().__init__(manager, kind, ir.VectorType(llvm.INT1, kind.lanes))


# Types of operands


def is_real(kind: Any) -> bool:
    """Whether this is a real number or a vector of them."""
    return isinstance(kind.dtype if isinstance(kind, Vector) else kind, types.Float)


def common_type(*operands: Any) -> Any:
    """The one type in which operands meet: a vector's if any is one, a number's otherwise; None where they do not."""
    wide = [kind for kind in operands if isinstance(kind, Vector | Mask)]
    found = wide[0] if wide else next((kind for kind in operands if not isinstance(kind, types.IntegerLiteral)), None)
    if found is None:
        return types.int64
    return found if all(_meets(found, kind) for kind in operands) else None


def _meets(found: Any, kind: Any) -> bool:
    dtype = found.dtype if isinstance(found, Vector | Mask) else found
    if dtype == types.boolean:
        return kind in (found, dtype)
    return kind in (found, dtype) or isinstance(kind, types.IntegerLiteral)


def operand_type(found: Any, kind: Any) -> Any:
    """What an operand is converted to before it is splatted: vectors stay, numbers become the dtype of `found`."""
    if isinstance(kind, Vector | Mask):
        return kind
    return found.dtype if isinstance(found, Vector | Mask) else found


def spread(builder: Any, found: Any, value: Any) -> Any:
    """An operand as a value of the type `found`: numbers in every lane of a vector."""
    if isinstance(found, Vector | Mask) and not isinstance(value.type, ir.VectorType):
        return llvm.splat(builder, value, found.lanes)
    return value


# Operators

Emit = Callable[..., Any]


def _binary(function: Any, emit: Emit, accepts: Callable[[Any], bool], compares: bool = False) -> None:
    """Give `function(a, b)` a meaning where `a` or `b` is a vector or mask that `accepts` lets through."""

    class Template(AbstractTemplate):
        def generic(self, operands: Any, _keywords: Any) -> Any:
            if not any(isinstance(kind, Vector | Mask) for kind in operands):
                return None
            found = common_type(*operands)
            if found is None or not accepts(found):
                return None
            result = Mask(found.lanes) if compares else found
            return signature(result, *(operand_type(found, kind) for kind in operands))

    infer_global(function)(Template)
    OPERATORS.add(function)

    def lower(_context: Any, builder: Any, sig: Any, operands: Any) -> Any:
        found = next(kind for kind in sig.args if isinstance(kind, Vector | Mask))
        return emit(builder, *(spread(builder, found, value) for value in operands))

    for wide in (Vector, Mask):
        for narrow in (wide, types.Number, types.Boolean):
            lower_builtin(function, wide, narrow)(lower)
            if narrow is not wide:
                lower_builtin(function, narrow, wide)(lower)


def _unary(function: Any, emit: Emit, accepts: Callable[[Any], bool]) -> None:
    """Give `function(a)` a meaning where `a` is a vector or mask that `accepts` lets through."""

    class Template(AbstractTemplate):
        def generic(self, operands: Any, _keywords: Any) -> Any:
            (kind,) = operands
            return signature(kind, kind) if isinstance(kind, Vector | Mask) and accepts(kind) else None

    infer_global(function)(Template)
    OPERATORS.add(function)

    def lower(_context: Any, builder: Any, _sig: Any, operands: Any) -> Any:
        return emit(builder, *operands)

    for wide in (Vector, Mask):
        lower_builtin(function, wide)(lower)


def _arithmetic(real: str, whole: str) -> Emit:
    def emit(builder: Any, a: Any, b: Any) -> Any:
        if llvm.is_real(a.type):
            return getattr(builder, real)(a, b, flags=FLAGS)
        return getattr(builder, whole)(a, b)

    return emit


def _comparison(sign: str) -> Emit:
    def emit(builder: Any, a: Any, b: Any) -> Any:
        if not llvm.is_real(a.type):
            return builder.icmp_signed(sign, a, b)
        return builder.fcmp_unordered(sign, a, b) if sign == "!=" else builder.fcmp_ordered(sign, a, b)

    return emit


def _quotient(builder: Any, a: Any, b: Any) -> Any:
    return builder.fdiv(a, b, flags=FLAGS)


def _both(builder: Any, a: Any, b: Any) -> Any:
    return builder.and_(a, b)


def _either(builder: Any, a: Any, b: Any) -> Any:
    return builder.or_(a, b)


def _one(builder: Any, a: Any, b: Any) -> Any:
    return builder.xor(a, b)


def negated(builder: Any, a: Any) -> Any:
    """`-a`."""
    return builder.fneg(a) if llvm.is_real(a.type) else builder.neg(a)


def absolute(builder: Any, a: Any) -> Any:
    """`|a|`."""
    if llvm.is_real(a.type):
        return llvm.same_type_call(builder, "fabs", a)
    return builder.select(builder.icmp_signed("<", a, llvm.constant(a.type, 0)), builder.neg(a), a)


def _is_vector(kind: Any) -> bool:
    return isinstance(kind, Vector)


def _is_mask(kind: Any) -> bool:
    return isinstance(kind, Mask)


def _is_any(_kind: Any) -> bool:
    return True


for _function, _emit, _accepts in (
    (operator.add, _arithmetic("fadd", "add"), _is_vector),
    (operator.iadd, _arithmetic("fadd", "add"), _is_vector),
    (operator.sub, _arithmetic("fsub", "sub"), _is_vector),
    (operator.isub, _arithmetic("fsub", "sub"), _is_vector),
    (operator.mul, _arithmetic("fmul", "mul"), _is_vector),
    (operator.imul, _arithmetic("fmul", "mul"), _is_vector),
    (operator.truediv, _quotient, is_real),
    (operator.itruediv, _quotient, is_real),
    (operator.and_, _both, _is_mask),
    (operator.iand, _both, _is_mask),
    (operator.or_, _either, _is_mask),
    (operator.ior, _either, _is_mask),
    (operator.xor, _one, _is_mask),
):
    _binary(_function, _emit, _accepts)
for _function, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _binary(_function, _comparison(_sign), _is_any if _sign in ("==", "!=") else _is_vector, compares=True)
_unary(operator.invert, lambda builder, a: builder.not_(a), _is_mask)
_unary(operator.neg, negated, _is_vector)
_unary(abs, absolute, _is_vector)


# Operators with an integer literal on the right


class _WithLiteral(AbstractTemplate):
    """Operators of a vector and an integer literal, which stays in the signature."""

    prefer_literal = True

    def generic(self, operands: Any, _keywords: Any) -> Any:
        """The signature, where there is one."""
        if len(operands) != 2:
            return None
        kind, literal = operands
        if isinstance(kind, Vector) and isinstance(literal, types.IntegerLiteral) and self.accepts(kind, literal):
            return signature(kind, kind, literal)
        return None

    def accepts(self, kind: Vector, literal: types.IntegerLiteral) -> bool:
        """Whether this is a meaningful pair."""
        raise NotImplementedError


@infer_global(operator.pow)
class _Power(_WithLiteral):
    def accepts(self, kind: Vector, literal: types.IntegerLiteral) -> bool:
        """Negative powers are reciprocals, so they need real numbers."""
        return is_real(kind) or literal.literal_value >= 0


@infer_global(operator.floordiv)
@infer_global(operator.mod)
class _Division(_WithLiteral):
    def accepts(self, kind: Vector, literal: types.IntegerLiteral) -> bool:
        """Positive divisors only."""
        return not is_real(kind) and literal.literal_value > 0


def _lower_power(_context: Any, builder: Any, sig: Any, operands: Any) -> Any:
    return integer_power(builder, operands[0], sig.args[1].literal_value)


def integer_power(builder: Any, base: Any, exponent: int) -> Any:
    """`base ** exponent` by repeated squaring."""
    multiply = _arithmetic("fmul", "mul")
    result, square, rest = None, base, abs(exponent)
    while rest:
        if rest & 1:
            result = square if result is None else multiply(builder, result, square)
        rest >>= 1
        square = multiply(builder, square, square) if rest else square
    one = llvm.constant(base.type, 1)
    if result is None:
        return one
    return result if exponent > 0 else _quotient(builder, one, result)


def _lower_floor_division(_context: Any, builder: Any, sig: Any, operands: Any) -> Any:
    return _floor_division(builder, operands[0], sig.args[1].literal_value)[0]


def _lower_modulo(_context: Any, builder: Any, sig: Any, operands: Any) -> Any:
    return _floor_division(builder, operands[0], sig.args[1].literal_value)[1]


def _floor_division(builder: Any, a: Any, divisor: int) -> tuple[Any, Any]:
    """Quotient rounded down and remainder; shifts for powers of two, a division lane by lane otherwise."""
    if divisor & (divisor - 1) == 0:
        quotient = builder.ashr(a, llvm.constant(a.type, divisor.bit_length() - 1))
        return quotient, builder.and_(a, llvm.constant(a.type, divisor - 1))
    by, zero = llvm.constant(a.type, divisor), llvm.constant(a.type, 0)
    quotient, remainder = builder.sdiv(a, by), builder.srem(a, by)
    below = builder.icmp_signed("<", remainder, zero)
    lower = builder.sub(quotient, llvm.constant(a.type, 1))
    return builder.select(below, lower, quotient), builder.select(below, builder.add(remainder, by), remainder)


lower_builtin(operator.pow, Vector, types.IntegerLiteral)(_lower_power)
lower_builtin(operator.floordiv, Vector, types.IntegerLiteral)(_lower_floor_division)
lower_builtin(operator.mod, Vector, types.IntegerLiteral)(_lower_modulo)
