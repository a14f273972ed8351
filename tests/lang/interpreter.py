"""Expressions by plain Python loops, an element at a time, in any floating-point type."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import scipy.special

from autotune.lang import (
    Affine,
    Apply,
    Axis,
    Carry,
    Constant,
    Expr,
    Extent,
    Index,
    Parameter,
    Position,
    Read,
    Reduce,
    Reindex,
    Scan,
    Scatter,
)

Place = Mapping[Axis, int]
Carried = Mapping[str, Any]

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": lambda x, y: x**y,
    "maximum": lambda x, y: x if x >= y or x != x else y,
    "minimum": lambda x, y: x if x <= y or x != x else y,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: type(x)(1) / np.sqrt(x),
    "tanh": np.tanh,
    "sigmoid": lambda x: type(x)(1) / (type(x)(1) + np.exp(-x)),
    "erf": scipy.special.erf,
    "sin": np.sin,
    "cos": np.cos,
    "abs": abs,
    "relu": lambda x: x if x > 0 else type(x)(0),
    "floor": np.floor,
    "sign": np.sign,
    "greater": lambda x, y: float(x > y),
    "equal": lambda x, y: float(x == y),
    "greater_equal": lambda x, y: float(x >= y),
    "where": lambda condition, x, y: x if condition != 0 else y,
    "stop_gradient": lambda x: x,
}


@dataclass(frozen=True)
class Interpreter:
    """Values of one kernel's expressions for given arguments and extents, computed in `dtype`."""

    arrays: Mapping[str, Any]
    extents: Mapping[str, int]
    dtype: Any = np.float64

    def array(self, expr: Expr, axes: tuple[Axis, ...]) -> Any:
        """The value at every index of `axes`."""
        shape = [self.extents[axis.extent] for axis in axes]
        result = np.zeros(shape, self.dtype)
        with np.errstate(all="ignore"):
            for index in np.ndindex(*shape):
                result[index] = self.value(expr, dict(zip(axes, index, strict=True)), {})
        return result

    def value(self, node: Expr, place: Place, carried: Carried) -> Any:
        """The value where the free axes have these indices and the scans around it carry these values."""
        return self.dtype(self._value(node, place, carried))

    def _value(self, node: Expr, place: Place, carried: Carried) -> Any:
        match node:
            case Constant(number):
                return number
            case Extent(name):
                return self.extents[name]
            case Position(axis):
                return place[axis]
            case Parameter(name):
                return self.arrays[name]
            case Carry(name):
                return carried[name]
            case Read(tensor, indices, pad):
                array = self.arrays[tensor]
                found = [self._index(index, place, carried) for index in indices]
                if all(index is not None and 0 <= index < n for index, n in zip(found, array.shape, strict=True)):
                    return array[tuple(found)]
                assert pad is not None, f"{node} at {found}"
                return pad
            case Apply(function, operands):
                return FUNCTIONS[function](*(self.value(operand, place, carried) for operand in operands))
            case Reduce(reduction, body, over):
                return self._reduced(
                    reduction, [self.value(body, {**place, **inner}, carried) for inner in self._box(over)]
                )
            case Reindex(body, bound, indices, pad):
                found = [self._index(index, place, carried) for index in indices]
                lengths = [self.extents[axis.extent] for axis in bound]
                if all(index is not None and 0 <= index < n for index, n in zip(found, lengths, strict=True)):
                    inside = {**place, **{axis: int(index) for axis, index in zip(bound, found, strict=True)}}  # type: ignore[arg-type]
                    return self.value(body, inside, carried)
                assert pad is not None, f"{node} at {found}"
                return pad
            case Scatter(body, over, onto, indices):
                total = self.dtype(0)
                for inner in self._box(over):
                    inside = {**place, **inner}
                    found = [self._index(index, inside, carried) for index in indices]
                    if found == [place[axis] for axis in onto]:
                        total += self.value(body, inside, carried)
                return total
            case Scan(axis, carries, starts, steps, which, reverse):
                state = [self.value(start, place, carried) for start in starts]
                length = self.extents[axis.extent]
                for position in reversed(range(place[axis], length)) if reverse else range(place[axis] + 1):
                    now = {**carried, **{carry.name: value for carry, value in zip(carries, state, strict=True)}}
                    state = [self.value(step, {**place, axis: position}, now) for step in steps]
                return state[which]
            case _:
                raise NotImplementedError(type(node))

    def _box(self, axes: tuple[Axis, ...]) -> list[dict[Axis, int]]:
        ranges = [range(self.extents[axis.extent]) for axis in axes]
        return [dict(zip(axes, index, strict=True)) for index in product(*ranges)]

    def _index(self, index: Index, place: Place, carried: Carried) -> int | None:
        match index:
            case Axis():
                return place[index]
            case Affine(terms, offset, divisor):
                number = offset
                for term, coefficient in terms:
                    number += coefficient * (place[term] if isinstance(term, Axis) else self.extents[term])
                return None if number % divisor else number // divisor
            case _:
                return int(self.value(index, place, carried))

    def _reduced(self, reduction: str, terms: list[Any]) -> Any:
        total: Any
        match reduction:
            case "sum":
                total = self.dtype(0)
                for term in terms:
                    total = total + term
                return total
            case "prod":
                total = self.dtype(1)
                for term in terms:
                    total = total * term
                return total
            case "max" | "first_max":
                return max(terms, default=-math.inf)
            case "min" | "first_min":
                return min(terms, default=math.inf)
            case "argmax":
                return terms.index(max(terms)) if terms else 0
            case _:
                return terms.index(min(terms)) if terms else 0
