"""The pointwise functions of the language: one table that evaluation, printing and derivatives share by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers: TypeAlias = NDArray[Any]
"""Arrays of float64, of int64 for whole numbers, or of complex128 where a derivative is taken by a complex step."""

EXACT = frozenset(
    {"add", "sub", "mul", "neg", "maximum", "minimum", "where", "stop_gradient", "greater", "equal", "greater_equal"}
)
"""The functions that take whole numbers as they are; the others take them as floating-point ones."""


class Precedence(IntEnum):
    """How tightly a printed form binds, as in Python; a looser operand needs parentheses."""

    ANY = 0
    SUM = 1
    PRODUCT = 2
    NEGATION = 3
    POWER = 4
    ATOM = 5


@dataclass(frozen=True)
class Function:
    """A pointwise function.

    `evaluate` takes and gives float64 arrays, or complex ones, which it compares by their real parts; `form` is the
    printed form with one {} per operand, which binds as `precedence` says and whose operands must bind at least as
    tightly as `operand_precedences` say.
    """

    name: str
    evaluate: Callable[..., Any]
    form: str
    precedence: Precedence
    operand_precedences: tuple[Precedence, ...]

    @property
    def arity(self) -> int:
        """Number of operands."""
        return len(self.operand_precedences)


def _call(name: str, evaluate: Callable[..., Any], arity: int = 1) -> Function:
    form = f"{name}({', '.join(['{}'] * arity)})"
    return Function(name, evaluate, form, Precedence.ATOM, (Precedence.ANY,) * arity)


def _infix(name: str, evaluate: Callable[..., Any], symbol: str, level: Precedence) -> Function:
    return Function(name, evaluate, f"{{}} {symbol} {{}}", level, (level, Precedence(level + 1)))


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); where exp(-x) overflows the quotient is 0, the correctly rounded value."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _by_real_parts(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, constant between its jumps, of the real parts of its operands."""
    return lambda *operands: function(*map(np.real, operands))


def _larger(x: Numbers, y: Numbers) -> Numbers:
    if x.dtype.kind != "c" and y.dtype.kind != "c":
        return np.asarray(np.maximum(x, y))
    return np.where((x.real >= y.real) | np.isnan(x.real), x, y)


def _smaller(x: Numbers, y: Numbers) -> Numbers:
    if x.dtype.kind != "c" and y.dtype.kind != "c":
        return np.asarray(np.minimum(x, y))
    return np.where((x.real <= y.real) | np.isnan(x.real), x, y)


def _relu(x: Numbers) -> Numbers:
    return _larger(x, np.zeros((), x.dtype))


def _abs(x: Numbers) -> Numbers:
    return np.where(x.real < 0, -x, x) if x.dtype.kind == "c" else np.abs(x)


def _rsqrt(x: Array) -> Array:
    return np.asarray(1.0 / np.sqrt(x))


def _erf(x: Array) -> Array:
    from scipy.special import erf  # not at the top: a program that never evaluates a reference need not load SciPy

    return np.asarray(erf(x))


def _where(condition: Array, x: Array, y: Array) -> Array:
    return np.where(np.real(condition) != 0, x, y)


_TABLE = (
    _infix("add", np.add, "+", Precedence.SUM),
    _infix("sub", np.subtract, "-", Precedence.SUM),
    _infix("mul", np.multiply, "*", Precedence.PRODUCT),
    _infix("div", np.divide, "/", Precedence.PRODUCT),
    Function("neg", np.negative, "-{}", Precedence.NEGATION, (Precedence.POWER,)),
    Function("pow", np.power, "{} ** {}", Precedence.POWER, (Precedence.ATOM, Precedence.NEGATION)),
    _call("maximum", _larger, 2),
    _call("minimum", _smaller, 2),
    _call("exp", np.exp),
    _call("log", np.log),
    _call("sqrt", np.sqrt),
    _call("rsqrt", _rsqrt),
    _call("tanh", np.tanh),
    _call("sigmoid", _sigmoid),
    _call("erf", _erf),
    _call("sin", np.sin),
    _call("cos", np.cos),
    _call("abs", _abs),
    _call("relu", _relu),
    _call("floor", _by_real_parts(np.floor)),
    # The derivatives of abs, relu, maximum and minimum are written with the first three.
    _call("sign", _by_real_parts(np.sign)),
    _call("greater", _by_real_parts(np.greater), 2),
    _call("equal", _by_real_parts(np.equal), 2),
    _call("greater_equal", _by_real_parts(np.greater_equal), 2),
    _call("where", _where, 3),
    _call("stop_gradient", np.real),
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType({function.name: function for function in _TABLE})
