"""Vectors whose lanes lie in memory a constant number of elements apart: neighbours, or every second, third, …

Loads of what is `step` apart read `step` whole vectors and choose from them, which costs less than a gather for as few
as four (`autotune.codegen.lanes`).
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from autotune.codegen import llvm
from autotune.codegen.llvm import INT1, INT64
from autotune.codegen.vectors import Vector


class StridedOperations(NamedTuple):
    """Intrinsics on vectors whose lanes are a constant number of elements apart in memory.

    Loads read whole vectors and choose from them, so they also read the elements between, but none before the first
    lane's or after the last. Stores write the lanes' elements only.
    """

    load: Any
    """load(base, offset) -> vector whose lane l is the element at `offset + step * l`"""
    store: Any
    """store(base, offset, vector)"""
    load_first: Any
    """load_first(base, offset, count) -> vector whose lanes from `count` on are zero"""
    store_first: Any
    """store_first(base, offset, vector, count)"""
    load_between: Any
    """load_between(base, offset, first, last, outside)"""
    store_between: Any
    """store_between(base, offset, vector, first, last)"""


def strided_operations(lanes: int, step: int) -> StridedOperations:
    """Intrinsics on vectors of `lanes` elements that are `step` >= 1 apart."""
    if step == 1:
        return consecutive_operations(lanes)
    spread = _Spread(lanes, step)

    def load(builder: Any, base: Any, offset: Any) -> Any:
        return spread.chosen(builder, [llvm.load(builder, base, at, lanes) for at in spread.starts(builder, offset)])

    def load_masked(builder: Any, base: Any, offset: Any, first: Any, last: Any, outside: Any) -> Any:
        parts = [
            llvm.load_masked(builder, base, at, mask)
            for at, mask in zip(spread.starts(builder, offset), spread.within(builder, first, last), strict=True)
        ]
        mask = llvm.lanes_between(builder, first, last, lanes)
        return builder.select(mask, spread.chosen(builder, parts), outside)

    def store(builder: Any, value: Any, base: Any, offset: Any) -> None:
        for at, part, mask in spread.parts(builder, value, offset):
            llvm.store_masked(builder, part, base, at, mask)

    def store_masked(builder: Any, value: Any, base: Any, offset: Any, first: Any, last: Any) -> None:
        within = spread.ahead(builder, first, last)
        for (at, part, mask), inside in zip(spread.parts(builder, value, offset), within, strict=True):
            llvm.store_masked(builder, part, base, at, builder.and_(mask, inside))

    return _along(lanes, load, load_masked, store, store_masked)


def consecutive_operations(lanes: int) -> StridedOperations:
    """Intrinsics on vectors of `lanes` neighbours."""

    def load(builder: Any, base: Any, offset: Any) -> Any:
        return llvm.load(builder, base, offset, lanes)

    def load_masked(builder: Any, base: Any, offset: Any, first: Any, last: Any, outside: Any) -> Any:
        return llvm.load_masked(builder, base, offset, _lanes(builder, first, last, lanes), outside)

    def store_masked(builder: Any, value: Any, base: Any, offset: Any, first: Any, last: Any) -> None:
        llvm.store_masked(builder, value, base, offset, _lanes(builder, first, last, lanes))

    return _along(lanes, load, load_masked, llvm.store, store_masked)


def _lanes(builder: Any, first: Any, last: Any, lanes: int) -> Any:
    """The lanes from `first`, a constant 0 in many cases, to `last`."""
    if isinstance(first, ir.Constant) and first.constant == 0:
        return llvm.lanes_below(builder, last, lanes)
    return llvm.lanes_between(builder, first, last, lanes)


def _along(lanes: int, load: Any, load_masked: Any, store: Any, store_masked: Any) -> StridedOperations:
    """The intrinsics that these functions emit."""

    @intrinsic
    def loading(_context: Any, base: types.CPointer, offset: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return load(builder, *arguments)

        return Vector(base.dtype, lanes)(base, types.intp), emit

    @intrinsic
    def loading_first(_context: Any, base: types.CPointer, offset: types.Integer, count: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, count = arguments
            zero = llvm.constant(ir.VectorType(base.type.pointee, lanes), 0)
            return load_masked(builder, base, offset, INT64(0), count, zero)

        return Vector(base.dtype, lanes)(base, types.intp, types.intp), emit

    @intrinsic
    def loading_between(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        first: types.Integer,
        last: types.Integer,
        outside: types.Number,
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, first, last, outside = arguments
            return load_masked(builder, base, offset, first, last, llvm.splat(builder, outside, lanes))

        return Vector(base.dtype, lanes)(base, types.intp, types.intp, types.intp, base.dtype), emit

    @intrinsic
    def storing(_context: Any, base: types.CPointer, offset: types.Integer, value: Vector) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value = arguments
            store(builder, value, base, offset)
            return context.get_dummy_value()

        return types.void(base, types.intp, value), emit

    @intrinsic
    def storing_first(
        _context: Any, base: types.CPointer, offset: types.Integer, value: Vector, count: types.Integer
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value, count = arguments
            store_masked(builder, value, base, offset, INT64(0), count)
            return context.get_dummy_value()

        return types.void(base, types.intp, value, types.intp), emit

    @intrinsic
    def storing_between(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        value: Vector,
        first: types.Integer,
        last: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value, first, last = arguments
            store_masked(builder, value, base, offset, first, last)
            return context.get_dummy_value()

        return types.void(base, types.intp, value, types.intp, types.intp), emit

    return StridedOperations(loading, storing, loading_first, storing_first, loading_between, storing_between)


class _Spread:
    """Where the lanes of a vector lie in memory when they are `step` elements apart.

    They span `step` vectors of memory, of which the last is moved back so far that it ends with the last lane.
    """

    def __init__(self, lanes: int, step: int) -> None:
        self.lanes, self.step = lanes, step
        last = step * (lanes - 1) + 1 - lanes
        self.offsets = [min(part * lanes, last) for part in range(step - 1)] + [last]

    def starts(self, builder: Any, offset: Any) -> list[Any]:
        """Offsets of the vectors that are loaded."""
        return [builder.add(offset, INT64(start)) for start in self.offsets]

    def chosen(self, builder: Any, parts: list[Any]) -> Any:
        """The lanes' elements out of the vectors that were loaded."""
        found = parts[0]
        for number in range(1, len(parts)):
            indices = [self._index(lane, number) for lane in range(self.lanes)]
            found = llvm.shuffled(builder, found, parts[number], indices)
        return found

    def _index(self, lane: int, number: int) -> int:
        """Where lane `lane` is once parts up to `number` have been looked at: in those before, or in this one."""
        owner = self._owner(lane)
        if owner == number:
            return self.lanes + lane * self.step - self.offsets[number]
        if owner == 0 and number == 1:
            return lane * self.step
        return lane

    def _owner(self, lane: int) -> int:
        """The first part that holds a lane's element."""
        at = lane * self.step
        return next(number for number, start in enumerate(self.offsets) if start <= at < start + self.lanes)

    def within(self, builder: Any, first: Any, last: Any) -> list[Any]:
        """For each part that is loaded, which of its elements lie between those of two lanes."""
        low, high = self._elements(builder, first, last)
        return [self._range(builder, low, high, start) for start in self.offsets]

    def parts(self, builder: Any, value: Any, offset: Any) -> list[tuple[Any, Any, Any]]:
        """Offsets, vectors and masks of what is stored, one vector of memory after the other."""
        found = []
        for start in self._stored():
            elements = range(start, start + self.lanes)
            own = [at % self.step == 0 and at // self.step < self.lanes for at in elements]
            indices = [at // self.step if mine else 0 for at, mine in zip(elements, own, strict=True)]
            mask = ir.Constant(ir.VectorType(INT1, self.lanes), [INT1(mine) for mine in own])
            found.append((builder.add(offset, INT64(start)), llvm.shuffled(builder, value, value, indices), mask))
        return found

    def _stored(self) -> range:
        return range(0, self.step * (self.lanes - 1) + 1, self.lanes)

    def ahead(self, builder: Any, first: Any, last: Any) -> list[Any]:
        """The same as `within` for the parts that are stored."""
        low, high = self._elements(builder, first, last)
        return [self._range(builder, low, high, start) for start in self._stored()]

    def _elements(self, builder: Any, first: Any, last: Any) -> tuple[Any, Any]:
        """The element of lane `first` and the one after that of the last lane before `last`, within the vector."""
        zero, end = INT64(0), INT64(self.lanes)
        first = builder.select(builder.icmp_signed("<", first, zero), zero, first)
        last = builder.select(builder.icmp_signed(">", last, end), end, last)
        step = INT64(self.step)
        return builder.mul(first, step), builder.sub(builder.mul(last, step), INT64(self.step - 1))

    def _range(self, builder: Any, low: Any, high: Any, start: int) -> Any:
        low, high = (builder.sub(bound, INT64(start)) for bound in (low, high))
        return llvm.lanes_between(builder, low, high, self.lanes)
