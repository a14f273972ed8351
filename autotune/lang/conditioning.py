"""How far rounding may carry a computed expression from its exact value.

Every node gets a magnitude M ≥ |value| and a number of roundings w such that an evaluation in a floating-point type
with machine epsilon ε, in any order of summation, is off by at most

    E = 4 · ε · (w + 4) · M.

For a sum of products of inputs this is gate G4 of KERNELS.md: M is the same sum over absolute values and w = √k for k
terms, the growth of rounding errors that are independent of each other (Higham and Mary, A new approach to
probabilistic rounding error analysis, SIAM J. Sci. Comput. 41(5), 2019). The rest is running error analysis (Higham,
Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.3) with two rules:

* Roundings. A sum multiplies the terms of what it sums by its own number of terms, and a product those of its
  factors, since a schedule may flatten nested sums into one. A function that is not linear cannot be flattened
  through: what was gathered below it is added to what gathers above it.
* Magnitudes. f(x) has M = |f(x)| + L·M(x), where L bounds |f'| between x - E and x + E (mean value theorem). A function
  that jumps there has M large enough to allow for the jump.

Reads count as exact, and constants that are; so the arguments must be representable in the type in question.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import frexp, pi, prod, sqrt
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autotune.lang.evaluation import Arguments, NamedArray, Values, align, contract, reduced, values
from autotune.lang.expressions import Apply, Constant, Expr, Read, Reduce
from autotune.lang.functions import Array
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import factors, summands


@dataclass(frozen=True)
class Precision:
    """A floating-point type: machine epsilon and smallest normal number; both 0 for exact arithmetic."""

    epsilon: float = 0.0
    smallest: float = 0.0

    @staticmethod
    def of(dtype: DTypeLike) -> "Precision":
        """That of a NumPy dtype."""
        limits = np.finfo(dtype)
        return Precision(float(limits.eps), float(limits.smallest_normal))

    def represents(self, value: float) -> bool:
        """Whether `value` has few enough digits to be in the type."""
        return self.epsilon == 0.0 or (2.0 * frexp(value)[0] / self.epsilon).is_integer()


@dataclass(frozen=True)
class Roundings:
    """How many roundings a value has gathered: √terms in sums, and `below` the last function that is not linear."""

    terms: int = 1
    below: float = 0.0

    @property
    def number(self) -> float:
        """The w of the bound."""
        return sqrt(self.terms) + self.below


@dataclass(frozen=True)
class Operand:
    """What a rule may know of an operand: arrays of its value, magnitude and error bound, broadcast over the result."""

    value: Array
    magnitude: Array
    error: Array

    @property
    def lower(self) -> Array:
        """The least |x| can be within the error."""
        return np.maximum(np.abs(self.value) - self.error, 0.0)

    @property
    def upper(self) -> Array:
        """The most |x| can be within the error."""
        return np.abs(self.value) + self.error


Rule: TypeAlias = Callable[..., Array]

# The magnitude of y = f(u, …), a rule a line.
MAGNITUDES: Mapping[str, Rule] = MappingProxyType(
    {
        "add": lambda _, u, v: u.magnitude + v.magnitude,
        "sub": lambda _, u, v: u.magnitude + v.magnitude,
        "mul": lambda _, u, v: u.magnitude * v.magnitude,
        "div": lambda _, u, v: u.magnitude * v.magnitude / v.lower**2,
        "neg": lambda _, u: u.magnitude,
        "pow": lambda y, u, p: np.abs(y) + _scaled(np.abs(p.value) * _steepest(u, p.value - 1), u),
        "maximum": lambda _, u, v: np.maximum(u.magnitude, v.magnitude),
        "minimum": lambda _, u, v: np.maximum(u.magnitude, v.magnitude),
        "exp": lambda y, u: y + _scaled(np.exp(u.value + u.error), u),
        "log": lambda y, u: np.abs(y) + _scaled(1 / u.lower, u),
        "sqrt": lambda y, u: y + _scaled(0.5 / np.sqrt(u.lower), u),
        "rsqrt": lambda y, u: y + _scaled(0.5 * u.lower**-1.5, u),
        "tanh": lambda y, u: np.abs(y) + _scaled(1 / np.cosh(u.lower) ** 2, u),
        "sigmoid": lambda y, u: y + _scaled(0.25 / np.cosh(u.lower / 2) ** 2, u),
        "erf": lambda y, u: np.abs(y) + _scaled(2 / sqrt(pi) * np.exp(-(u.lower**2)), u),
        "sin": lambda y, u: np.abs(y) + u.magnitude,
        "cos": lambda y, u: np.abs(y) + u.magnitude,
        "abs": lambda _, u: u.magnitude,
        "relu": lambda _, u: u.magnitude,
        "stop_gradient": lambda _, u: u.magnitude,
    }
)


@dataclass(frozen=True)
class Jump:
    """A function that jumps by `size` where the `distance` of its operands' values is 0."""

    size: float
    distance: Callable[..., Array]


JUMPS: Mapping[str, Jump] = MappingProxyType(
    {
        "sign": Jump(2.0, lambda u: u),
        "greater": Jump(1.0, np.subtract),
        "equal": Jump(1.0, np.subtract),
        "greater_equal": Jump(1.0, np.subtract),
        "floor": Jump(1.0, lambda u: u - np.rint(u)),
    }
)


def magnitudes(expr: Expr, arguments: Arguments, precision: Precision) -> tuple[Array, Roundings]:
    """The magnitude of `expr` over its free axes, and its roundings, where computed in `precision`."""
    known = _Bounds(arguments, precision, values(expr, arguments))
    with np.errstate(all="ignore"):
        for node in subexpressions(expr, summands):
            known.add(node)
    return known.magnitudes[expr], known.roundings[expr]


class _Bounds:
    """Magnitudes and roundings of the nodes met so far, operands before the nodes that use them."""

    def __init__(self, arguments: Arguments, precision: Precision, known: Values) -> None:
        self.arguments = arguments
        self.precision = precision
        self.values = known
        self.magnitudes: Values = {}
        self.roundings: dict[Expr, Roundings] = {}

    def add(self, node: Expr) -> None:
        """Take in a node whose operands are known."""
        self.roundings[node] = _roundings(node, self.roundings, self.arguments)
        magnitude = self._magnitude(node)
        # Nothing that is computed is more accurate than the spacing of the smallest numbers.
        self.magnitudes[node] = magnitude if self._exact(node) else np.maximum(magnitude, self.precision.smallest)

    def _exact(self, node: Expr) -> bool:
        match node:
            case Constant(value):
                return self.precision.represents(value)
            case _:
                return isinstance(node, Read)

    def _magnitude(self, node: Expr) -> Array:
        match node:
            case Apply("equal", (body, Reduce("max" | "min", reduced_body, over) as extreme)) if body == reduced_body:
                value, operands = self.values[node], (self._operand(body, node), self._operand(extreme, node))
                return self._extreme(value, *operands, tuple(node.axes.index(axis) for axis in over))
            case Apply(function, operands):
                return self._rule(function)(self.values[node], *(self._operand(operand, node) for operand in operands))
            case Reduce("sum", body, _):
                parts = [NamedArray(part.axes, self.magnitudes[part]) for part in factors(body)]
                return contract(parts, node.axes, self.arguments.extents)
            case Reduce(reduction, body, over):
                # The largest and the smallest are no further off than the element that is furthest off.
                kind = "prod" if reduction == "prod" else "max"
                found = reduced(kind, NamedArray(body.axes, self.magnitudes[body]), over)
                return np.maximum(found, np.abs(self.values[node]))
            case _:
                return np.abs(self.values[node])

    def _operand(self, operand: Expr, node: Expr) -> Operand:
        value, magnitude = (
            align(NamedArray(operand.axes, known[operand]), node.axes) for known in (self.values, self.magnitudes)
        )
        roundings = self.roundings[operand]
        error = np.zeros_like(value) if self._exact(operand) else bound(magnitude, roundings, self.precision)
        return Operand(value, magnitude, error)

    def _rule(self, function: str) -> Rule:
        if function in JUMPS:
            return partial(self._jump, JUMPS[function])
        return self._choice if function == "where" else MAGNITUDES[function]

    def _jump(self, jump: Jump, value: Array, *operands: Operand) -> Array:
        distance = np.abs(jump.distance(*(operand.value for operand in operands)))
        reach = np.asarray(sum(operand.error for operand in operands))
        return np.abs(value) + self._allowing(jump.size, (reach > 0) & (distance <= reach))

    def _extreme(self, value: Array, body: Operand, extreme: Operand, over: tuple[int, ...]) -> Array:
        # The largest is one of the values that were computed, so it is certain which, unless another comes near it.
        near = np.abs(body.value - extreme.value) <= body.error + extreme.error
        contested = near & (near.sum(axis=over, keepdims=True) > 1) & (body.error > 0)
        return np.abs(value) + self._allowing(1.0, contested)

    def _choice(self, _: Array, condition: Operand, x: Operand, y: Operand) -> Array:
        # A comparison that comes out 0 whatever is rounded has the smallest magnitude there is.
        uncertain = (condition.magnitude > self.precision.smallest) & (condition.lower == 0)
        taken = np.where(condition.value != 0, x.magnitude, y.magnitude)
        either = np.maximum(x.magnitude, y.magnitude)
        return np.where(uncertain, either + self._allowing(np.abs(x.value - y.value), uncertain), taken)

    def _allowing(self, size: Array | float, uncertain: NDArray[np.bool_]) -> Array:
        """What a magnitude must have added for the error bound to allow for a jump of `size` where it is uncertain."""
        least = bound(np.ones(()), Roundings(), self.precision)
        return np.where(uncertain, size / least, 0.0)


def bound(magnitude: Array, roundings: Roundings, precision: Precision) -> Array:
    """The E of the bound."""
    return np.asarray(4.0 * precision.epsilon * (roundings.number + 4.0) * magnitude)


def _roundings(node: Expr, known: Mapping[Expr, Roundings], arguments: Arguments) -> Roundings:
    match node:
        case Reduce("max" | "min", body, _):
            return Roundings(1, known[body].number)
        case Reduce("prod", body, over):
            length = prod(arguments.extents[axis.extent] for axis in over)
            return Roundings(1, length * (known[body].number + 4.0))  # relative errors of all factors add up
        case Reduce(_, body, over):
            length = prod(arguments.extents[axis.extent] for axis in over)
            inner = _together([known[part] for part in factors(body)])
            return Roundings(max(1, length) * inner.terms, inner.below)
        case Apply("mul" | "div", operands):
            return _together([known[operand] for operand in operands])
        case Apply("add" | "sub" | "neg", operands):
            parts = [known[operand] for operand in operands]
            return Roundings(max(part.terms for part in parts), max(part.below for part in parts))
        case Apply(_, operands):
            return Roundings(1, max(known[operand].number for operand in operands))
        case _:
            return Roundings()


def _together(parts: Sequence[Roundings]) -> Roundings:
    """Of a product: the relative errors of its factors add up."""
    longest, *others = sorted((part.terms for part in parts), reverse=True)
    return Roundings(longest, sum(part.below for part in parts) + sum(sqrt(terms) for terms in others if terms > 1))


def _scaled(slope: Array, operand: Operand) -> Array:
    """slope · M, which is 0 where M is, also where the slope is infinite."""
    return np.where(operand.magnitude == 0.0, 0.0, slope * operand.magnitude)


def _steepest(operand: Operand, exponent: Array) -> Array:
    """The most |x| ** exponent can be within the operand's error."""
    return np.where(exponent >= 0, operand.upper**exponent, operand.lower**exponent)
