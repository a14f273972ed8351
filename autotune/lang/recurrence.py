"""Error bounds of recurrences.

Where a step is a smooth function s' = F(s, …) of what it carries, the error of the carried values follows

    e'_i = Σ_j |∂F_i/∂s_j| e_j + what step i rounds by itself, given exact s,

to first order: running error analysis with the true derivatives, which a complex step gives. A state that decays
forgets its errors, as it does in fact. Where an error may carry an operand over a kink or a jump, the rules for
expressions are applied to that step instead, in the lanes where it may; they bound either side.

The exact states are known, so all but the recursion itself is computed for many steps at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from autotune.lang.affine import Affine
from autotune.lang.arrays import NamedArray, align, over, real
from autotune.lang.axes import Axis
from autotune.lang.constructs import Scan
from autotune.lang.evaluation import Arguments, Values, value
from autotune.lang.expressions import Apply, Expr, Read
from autotune.lang.functions import Array
from autotune.lang.graph import subexpressions
from autotune.lang.magnitudes import JUMPS
from autotune.lang.precision import Roundings, error_units
from autotune.lang.traverse import scan_inputs, step_nodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autotune.lang.conditioning import Conditions

Mask: TypeAlias = "NDArray[np.bool_]"

_PER_NODE = 1 / 8  # the half an epsilon that a node adds, in the units of the bound, 4 epsilon
_UNIT = float(error_units(np.ones(()), Roundings()))
_TINY = 1e-20  # a complex step: its square is nothing beside 1
_AT_ONCE = 2**15  # elements of all lanes and steps that are looked at together
_KINKS: Mapping[str, Callable[..., Array]] = {
    **{name: jump.distance for name, jump in JUMPS.items()},
    "maximum": np.subtract,
    "minimum": np.subtract,
    "abs": lambda u: u,
    "relu": lambda u: u,
}
"""How far operands are from where a function is not smooth."""


def recurrence(scan: Scan, outer: "Conditions") -> tuple[tuple[Array, Mask, Roundings], ...]:
    """The magnitude of each carried value after every step, where it is exact, and its roundings."""
    axes = scan.axes
    shape = outer.space.shape(axes)
    values = [real(outer.values[scan.result(number)]) for number in range(len(scan.steps))]
    found = [np.zeros(shape) for _ in values]
    if 0 not in shape:
        errors = [_spread(scan, outer, start) for start in scan.starts]
        for stretch in _stretches(scan, outer, values):
            for index, after in stretch.errors(errors):
                errors = after
                for array, error in zip(found, after, strict=True):
                    array[..., index] = error
    return tuple(
        (np.maximum(np.abs(array), error / _UNIT), error == 0.0, Roundings())
        for array, error in zip(values, found, strict=True)
    )


def _spread(scan: Scan, outer: "Conditions", start: Expr) -> Array:
    """The error of a start in units of machine epsilon, over all lanes."""
    error = _units(outer, start, 0.0)
    return over(scan.lanes, NamedArray(start.axes, error), outer.space.shape(scan.lanes))


def _units(known: "Conditions", node: Expr, more: float) -> Array:
    """The error of a node, with `more` roundings, in units of machine epsilon."""
    return np.where(known.exact[node], 0.0, error_units(known.magnitudes[node], known.roundings[node].after(more)))


def _stretches(scan: Scan, outer: "Conditions", values: Sequence[Array]) -> Iterator["_Stretch"]:
    """The steps in their order, a stretch of them at a time."""
    lanes, length = outer.space.shape(scan.lanes), outer.space.extents[scan.axis.extent]
    size = max(1, _AT_ONCE // max(1, prod(lanes)))
    starts = [over(scan.lanes, NamedArray(start.axes, outer.values[start]), lanes)[..., None] for start in scan.starts]
    before = []
    for start, after in zip(starts, values, strict=True):
        # Each value before a step: that after the one before it.
        parts = [after[..., 1:], start] if scan.reverse else [start, after[..., :-1]]
        before.append(np.concatenate(parts, axis=-1))
    firsts = range(0, length, size)
    for first in reversed(firsts) if scan.reverse else firsts:
        yield _Stretch.of(scan, outer, before, range(first, min(first + size, length)))


@dataclass(frozen=True)
class _Stretch:
    """Consecutive steps of a scan, as expressions over an axis of their own that reads take the place of all else in.

    `before` reads the carried values, each of `slopes` holds the derivatives of a part of the steps by each of these.
    """

    scan: Scan
    axis: Axis
    indices: range
    before: tuple[Read, ...]
    given: tuple[Read, ...]
    steps: tuple[Expr, ...]
    nodes: tuple[Expr, ...]
    known: "Conditions"
    slopes: Mapping[Expr, tuple[Array, ...]]

    @staticmethod
    def of(scan: Scan, outer: "Conditions", before: Sequence[Array], indices: range) -> "_Stretch":
        """The steps at `indices`, with all that is known of them where the carried values are exact."""
        taken = {*outer.space.extents, *outer.arguments.arrays, *(axis.name for axis in scan.axes)}
        name = next(name for name in (f"step_{number}" for number in range(len(taken) + 1)) if name not in taken)
        axis = Axis(name, name)
        arrays: dict[str, Any] = dict(outer.arguments.arrays)
        done: dict[Expr, Expr] = {}

        def stand_in(node: Expr, axes: Sequence[Axis], array: "NDArray[Any]") -> Read:
            own = f"{name}_{len(done)}"
            arrays[own] = _cut(scan, axes, array, indices)
            indexed = tuple(axis if one == scan.axis else one for one in axes)
            read = Read(own, indexed, integer=array.dtype.kind == "i")
            done[node] = read
            return read

        reads = [stand_in(carry, scan.axes, array) for carry, array in zip(scan.carries, before, strict=True)]
        inputs = [node for node in dict.fromkeys(scan_inputs(scan)) if node not in done]
        given = [stand_in(node, node.axes, outer.values[node]) for node in inputs]
        for node in step_nodes(scan):
            if node not in done:
                done[node] = _rebuilt(node, done, scan.axis, axis, indices.start)
        steps = tuple(done[step] for step in scan.steps)
        leaves = {*reads, *given}
        nodes = subexpressions(steps, lambda node: () if node in leaves else node.children)
        nodes = tuple(node for node in nodes if node not in leaves)
        space = replace(outer.space, extents={**outer.space.extents, name: len(indices)})
        arguments = Arguments(arrays, space)
        values: Values = {read: arrays[read.tensor] for read in leaves}
        for node in nodes:
            values[node] = value(node, values, arguments, space)
        known = outer.over(arguments, values)
        for node, read in zip(inputs, given, strict=True):
            magnitude, exact = (
                _cut(scan, node.axes, found[node], indices) for found in (outer.magnitudes, outer.exact)
            )
            known.put(read, magnitude, exact, outer.roundings[node])
        for node in (*reads, *nodes):
            known.add(node)
        found = _Stretch(scan, axis, indices, tuple(reads), tuple(given), steps, nodes, known, {})
        return replace(found, slopes=found._slopes())

    def errors(self, before: Sequence[Array]) -> Iterator[tuple[int, list[Array]]]:
        """After every step: its index, and the errors in units of machine epsilon, given those before the stretch."""
        own = [self._lanes(step, _units(self.known, step, _PER_NODE * len(self.nodes))) for step in self.steps]
        kinks = list(self._kinks())
        errors = list(before)
        for at in reversed(range(len(self.indices))) if self.scan.reverse else range(len(self.indices)):
            after = [
                _carried_over([slope[..., at] for slope in self.slopes[step]], errors) + array[..., at]
                for step, array in zip(self.steps, own, strict=True)
            ]
            doubtful = np.zeros(errors[0].shape, np.bool_)
            for distance, reach, slopes in kinks:
                carried = _carried_over([slope[..., at] for slope in slopes], errors)
                limit = reach[..., at] + self.known.precision.epsilon * carried
                doubtful |= (limit > 0) & (distance[..., at] <= limit)
            for error in after:
                doubtful |= np.isnan(error)
            if doubtful.any():
                ruled = self._ruled(at, errors)
                after = [np.where(doubtful, one, other) for one, other in zip(ruled, after, strict=True)]
            errors = after
            yield self.indices[at], errors

    def _kinks(self) -> Iterator[tuple[Array, Array, list[Array]]]:
        """Of each function that is not smooth: how far from it its operands are, their own errors and slopes."""
        count = len(self.before)
        for node in self.nodes:
            if isinstance(node, Apply) and node.function in _KINKS:
                operands = [self._lanes(operand, real(self.known.values[operand])) for operand in node.operands]
                reach = np.sum([self._lanes(operand, self.known.error(operand)) for operand in node.operands], axis=0)
                parts = [self.slopes[operand] for operand in node.operands if operand in self.slopes]
                slopes = [np.sum([part[number] for part in parts], axis=0) for number in range(count)] if parts else []
                yield np.abs(_KINKS[node.function](*operands)), reach, slopes

    def _slopes(self) -> dict[Expr, tuple[Array, ...]]:
        """|∂ node / ∂ carried value| for all parts of the steps, by a complex step of each carried value."""
        parts = tuple(dict.fromkeys((*self.before, *self.nodes, *self.steps)))
        columns: list[list[Array]] = []
        for moved in self.before:
            values: Values = {read: self.known.values[read] for read in (*self.before, *self.given)}
            values[moved] = values[moved] + 1j * _TINY
            for node in self.nodes:
                values[node] = value(node, values, self.known.arguments, self.known.space)
            columns.append([self._lanes(part, np.abs(values[part].imag)) / _TINY for part in parts])
        return dict(zip(parts, zip(*columns, strict=True), strict=True))

    def _ruled(self, at: int, errors: Sequence[Array]) -> list[Array]:
        """The errors after one step by the rules for expressions; operations and inexact inputs add a rounding each."""
        space = self.known.space.at(self.axis, at)
        inner = self.known.within(space, {node: self._at(node, array, at) for node, array in self.known.values.items()})
        for read in self.given:
            magnitude, exact = (self._at(read, known[read], at) for known in (self.known.magnitudes, self.known.exact))
            inner.put(read, magnitude, exact, self.known.roundings[read])
        for read, error in zip(self.before, errors, strict=True):
            sizes = np.maximum(np.abs(real(inner.values[read])), error / _UNIT)
            inner.put(read, sizes, error == 0.0, Roundings())
        for node in self.nodes:
            inner.add(node)
        more = _PER_NODE * len(self.nodes) + sum(not inner.exact[read].all() for read in self.given)
        lanes = self.scan.lanes
        shape = space.shape(lanes)
        return [over(lanes, NamedArray(space.free(step.axes), _units(inner, step, more)), shape) for step in self.steps]

    def _at(self, node: Expr, array: "NDArray[Any]", at: int) -> "NDArray[Any]":
        return array.take(at, axis=node.axes.index(self.axis)) if self.axis in node.axes else array

    def _lanes(self, node: Expr, array: Array) -> Array:
        """An array over the axes of `node` as one over the lanes and the steps."""
        axes = (*self.scan.lanes, self.axis)
        return np.broadcast_to(align(NamedArray(node.axes, array), axes), self.known.space.shape(axes))


def _cut(scan: Scan, axes: Sequence[Axis], array: "NDArray[Any]", indices: range) -> "NDArray[Any]":
    """The part of an array over `axes` at `indices` of the scan's axis."""
    return array[tuple(slice(indices.start, indices.stop) if axis == scan.axis else slice(None) for axis in axes)]


def _rebuilt(node: Expr, done: Mapping[Expr, Expr], old: Axis, new: Axis, first: int) -> Expr:
    """A part of a step over the axis `new`, which begins at index `first` of the scan's."""
    children = [done[child] for child in node.children]
    match node:
        case Apply("stop_gradient"):
            return children[0]  # an error is passed on all the same
        case Read(tensor, indices, pad, integer):
            place = {old: Affine(((new, 1),), first).simplest()}
            moved = [one if isinstance(one, Expr) else Affine.of(one).substitute(place).simplest() for one in indices]
            return Read(tensor, tuple(moved), pad, integer).rebuild(children)
        case _:
            return node.rebuild(children)


def _carried_over(slopes: Sequence[Array], errors: Sequence[Array]) -> Array:
    """Σ_j |∂/∂s_j| e_j over the lanes."""
    total = np.zeros(errors[0].shape)
    for slope, error in zip(slopes, errors, strict=False):  # what depends on nothing carried has no slopes
        total = total + np.where(error == 0.0, 0.0, slope * error)
    return total
