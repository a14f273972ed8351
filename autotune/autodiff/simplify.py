"""Sums and products built in simplest form, so that derived kernels read like hand-written ones.

A product of 0 is taken to be 0 even where another factor could be infinite or NaN: a derivative that is 0 everywhere
contributes nothing.
"""

import operator
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import reduce

from autotune.lang import Apply, Axis, Constant, Expr, Extent, Reduce

ZERO = Constant(0.0)
ONE = Constant(1.0)


@dataclass(frozen=True)
class Monomial:
    """coefficient · Π numerators / Π denominators."""

    coefficient: float = 1.0
    numerators: tuple[Expr, ...] = ()
    denominators: tuple[Expr, ...] = ()

    @staticmethod
    def of(expr: Expr) -> "Monomial":
        """`expr` as a monomial: products flattened, signs and constants in the coefficient."""
        match expr:
            case Constant(value):
                return Monomial(value)
            case Apply("neg", (operand,)):
                return Monomial(-1.0) * Monomial.of(operand)
            case Apply("mul", operands):
                return reduce(Monomial.__mul__, map(Monomial.of, operands))
            case Apply("div", (numerator, denominator)):
                return Monomial.of(numerator) * Monomial(denominators=(denominator,))
            case _:
                return Monomial(1.0, (expr,))

    def __mul__(self, other: "Monomial") -> "Monomial":
        return Monomial(
            self.coefficient * other.coefficient,
            self.numerators + other.numerators,
            self.denominators + other.denominators,
        )

    def expr(self) -> Expr:
        """The expression, without factors of 1; 0 when the coefficient is."""
        if self.coefficient == 0.0:
            return ZERO
        sign, size = (-1.0, -self.coefficient) if self.coefficient < 0 else (1.0, self.coefficient)
        parts = self.numerators if size == 1.0 and self.numerators else (Constant(size), *self.numerators)
        # One division after the other: the product of the denominators could overflow where the quotient does not.
        value = reduce(operator.truediv, self.denominators, reduce(operator.mul, parts))
        if sign > 0:
            return value
        return Constant(-value.value) if isinstance(value, Constant) else -value

    def split(self, axes: Collection[Axis]) -> tuple["Monomial", "Monomial"]:
        """The part that does not depend on `axes`, with the coefficient, and the part that does."""
        above, below = _partition(self.numerators, axes), _partition(self.denominators, axes)
        return Monomial(self.coefficient, above[0], below[0]), Monomial(1.0, above[1], below[1])


def product(operands: Iterable[Expr]) -> Expr:
    """Π operands."""
    return reduce(Monomial.__mul__, map(Monomial.of, operands), Monomial()).expr()


def total(terms: Iterable[Expr]) -> Expr:
    """Σ terms, equal ones added up."""
    coefficients: dict[Expr, float] = {}
    for term in terms:
        monomial = Monomial.of(term)
        rest = replace(monomial, coefficient=1.0).expr()
        coefficients[rest] = coefficients.get(rest, 0.0) + monomial.coefficient
    left = [(rest, coefficient) for rest, coefficient in coefficients.items() if coefficient != 0.0]
    if not left:
        return ZERO
    value = product([Constant(left[0][1]), left[0][0]])
    for rest, coefficient in left[1:]:
        size = product([Constant(abs(coefficient)), rest])
        value = value + size if coefficient > 0 else value - size
    return value


def sum_over(expr: Expr, axes: Collection[Axis]) -> Expr:
    """Σ expr over `axes`; an axis that `expr` does not have multiplies by its extent.

    Factors that do not depend on the axes stand outside, and a sum of a sum becomes one.
    """
    present = tuple(axis for axis in axes if axis in expr.axes)
    counts = Monomial(1.0, tuple(Extent(axis.extent) for axis in axes if axis not in expr.axes))
    outside, inside = Monomial.of(expr).split(present)
    return (counts * outside * Monomial.of(_reduced(inside.expr(), present))).expr()


def _reduced(expr: Expr, axes: tuple[Axis, ...]) -> Expr:
    match expr:
        case _ if not axes:
            return expr
        case Reduce("sum", body, over):
            return Reduce("sum", body, (*axes, *over))
        case _:
            return Reduce("sum", expr, axes)


def power(base: Expr, exponent: float) -> Expr:
    """base ** exponent, where it is a power at all."""
    match exponent:
        case 0.0:
            return ONE
        case 1.0:
            return base
        case _:
            return base**exponent


def _partition(operands: tuple[Expr, ...], axes: Collection[Axis]) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    depends = [any(axis in operand.axes for axis in axes) for operand in operands]
    without = tuple(operand for operand, inside in zip(operands, depends, strict=True) if not inside)
    return without, tuple(operand for operand, inside in zip(operands, depends, strict=True) if inside)
