"""Reading arrays at indices, and adding to them there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from autotune.errors import IndexRangeError
from autotune.lang.affine import Affine
from autotune.lang.arrays import NamedArray, align, contract, real
from autotune.lang.axes import Axis, unite
from autotune.lang.constructs import Scatter
from autotune.lang.expressions import Expr, Index, axes_of
from autotune.lang.functions import Numbers

Values: TypeAlias = Mapping[Expr, Numbers]
"""The values of nodes, each over its free axes in their order (over those that are not fixed)."""

_LARGEST_PADDING = 4  # how much larger than what is read from it a padded copy may be


@dataclass(frozen=True)
class Space:
    """Which indices the axes range over: their extents, and the index of those that are fixed.

    A step of a scan fixes the scan's own axis.
    """

    kernel: str
    extents: Mapping[str, int]
    fixed: Mapping[Axis, int] = field(default_factory=dict)

    def free(self, axes: Sequence[Axis]) -> tuple[Axis, ...]:
        """Those of `axes` that are not fixed."""
        return tuple(axis for axis in axes if axis not in self.fixed)

    def sizes(self, axes: Sequence[Axis]) -> dict[Axis, int]:
        """The number of indices of each of `axes`."""
        return {axis: self.extents[axis.extent] for axis in axes}

    def shape(self, axes: Sequence[Axis]) -> tuple[int, ...]:
        """The shape of an array over `axes`."""
        return tuple(self.extents[axis.extent] for axis in axes)

    def positions(self, axis: Axis) -> NDArray[np.int64]:
        """The indices of an axis, or the one that it is fixed at."""
        if axis in self.fixed:
            return np.asarray(self.fixed[axis], dtype=np.int64)
        return np.arange(self.extents[axis.extent], dtype=np.int64)

    def at(self, axis: Axis, index: int) -> "Space":
        """The space with this axis fixed."""
        return Space(self.kernel, self.extents, {**self.fixed, axis: index})


@dataclass(frozen=True)
class Source:
    """What is read: an array, what it is of, and the value outside it, if there is one."""

    origin: Expr | str
    array: Numbers
    pad: float | None = None


def read(source: Source, indices: Sequence[Index], axes: Sequence[Axis], space: Space, known: Values) -> Numbers:
    """The elements at `indices`, one per dimension, over `axes`; raises IndexRangeError where one leads outside.

    Reads at affine functions of the axes are windows onto the array, or onto a copy with the padding around it, where
    the index is a whole number everywhere.
    """
    axes = space.free(axes)
    if 0 in space.shape(axes):
        return np.zeros(space.shape(axes), source.array.dtype)
    bound = [_bind(index, space) for index in indices]
    affine = [index for index in bound if isinstance(index, Affine) and index.divisor == 1]
    if len(affine) == len(bound):
        window = _window(source, affine, axes, space)
        if window is not None:
            return window
    return _gather(source, bound, indices, axes, space, known)


def scatter(node: Scatter, factors: Sequence[NamedArray], space: Space, known: Values) -> Numbers:
    """The scatter of the product of `factors`, over the free axes of `node`."""
    indexing = axes_of(node.indices)
    # What no index depends on is summed first: a sum of products, which BLAS may do.
    inside = [axis for axis in unite([node.body.axes, indexing]) if axis not in node.over or axis in indexing]
    left = space.free(inside)
    in_body = tuple(axis for axis in left if axis in node.body.axes)
    sizes = space.sizes([axis for factor in factors for axis in factor.axes])
    terms = align(NamedArray(in_body, contract(factors, in_body, sizes)), left)
    terms = np.broadcast_to(terms, space.shape(left))
    shape = space.shape(space.free(node.axes))
    if terms.size == 0:
        return np.zeros(shape, terms.dtype)
    targets, valid = _targets(node, left, space, known)
    return _totals(targets[valid], real(terms)[valid], prod(shape)).reshape(shape)


def landed(node: Scatter, space: Space, known: Values) -> int:
    """The largest number of terms that are added up in one place."""
    indexing = axes_of(node.indices)
    inside = space.free(unite([node.body.axes, indexing]))
    left = tuple(axis for axis in inside if axis not in node.over or axis in indexing)
    together = prod(space.shape([axis for axis in inside if axis not in left]))
    if 0 in (*space.shape(left), *space.shape(space.free(node.axes))):
        return 0
    targets, valid = _targets(node, left, space, known)
    return together * int(np.bincount(targets[valid], minlength=1).max())


def _targets(
    node: Scatter, left: tuple[Axis, ...], space: Space, known: Values
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For every index of the axes `left`, where a term goes in the flat result, and whether it is inside."""
    kept = tuple(axis for axis in left if axis not in node.over)
    target, valid = np.zeros((), np.int64), np.ones((), np.bool_)
    for axis, index in [*((axis, axis) for axis in kept), *zip(node.onto, node.indices, strict=True)]:
        length = space.extents[axis.extent]
        positions, inside = _located(_bind(index, space), left, length, space, known)
        if node.strict and isinstance(index, Expr) and not inside.all():
            place = f"axis {axis} of a scatter"
            raise _outside(place, index, length, _numbers(index, left, space, known)[0], space)
        target, valid = target * length + positions, valid & inside
    shape = space.shape(left)
    return np.broadcast_to(target, shape), np.broadcast_to(valid, shape)


def _totals(targets: NDArray[np.int64], added: Numbers, length: int) -> Numbers:
    if added.dtype.kind == "c":
        return _totals(targets, added.real, length) + 1j * _totals(targets, added.imag, length)
    return np.bincount(targets, weights=added, minlength=length)


def _bind(index: Index, space: Space) -> Affine | Expr:
    """The index with extents and fixed axes put in."""
    if isinstance(index, Expr):
        return index
    affine = Affine.of(index)
    offset, terms = affine.offset, []
    for term, coefficient in affine.terms:
        if isinstance(term, str):
            offset += coefficient * space.extents[term]
        elif term in space.fixed:
            offset += coefficient * space.fixed[term]
        else:
            terms.append((term, coefficient))
    return Affine(tuple(terms), offset, affine.divisor)


def _window(source: Source, indices: Sequence[Affine], axes: Sequence[Axis], space: Space) -> Numbers | None:
    """The elements as a view; None where some are outside and there is no padding, or too much of it."""
    array = source.array
    bounds = [index.bounds(space.extents) for index in indices]
    widths = [(max(0, -lo), max(0, hi + 1 - n)) for (lo, hi), n in zip(bounds, array.shape, strict=True)]
    if any(map(any, widths)):
        size = prod(n + before + after for n, (before, after) in zip(array.shape, widths, strict=True))
        if source.pad is None or size > _LARGEST_PADDING * max(array.size, prod(space.shape(axes))):
            return None
        array = np.pad(array, widths, constant_values=source.pad)
    first = [index.offset + before for index, (before, _) in zip(indices, widths, strict=True)]
    origin = array[tuple(slice(start, None) for start in first)]
    steps = [
        sum(index.coefficient(axis) * stride for index, stride in zip(indices, array.strides, strict=True))
        for axis in axes
    ]
    return as_strided(origin, space.shape(axes), steps, writeable=False)


def _gather(
    source: Source,
    bound: Sequence[Affine | Expr],
    written: Sequence[Index],
    axes: Sequence[Axis],
    space: Space,
    known: Values,
) -> Numbers:
    array, valid, positions = source.array, np.ones((), np.bool_), []
    for dimension, (index, length) in enumerate(zip(bound, array.shape, strict=True)):
        where, inside = _located(index, axes, length, space, known)
        if source.pad is None and not inside.all():
            name = source.origin if isinstance(source.origin, str) else f"the intermediate {source.origin!r}"
            place = f"dimension {dimension + 1} of {name}"
            raise _outside(place, written[dimension], length, _numbers(index, axes, space, known)[0], space)
        positions.append(where)
        valid = valid & inside
    shape = space.shape(axes)
    if array.size == 0:
        return np.full(shape, source.pad, array.dtype)
    found = np.broadcast_to(array[tuple(positions)], shape)
    return found if source.pad is None else np.where(valid, found, np.asarray(source.pad, array.dtype))


def _located(
    index: Affine | Expr, axes: Sequence[Axis], length: int, space: Space, known: Values
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The index over `axes`, 0 where it is none from 0 to `length` - 1, and where it is one."""
    numbers, divisor = _numbers(index, axes, space, known)
    valid = (numbers >= 0) & (numbers < length * divisor)
    if divisor != 1:
        valid &= numbers % divisor == 0
    return np.where(valid, numbers, 0).astype(np.int64) // divisor, valid


def _numbers(index: Affine | Expr, axes: Sequence[Axis], space: Space, known: Values) -> tuple[Numbers, int]:
    """The index before the division, over `axes`, and its divisor."""
    if isinstance(index, Expr):
        return np.real(align(NamedArray(space.free(index.axes), known[index]), tuple(axes))), 1
    total = np.asarray(index.offset, dtype=np.int64)
    for term, coefficient in index.terms:
        assert isinstance(term, Axis)  # extents are put in
        total = total + coefficient * align(NamedArray((term,), space.positions(term)), tuple(axes))
    return total, index.divisor


def _outside(place: str, index: Index, length: int, numbers: Numbers, space: Space) -> IndexRangeError:
    wrong = numbers[~((numbers >= 0) & (numbers < length))]
    value = str(wrong[0].item()).removesuffix(".0") if wrong.size else "not whole"
    message = (
        f"kernel {space.kernel}: index {index} into {place} is {value}, but the extent is {length}: an index goes from "
        f"0 to {length - 1}, and .pad(…) says what is outside"
    )
    return IndexRangeError(message)
