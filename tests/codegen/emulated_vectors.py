"""Vectors of generated modules run by Python itself: the names of the SIMD layer, on NumPy arrays.

Every lane that is read or written is checked against the array it lies in; types are as strict as the compiler's.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import scipy.special
from numpy.typing import NDArray

from autotune.codegen.strided_memory import StridedOperations
from autotune.codegen.vector_memory import VectorOperations

Array = NDArray[Any]


class Pointer(Protocol):
    """What a memory operation needs of `tests.codegen.emulation.Pointer`."""

    flat: Array

    def check(self, offset: int) -> None:
        """Raise IndexError for an offset outside the array."""


class Vector:
    """Lanes of float32, float64 or int64."""

    __array_ufunc__ = None  # NumPy's numbers leave operators with a vector to the vector
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Array) -> None:
        assert values.ndim == 1
        assert values.dtype in (np.float32, np.float64, np.int64), values.dtype
        self.values = values

    @property
    def lanes(self) -> int:
        return len(self.values)

    @property
    def real(self) -> bool:
        return self.values.dtype.kind == "f"

    def other(self, value: Any) -> Any:
        """The values of the other operand, which must be of this type, or a number or literal that meets it."""
        if isinstance(value, Vector):
            assert value.values.dtype == self.values.dtype
            assert value.lanes == self.lanes
            return value.values
        number(value, self.values.dtype)
        return self.values.dtype.type(value)

    def _arithmetic(self, function: Callable[[Any, Any], Array], value: Any, *, swapped: bool = False) -> "Vector":
        other = self.other(value)
        with np.errstate(all="ignore"):
            return Vector(function(other, self.values) if swapped else function(self.values, other))

    def _compared(self, function: Callable[[Any, Any], Array], value: Any) -> "Mask":
        return Mask(function(self.values, self.other(value)))

    def __add__(self, value: Any) -> "Vector":
        return self._arithmetic(np.add, value)

    def __radd__(self, value: Any) -> "Vector":
        return self._arithmetic(np.add, value, swapped=True)

    def __sub__(self, value: Any) -> "Vector":
        return self._arithmetic(np.subtract, value)

    def __rsub__(self, value: Any) -> "Vector":
        return self._arithmetic(np.subtract, value, swapped=True)

    def __mul__(self, value: Any) -> "Vector":
        return self._arithmetic(np.multiply, value)

    def __rmul__(self, value: Any) -> "Vector":
        return self._arithmetic(np.multiply, value, swapped=True)

    def __truediv__(self, value: Any) -> "Vector":
        assert self.real
        return self._arithmetic(np.divide, value)

    def __rtruediv__(self, value: Any) -> "Vector":
        assert self.real
        return self._arithmetic(np.divide, value, swapped=True)

    def __floordiv__(self, divisor: int) -> "Vector":
        self._check_divisor(divisor)
        return Vector(self.values // divisor)

    def __mod__(self, divisor: int) -> "Vector":
        self._check_divisor(divisor)
        return Vector(self.values % divisor)

    def _check_divisor(self, divisor: int) -> None:
        assert not self.real
        assert isinstance(divisor, int)
        assert divisor > 0

    def __pow__(self, exponent: int) -> "Vector":
        assert isinstance(exponent, int)
        assert self.real or exponent >= 0
        with np.errstate(all="ignore"):
            power = np.ones_like(self.values)
            for _ in range(abs(exponent)):
                power = power * self.values
            return Vector(power if exponent >= 0 else 1 / power)

    def __neg__(self) -> "Vector":
        return Vector(-self.values)

    def __abs__(self) -> "Vector":
        return Vector(np.abs(self.values))

    def __lt__(self, value: Any) -> "Mask":
        return self._compared(np.less, value)

    def __le__(self, value: Any) -> "Mask":
        return self._compared(np.less_equal, value)

    def __gt__(self, value: Any) -> "Mask":
        return self._compared(np.greater, value)

    def __ge__(self, value: Any) -> "Mask":
        return self._compared(np.greater_equal, value)

    def __eq__(self, value: Any) -> "Mask":  # type: ignore[override]
        return self._compared(np.equal, value)

    def __ne__(self, value: Any) -> "Mask":  # type: ignore[override]
        return self._compared(np.not_equal, value)

    def __bool__(self) -> bool:
        message = "a vector is no truth value"
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"Vector({self.values})"


class Mask:
    """A truth value for each lane."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Array) -> None:
        assert values.dtype == np.bool_
        assert values.ndim == 1
        self.values = values

    def _with(self, function: Callable[[Any, Any], Array], value: Any) -> "Mask":
        assert isinstance(value, Mask | bool | np.bool_)
        return Mask(function(self.values, value.values if isinstance(value, Mask) else value))

    def __and__(self, value: Any) -> "Mask":
        return self._with(np.logical_and, value)

    def __or__(self, value: Any) -> "Mask":
        return self._with(np.logical_or, value)

    def __xor__(self, value: Any) -> "Mask":
        return self._with(np.logical_xor, value)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> "Mask":
        return Mask(~self.values)

    def __eq__(self, value: Any) -> "Mask":  # type: ignore[override]
        return self._with(np.equal, value)

    def __ne__(self, value: Any) -> "Mask":  # type: ignore[override]
        return self._with(np.not_equal, value)

    def __bool__(self) -> bool:
        message = "a mask is no truth value"
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"Mask({self.values})"


def number(value: Any, dtype: Any) -> None:
    """Assert that a number meets vectors of `dtype`: one of that dtype, or a Python int."""
    if isinstance(value, int) and not isinstance(value, bool):
        return
    assert np.dtype(type(value)) == np.dtype(dtype), (type(value), dtype)


# Functions of numbers and vectors


def _elementary(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        with np.errstate(all="ignore"):
            if not isinstance(x, Vector):
                assert isinstance(x, float | np.floating), type(x)
                return function(x)
            assert x.real
            return Vector(function(x.values))

    return apply


def _mixed(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        if not isinstance(a, Vector) and not isinstance(b, Vector):
            return type(a + b)(function(a, b))
        a, b = (a.values, a.other(b)) if isinstance(a, Vector) else (b.other(a), b.values)
        return Vector(function(a, b))

    return apply


def select(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, `b` elsewhere."""
    lanes = next((value for value in (a, b) if isinstance(value, Vector | Mask)), None)
    if lanes is None and not isinstance(condition, Mask):
        return a if condition else b
    holds = condition.values if isinstance(condition, Mask) else condition
    if isinstance(lanes, Mask) or isinstance(a, bool | np.bool_):
        return Mask(np.where(holds, *(value.values if isinstance(value, Mask) else value for value in (a, b))))
    if lanes is None:
        whole = isinstance(a, int | np.integer) and isinstance(b, int | np.integer)
        lanes = Vector(np.zeros(len(holds), np.int64 if whole else np.result_type(a, b)))
    chosen = np.where(holds, lanes.other(a), lanes.other(b))
    return Vector(np.broadcast_to(chosen, lanes.values.shape).copy())


def as_real(x: Any, real: Callable[[Any], Any]) -> Any:
    """A whole number, a truth value or a real number as a `real`."""
    return Vector(x.values.astype(np.dtype(type(real(0))))) if isinstance(x, Vector | Mask) else real(x)


def whole(x: Any) -> Any:
    """A real number as an int64, without what is after the point."""
    if not isinstance(x, Vector):
        return int(x)
    with np.errstate(invalid="ignore"):
        return Vector(x.values.astype(np.int64))


def _reduction(function: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        if not isinstance(x, Vector):
            return x
        values = x.values
        while len(values) > 1:
            half = len(values) // 2
            values = function(values[:half], values[half:])
        return values[0]

    return apply


def _agreement(function: Callable[[Any], Any]) -> Callable[[Any], bool]:
    return lambda mask: bool(function(mask.values)) if isinstance(mask, Mask) else bool(mask)


# Memory


def _read(base: Pointer, offsets: Iterable[int], inside: Iterable[Any], outside: Any) -> Vector:
    number(outside, base.flat.dtype)
    found = []
    for offset, mine in zip(offsets, inside, strict=True):
        if mine:
            base.check(int(offset))
        found.append(base.flat[int(offset)] if mine else outside)
    return Vector(np.array(found, base.flat.dtype))


def _write(base: Pointer, offsets: Iterable[int], inside: Iterable[Any], vector: Vector) -> None:
    assert isinstance(vector, Vector)
    assert vector.values.dtype == base.flat.dtype
    for offset, mine, value in zip(offsets, inside, vector.values, strict=True):
        if mine:
            base.check(offset)
            base.flat[offset] = value


def vector_operations(lanes: int) -> VectorOperations:
    """The memory operations on vectors of `lanes` elements."""
    numbers = range(lanes)
    every = [True] * lanes

    def at(offset: int, stride: int) -> list[int]:
        return [offset + lane * stride for lane in numbers]

    def between(first: int, last: int) -> list[bool]:
        return [first <= lane < last for lane in numbers]

    def splat(value: Any) -> Any:
        if isinstance(value, bool | np.bool_):
            return Mask(np.full(lanes, value))
        return Vector(np.full(lanes, value, np.int64 if isinstance(value, int) else None))

    def transpose(
        source: Pointer, source_step: int, target: Pointer, target_step: int, rows: int, columns: int
    ) -> None:
        for row in range(rows):
            for column in range(columns):
                source.check(row * source_step + column)
                target.check(column * target_step + row)
                target.flat[column * target_step + row] = source.flat[row * source_step + column]

    return VectorOperations(
        load=lambda base, offset: _read(base, at(offset, 1), every, 0),
        store=lambda base, offset, vector: _write(base, at(offset, 1), every, vector),
        load_first=lambda base, offset, count: _read(base, at(offset, 1), between(0, count), 0),
        store_first=lambda base, offset, vector, count: _write(base, at(offset, 1), between(0, count), vector),
        broadcast=lambda base, offset: _read(base, at(offset, 0), every, 0),
        splat=splat,
        load_between=lambda base, offset, first, last, outside: _read(
            base, at(offset, 1), between(first, last), outside
        ),
        store_between=lambda base, offset, vector, first, last: _write(
            base, at(offset, 1), between(first, last), vector
        ),
        gather=lambda base, offset, stride: _read(base, at(offset, stride), every, 0),
        gather_first=lambda base, offset, stride, count: _read(base, at(offset, stride), between(0, count), 0),
        gather_between=lambda base, offset, stride, first, last, outside: _read(
            base, at(offset, stride), between(first, last), outside
        ),
        gather_at=lambda base, offsets, mask, outside: _read(base, offsets.values, mask.values, outside),
        scatter=lambda base, offset, stride, vector: _write(base, at(offset, stride), every, vector),
        scatter_first=lambda base, offset, stride, vector, count: _write(
            base, at(offset, stride), between(0, count), vector
        ),
        scatter_between=lambda base, offset, stride, vector, first, last: _write(
            base, at(offset, stride), between(first, last), vector
        ),
        stream=lambda base, offset, vector: _write(base, at(offset, 1), every, vector),
        stream_first=lambda base, offset, vector, count: _write(base, at(offset, 1), between(0, count), vector),
        ramp=lambda start: Vector(np.arange(start, start + lanes, dtype=np.int64)),
        first_lanes=lambda count: Mask(np.array(between(0, count))),
        lanes_between=lambda first, last: Mask(np.array(between(first, last))),
        one_lane=lambda number: Mask(np.array(between(number, number + 1))),
        transpose=transpose,
    )


def strided_operations(lanes: int, step: int) -> StridedOperations:
    """The memory operations on vectors whose lanes are `step` elements apart."""
    every = vector_operations(lanes)
    return StridedOperations(
        load=lambda base, offset: every.gather(base, offset, step),
        store=lambda base, offset, vector: every.scatter(base, offset, step, vector),
        load_first=lambda base, offset, count: every.gather_first(base, offset, step, count),
        store_first=lambda base, offset, vector, count: every.scatter_first(base, offset, step, vector, count),
        load_between=lambda base, offset, first, last, outside: every.gather_between(
            base, offset, step, first, last, outside
        ),
        store_between=lambda base, offset, vector, first, last: every.scatter_between(
            base, offset, step, vector, first, last
        ),
    )


NAMES: dict[str, Any] = {
    "reciprocal": lambda x: 1 / x,
    "quotient": lambda a, x, _: a / x,
    "exp": _elementary(np.exp),
    "log": _elementary(np.log),
    "tanh": _elementary(np.tanh),
    "erf": _elementary(scipy.special.erf),
    "sigmoid": _elementary(scipy.special.expit),
    "sin": _elementary(np.sin),
    "cos": _elementary(np.cos),
    "sqrt": _elementary(np.sqrt),
    "rsqrt": _elementary(lambda x: 1 / np.sqrt(x)),
    "floor": _elementary(np.floor),
    "sign": lambda x: Vector(np.sign(x.values)) if isinstance(x, Vector) else np.sign(x),
    "larger": _mixed(np.maximum),
    "smaller": _mixed(np.minimum),
    "power": _mixed(np.power),
    "select": select,
    "as_real": as_real,
    "whole": whole,
    "any_lane": _agreement(np.any),
    "all_lanes": _agreement(np.all),
    "total": _reduction(np.add),
    "product": _reduction(np.multiply),
    "largest": _reduction(np.maximum),
    "smallest": _reduction(np.minimum),
    "vector_operations": vector_operations,
    "strided_operations": strided_operations,
    "fence": lambda: None,
}
