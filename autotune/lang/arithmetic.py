"""Python's operators on expressions, axes and tensors' elements; numbers mix in."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from autotune.lang.expressions import Expr


class Arithmetic:
    """Python's operators, each of which builds a pointwise function of expressions."""

    __array_ufunc__ = None  # so that NumPy's scalars leave `2.0 * expression` to the expression

    def as_expr(self) -> "Expr":
        """This value as an expression; raises DefinitionError where it is none."""
        raise NotImplementedError

    def __add__(self, other: "Operand") -> "Expr":
        return _apply("add", self, other)

    def __radd__(self, other: "Operand") -> "Expr":
        return _apply("add", other, self)

    def __sub__(self, other: "Operand") -> "Expr":
        return _apply("sub", self, other)

    def __rsub__(self, other: "Operand") -> "Expr":
        return _apply("sub", other, self)

    def __mul__(self, other: "Operand") -> "Expr":
        return _apply("mul", self, other)

    def __rmul__(self, other: "Operand") -> "Expr":
        return _apply("mul", other, self)

    def __truediv__(self, other: "Operand") -> "Expr":
        return _apply("div", self, other)

    def __rtruediv__(self, other: "Operand") -> "Expr":
        return _apply("div", other, self)

    def __floordiv__(self, other: "Operand") -> "Expr":
        return _apply("floor", _apply("div", self, other))

    def __pow__(self, exponent: "Operand") -> "Expr":
        return _apply("pow", self, exponent)

    def __rpow__(self, base: "Operand") -> "Expr":
        return _apply("pow", base, self)

    def __gt__(self, other: "Operand") -> "Expr":
        return _apply("greater", self, other)

    def __ge__(self, other: "Operand") -> "Expr":
        return _apply("greater_equal", self, other)

    def __lt__(self, other: "Operand") -> "Expr":
        return _apply("greater", other, self)

    def __le__(self, other: "Operand") -> "Expr":
        return _apply("greater_equal", other, self)

    def __neg__(self) -> "Expr":
        return _apply("neg", self)

    def __abs__(self) -> "Expr":
        return _apply("abs", self)


Operand: TypeAlias = Arithmetic | float


def _apply(function: str, *operands: Operand) -> "Expr":
    from autotune.lang.expressions import apply  # the nodes are built on these operators

    return apply(function, *operands)
