"""The magnitude of every pointwise function's value: how large what is rounded on the way to it can be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi, sqrt
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from autotune.lang.functions import Array


@dataclass(frozen=True)
class Operand:
    """What a rule may know of an operand: arrays of its value, magnitude and error bound, broadcast over the result.

    The error is 0 where the operand is `exact`.
    """

    value: Array
    magnitude: Array
    error: Array
    exact: NDArray[np.bool_]

    @property
    def lower(self) -> Array:
        """The least |x| can be within the error."""
        return np.maximum(np.abs(self.value) - self.error, 0.0)

    @property
    def upper(self) -> Array:
        """The most |x| can be within the error."""
        return np.abs(self.value) + self.error


Rule: TypeAlias = Callable[..., Array]


def _scaled(slope: Array, operand: Operand) -> Array:
    """slope · M; 0 where M is, also where the slope is infinite, and where x is infinite, which no rounding changes."""
    return np.where((operand.magnitude == 0.0) | np.isinf(operand.value), 0.0, slope * operand.magnitude)


def contends(value: Array, error: Array, chosen: Array, error_of_chosen: Array) -> NDArray[np.bool_]:
    """Where a value may come out so near the one that is chosen, the largest or smallest, as to be chosen instead."""
    return ~(np.abs(value - chosen) > error + error_of_chosen)


def _chosen(y: Array, *operands: Operand) -> Array:
    """Of a choice of the largest or smallest: those that cannot be chosen do not count, however large they are."""
    shape = np.broadcast_shapes(np.shape(y), *(operand.value.shape for operand in operands))
    error = np.zeros(shape)
    for operand in operands:
        error = np.maximum(error, np.where(operand.value == y, operand.error, 0.0))
    magnitude = np.broadcast_to(np.abs(y), shape)
    for operand in operands:
        near = contends(operand.value, operand.error, y, error)
        magnitude = np.maximum(magnitude, np.where(near, operand.magnitude, 0.0))
    return magnitude


def _product(_: Array, u: Operand, v: Operand) -> Array:
    """The product of both, or what is off because of each: less where both are far from their values."""
    return np.fmin(u.magnitude * v.magnitude, u.magnitude * v.upper + u.upper * v.magnitude)


def _quotient(y: Array, u: Operand, v: Operand) -> Array:
    off = np.fmin(u.magnitude * v.magnitude, u.magnitude * v.lower + u.upper * v.magnitude)
    magnitude: Array = np.where(np.isinf(v.value), np.abs(y), off / v.lower**2)
    return magnitude


def _steepest(operand: Operand, exponent: Array) -> Array:
    """The most |x| ** exponent can be within the operand's error."""
    return np.where(exponent >= 0, operand.upper**exponent, operand.lower**exponent)


# The magnitude of y = f(u, …), a rule a line.
MAGNITUDES: Mapping[str, Rule] = MappingProxyType(
    {
        "add": lambda _, u, v: u.magnitude + v.magnitude,
        "sub": lambda _, u, v: u.magnitude + v.magnitude,
        "mul": _product,
        "div": _quotient,
        "neg": lambda _, u: u.magnitude,
        "pow": lambda y, u, p: np.abs(y) + _scaled(np.abs(p.value) * _steepest(u, p.value - 1), u),
        "maximum": _chosen,
        "minimum": _chosen,
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
        "relu": _chosen,
        "stop_gradient": lambda _, u: u.magnitude,
    }
)

UNROUNDED = frozenset({"neg", "maximum", "minimum", "abs", "relu", "stop_gradient"})
"""The functions whose values are exact where those of the operands are."""


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
