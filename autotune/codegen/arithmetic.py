"""Arithmetic in LLVM IR as vector math needs it: every operation rounds as it is written.

Numba adds the fast-math flags of the surrounding function to floating-point instructions that have none, and sums that
may be reordered would undo range reductions. So every instruction here carries a flag that changes nothing by itself
(multiplications that feed an addition are written as FMAs): `contract`.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from autotune.codegen import llvm

_FLAGS = ("contract",)
_MANTISSA = {4: 23, 8: 52}


class Arithmetic:
    """Operations on real numbers of one type, or vectors of them, and on integers of the same size.

    `features` are the target's as LLVM lists them: "+avx512f,-sse4a,…".
    """

    def __init__(self, builder: Any, kind: Any, features: str = "") -> None:
        self.builder, self.kind = builder, kind
        self.lanes = llvm.lanes_of(kind)
        self.single = llvm.element_bytes(kind) == 4
        self.mantissa = _MANTISSA[llvm.element_bytes(kind)]
        """Bits of the significand after the point."""
        self.bias = 127 if self.single else 1023
        self.avx512 = "+avx512f" in features and llvm.element_bytes(kind) * (self.lanes or 0) == 64
        """Whether the values fill registers of AVX-512."""
        self.scales = "+avx512f" in features
        """Whether the machine multiplies by powers of two that are beyond the type."""
        self.whole = llvm.shaped(llvm.INT32 if self.single else llvm.INT64, self.lanes)

    # Constants

    def real(self, value: float) -> Any:
        """A real constant, rounded to the type."""
        return llvm.constant(self.kind, value)

    def integer(self, value: int) -> Any:
        """An integer constant."""
        return llvm.constant(self.whole, value)

    # Real numbers

    def add(self, a: Any, b: Any) -> Any:
        """`a + b`."""
        return self.builder.fadd(a, b, flags=_FLAGS)

    def sub(self, a: Any, b: Any) -> Any:
        """`a - b`."""
        return self.builder.fsub(a, b, flags=_FLAGS)

    def mul(self, a: Any, b: Any) -> Any:
        """`a * b`."""
        return self.builder.fmul(a, b, flags=_FLAGS)

    def div(self, a: Any, b: Any) -> Any:
        """`a / b`."""
        return self.builder.fdiv(a, b, flags=_FLAGS)

    def neg(self, a: Any) -> Any:
        """`-a`."""
        return self.builder.fneg(a)

    def fma(self, a: Any, b: Any, total: Any) -> Any:
        """`a * b + total`, rounded once."""
        return llvm.fma(self.builder, a, b, total)

    def sqrt(self, a: Any) -> Any:
        """The square root; NaN below 0."""
        return llvm.same_type_call(self.builder, "sqrt", a)

    def floor(self, a: Any) -> Any:
        """The largest whole number that is not above."""
        return llvm.same_type_call(self.builder, "floor", a)

    def rsqrt_estimate(self, a: Any) -> Any:
        """`1 / sqrt(a)` to 14 bits, by an instruction of AVX-512; NaN below 0."""
        return self._avx512("rsqrt14", [a, self.real(0.0)])

    def abs(self, a: Any) -> Any:
        """`|a|`."""
        return llvm.same_type_call(self.builder, "fabs", a)

    def with_sign_of(self, size: Any, sign: Any) -> Any:
        """`size` with the sign bit of `sign`."""
        return llvm.same_type_call(self.builder, "copysign", size, sign)

    def polynomial(self, x: Any, coefficients: Sequence[float]) -> Any:
        """`c[0] + c[1] x + c[2] x² + …` by Horner's rule in FMAs."""
        *others, result = map(self.real, coefficients)
        for coefficient in reversed(others):
            result = self.fma(result, x, coefficient)
        return result

    def wide_polynomial(self, x: Any, coefficients: Sequence[float]) -> Any:
        """The same in pairs of terms, then pairs of these (Estrin's scheme): fewer steps that wait for each other."""
        parts, power = list(map(self.real, coefficients)), x
        while len(parts) > 1:
            pairs = [self.fma(high, power, low) for low, high in zip(parts[::2], parts[1::2], strict=False)]
            parts = [*pairs, *([parts[-1]] if len(parts) % 2 else [])]
            power = self.mul(power, power)
        return parts[0]

    # Choices

    def less(self, a: Any, b: Any) -> Any:
        """Whether `a < b`; false where either is NaN."""
        return self.builder.fcmp_ordered("<", a, b, flags=_FLAGS)

    def equal(self, a: Any, b: Any) -> Any:
        """Whether `a == b`; false where either is NaN."""
        return self.builder.fcmp_ordered("==", a, b, flags=_FLAGS)

    def select(self, condition: Any, a: Any, b: Any) -> Any:
        """`a` where the condition holds, `b` elsewhere."""
        return self.builder.select(condition, a, b)

    def at_least(self, a: Any, bound: float) -> Any:
        """The larger of `a` and a constant; NaN stays."""
        limit = self.real(bound)
        return self.select(self.less(a, limit), limit, a)

    def at_most(self, a: Any, bound: float) -> Any:
        """The smaller of `a` and a constant; NaN stays."""
        limit = self.real(bound)
        return self.select(self.less(limit, a), limit, a)

    # Bits

    def bits(self, a: Any) -> Any:
        """The representation of a real number as an integer."""
        return self.builder.bitcast(a, self.whole)

    def from_bits(self, a: Any) -> Any:
        """The real number that an integer represents."""
        return self.builder.bitcast(a, self.kind)

    def nearest(self, a: Any) -> tuple[Any, Any]:
        """The nearest whole number, as a real one and as an integer, for |a| < 2 to the power (mantissa - 2).

        Adding 1.5 * 2^mantissa leaves no bits after the point; its lowest bits then are the integer. The real one is
        never -0.
        """
        shifter = 1.5 * 2.0**self.mantissa
        shifted = self.add(a, self.real(shifter))
        bits = self.builder.sub(self.bits(shifted), self.bits(self.real(shifter)))
        return self.sub(shifted, self.real(shifter)), bits

    def power_of_two(self, exponent: Any) -> Any:
        """2 to the power of an integer from 1 - bias to bias."""
        biased = self.builder.add(exponent, self.integer(self.bias))
        return self.from_bits(self.builder.shl(biased, self.integer(self.mantissa)))

    def scaled(self, a: Any, exponent: Any, whole: Any) -> Any:
        """`a * 2**exponent`, rounded once, for |exponent| < 2 * bias and `a` near 1.

        `whole` is the exponent as an integer.
        """
        if self.avx512:
            return self._avx512("mask.scalef", [a, exponent, self.real(0.0)], [llvm.INT32(4)])  # rounding mode as set
        # In two factors, because the whole power may be beyond the type where the product is not.
        half = self.builder.ashr(whole, self.integer(1))
        first, second = self.power_of_two(half), self.power_of_two(self.builder.sub(whole, half))
        return self.mul(self.mul(a, first), second)

    def scaled_twice(self, a: Any, exponent: Any) -> Any:
        """`a * 2**(2 * exponent)`, rounded once, for |exponent| < bias - 1 and `a` near 1."""
        shifted = self.builder.shl(exponent, self.integer(self.mantissa))
        first, power = (self.builder.add(self.bits(value), shifted) for value in (a, self.real(1.0)))
        return self.mul(self.from_bits(first), self.from_bits(power))

    def _avx512(self, instruction: str, operands: list[Any], options: Sequence[Any] = ()) -> Any:
        """An instruction of AVX-512 in all lanes."""
        name = f"llvm.x86.avx512.{instruction}.{'ps' if self.single else 'pd'}.512"
        every = ir.IntType(self.lanes)(-1)
        return llvm.intrinsic_call(self.builder, name, self.kind, [*operands, every, *options])
