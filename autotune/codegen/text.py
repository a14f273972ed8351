"""Lines of Python source: indentation and expressions."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from autotune.errors import TemplateError
from autotune.lang import Apply, Constant, Expr, Extent, Parameter, Read

SCALAR_FORMS = {
    "add": "({} + {})",
    "sub": "({} - {})",
    "mul": "({} * {})",
    "div": "({} / {})",
    "neg": "(-{})",
    "pow": "({} ** {})",
    "maximum": "larger({}, {})",
    "minimum": "smaller({}, {})",
    "exp": "exp({})",
    "log": "log({})",
    "sqrt": "sqrt({})",
    "rsqrt": "rsqrt({})",
    "tanh": "tanh({})",
    "sigmoid": "sigmoid({})",
    "erf": "erf({})",
    "sin": "sin({})",
    "cos": "cos({})",
    "floor": "floor({})",
    "abs": "abs({})",
    "relu": "larger({}, REAL(0.0))",
    "sign": "sign({})",
    "greater": "REAL({} > {})",
    "equal": "REAL({} == {})",
    "greater_equal": "REAL({} >= {})",
    "where": "({1} if {0} != 0 else {2})",
    "where_true": "({1} if {0} else {2})",  # of a condition that is a truth value
    "stop_gradient": "{}",
}
# Those that are written otherwise for vectors.
WIDE_FORMS = {
    "greater": "select({} > {}, REAL(1.0), REAL(0.0))",
    "equal": "select({} == {}, REAL(1.0), REAL(0.0))",
    "greater_equal": "select({} >= {}, REAL(1.0), REAL(0.0))",
    "where": "select({} != 0, {}, {})",
    "where_true": "select({}, {}, {})",
}
# The same for vectors of whole numbers.
WIDE_INTEGER_FORMS = {"maximum": "larger({}, {})", "minimum": "smaller({}, {})"}
# The same for whole numbers, where the result is one.
INTEGER_FORMS = {
    "add": "({} + {})",
    "sub": "({} - {})",
    "mul": "({} * {})",
    "neg": "(-{})",
    "maximum": "max({}, {})",
    "minimum": "min({}, {})",
    "stop_gradient": "{}",
}


class Lines:
    """Source under construction: lines and how deep they stand."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0

    def add(self, *lines: str) -> None:
        """Lines at the present depth."""
        self.lines += [f"{'    ' * self.depth}{line}".rstrip() for line in lines]

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """A header and, one level deeper, what is added within."""
        self.add(header)
        self.depth += 1
        yield
        self.depth -= 1

    def __str__(self) -> str:
        return "\n".join(self.lines)


def scalar(expr: Expr, read: Callable[[Read], str], *, wide: bool = False) -> str:
    """`expr` as Python on scalars, elements of tensors by `read`; on vectors too where `wide`.

    Constants are of the kernel's dtype (`REAL`).
    """
    forms = SCALAR_FORMS | WIDE_FORMS if wide else SCALAR_FORMS
    match expr:
        case Constant(value):
            return constant(value)
        case Parameter(name):
            return f"{name}_scalar"
        case Extent(name):
            return f"REAL({name}_extent)"
        case Read():
            return read(expr)
        case Apply("pow", (base, Constant(exponent))) if exponent.is_integer():
            return raised(scalar(base, read, wide=wide), exponent)
        case Apply("pow", (base, exponent)) if wide:
            return f"power({scalar(base, read, wide=True)}, {scalar(exponent, read, wide=True)})"
        case Apply(function, operands) if function in forms:
            return forms[function].format(*(scalar(operand, read, wide=wide) for operand in operands))
        case _:
            message = f"no code is generated yet for {expr}"
            raise TemplateError(message)


def constant(value: float, *, integer: bool = False) -> str:
    """A number as text."""
    if integer:
        return str(int(value))
    return f"REAL({value!r})" if math.isfinite(value) else f"REAL({'-' * (value < 0)}math.inf)"


def raised(base: str, exponent: float) -> str:
    """`base` to a constant power: multiplications, not a call of pow, where it is whole."""
    if not exponent.is_integer():
        return f"power({base}, {constant(exponent)})"
    text = f"({base} ** {abs(int(exponent))})"
    return text if exponent >= 0 else f"(REAL(1.0) / {text})"


def total(terms: list[str]) -> str:
    """A sum of offsets, without the zeros."""
    return " + ".join(term for term in terms if term != "0") or "0"


def scaled(factor: str, stride: str) -> str:
    """`factor * stride`, simplified where the stride is 0 or 1."""
    if stride == "0" or factor == "0":
        return "0"
    return factor if stride == "1" else f"{factor} * {stride}" if factor.isidentifier() else f"({factor}) * {stride}"


def unwrapped(text: str) -> str:
    """`text` without parentheses around all of it."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position < len(text) - 1:
            return text
    return text[1:-1] if text.startswith("(") else text
