"""Arrays whose dimensions are axes: broadcast, contracted and reduced by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from autotune.lang.axes import Axis
from autotune.lang.functions import EXACT, FUNCTIONS, Numbers

# NumPy's function of two numbers and what it gives of none.
_REDUCTIONS: Mapping[str, tuple[np.ufunc, float]] = {
    "max": (np.maximum, -np.inf),
    "min": (np.minimum, np.inf),
    "first_max": (np.maximum, -np.inf),
    "first_min": (np.minimum, np.inf),
    "prod": (np.multiply, 1.0),
}


@dataclass(frozen=True)
class NamedArray:
    """An array with the axes of its dimensions."""

    axes: tuple[Axis, ...]
    array: Numbers


def real(array: Numbers) -> Numbers:
    """Whole numbers as float64; float64 and complex128 arrays as they are."""
    return array if array.dtype.kind in "fc" else array.astype(np.float64)


def pointwise(function: str, operands: Sequence[NamedArray], axes: tuple[Axis, ...]) -> Numbers:
    """The function called `function` of operands broadcast over `axes`; of whole numbers whole where it is exact."""
    aligned = [align(operand, axes) for operand in operands]
    given = aligned if function in EXACT else list(map(real, aligned))
    result = np.asarray(FUNCTIONS[function].evaluate(*given))
    return result.astype(np.float64) if result.dtype == np.bool_ else result


def align(tensor: NamedArray, axes: tuple[Axis, ...]) -> Any:
    """The tensor's array as one that broadcasts over `axes`, in their order, of length 1 where it lacks the axis."""
    if tensor.axes == axes:
        return tensor.array
    present = [axis for axis in axes if axis in tensor.axes]
    ordered = tensor.array.transpose([tensor.axes.index(axis) for axis in present])
    return ordered[tuple(slice(None) if axis in tensor.axes else None for axis in axes)]


def contract(parts: Sequence[NamedArray], axes: tuple[Axis, ...], shape: Mapping[Axis, int]) -> Numbers:
    """The sum over all axes but `axes` of the product of `parts`, as an array over `axes`."""
    labels = {axis: label for label, axis in enumerate(dict.fromkeys(axis for part in parts for axis in part.axes))}
    if 0 in (shape[axis] for axis in labels):
        return np.zeros([shape[axis] for axis in axes])
    # Factors without axes stay outside, so that a product of two tensors and a number is still a call of BLAS.
    number = prod((real(part.array).item() for part in parts if not part.axes), start=1.0)
    labelled = [(real(part.array), [labels[axis] for axis in part.axes]) for part in parts if part.axes]
    if not labelled:
        return np.asarray(number)
    operands: list[Any] = list(chain.from_iterable(labelled))
    return np.asarray(number * np.einsum(*operands, [labels[axis] for axis in axes], optimize=True))


def reduced(reduction: str, tensor: NamedArray, bound: tuple[Axis, ...]) -> Numbers:
    """The largest, the smallest or the product over the axes `bound`: -inf, inf or 1 of none, NaN where any is NaN.

    argmax and argmin give the position of the first in the order of `bound`, 0 of none; NaN counts as largest and as
    smallest. Complex numbers are compared by their real parts.
    """
    if reduction in ("argmax", "argmin"):
        return _position(reduction, _rows(tensor, bound))
    function, start = _REDUCTIONS[reduction]
    if tensor.array.dtype.kind == "c" and reduction != "prod":
        return _complex_extreme(reduction.removeprefix("first_"), _rows(tensor, bound), start)
    positions = tuple(tensor.axes.index(axis) for axis in bound)
    return np.asarray(function.reduce(real(tensor.array), axis=positions, initial=start))


def _rows(tensor: NamedArray, bound: tuple[Axis, ...]) -> Numbers:
    """The array with the axes `bound`, in their order, as its last dimension."""
    kept = [position for position, axis in enumerate(tensor.axes) if axis not in bound]
    moved = tensor.array.transpose([*kept, *(tensor.axes.index(axis) for axis in bound)])
    length = prod(moved.shape[len(kept) :])
    return moved.reshape([*moved.shape[: len(kept)], length])


def _position(reduction: str, rows: Numbers) -> Numbers:
    if rows.shape[-1] == 0:
        return np.zeros(rows.shape[:-1], np.int64)
    find = np.argmax if reduction == "argmax" else np.argmin
    return np.asarray(find(rows.real, axis=-1), dtype=np.int64)


def _complex_extreme(reduction: str, rows: Numbers, start: float) -> Numbers:
    if rows.shape[-1] == 0:
        return np.full(rows.shape[:-1], start, rows.dtype)
    found = _position(f"arg{reduction}", rows)
    return np.take_along_axis(rows, found[..., None], axis=-1)[..., 0]


def over(axes: tuple[Axis, ...], tensor: NamedArray, shape: Sequence[int]) -> Numbers:
    """The tensor as a new array of this shape over `axes`, repeated along those that it lacks."""
    return np.array(np.broadcast_to(align(tensor, axes), shape), order="C")
