"""Copies of windows onto tensors into panels: what an explicit im2col would hold, made block by block in the caches.

An element of a panel stands in one place across it (a row or a column of the product) and in one along it (a depth).
Its offset in the tensor is the sum of what the two places contribute, and so is its index in each dimension that it may
lead out of, where it counts as zero (the columns of Chellapilla, Puri and Simard 2006, "High performance convolutional
neural networks for document processing", §3, of which no more than a block is there at a time). So two tables say all.
They have an entry for each place, of whole numbers:

    0: how many entries from here on, this one included, are `step` elements apart and in the same place otherwise;
    1: the offset;  2, …: the index in each checked dimension.

Runs of such entries are copied as vectors; a vector holds several where they are short.
"""

from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from autotune.codegen import llvm, simd
from autotune.codegen.strided_memory import strided_operations
from autotune.codegen.symbols import distinct
from autotune.codegen.vector_memory import vector_operations
from autotune.codegen.vectors import Vector

FIELDS = 2  # of an entry, before the indices
REACH = 3  # numbers that say how far a checked dimension goes: its extent, the least and the greatest index in a table
SQUARES = 4  # vectors of depth that are transposed at a time, so that they stay in L1
# Intrinsics, called as what they are in compiled code and not as what Numba declares them to be.
get: Any = simd.get
put: Any = simd.put
shift: Any = simd.shift


@dataclass(frozen=True)
class Window:
    """What is known of an operand when code is generated: its panels, and how it lies in memory.

    Of the `checked` dimensions, number `moving` is the one along which a run moves, by `step`; -1 where that is not
    checked. Runs are `across` the panel, `along` the depth, or there are none (an empty `runs`).
    """

    width: int
    lanes: int
    checked: int
    moving: int
    step: int
    runs: str

    @property
    def fields(self) -> int:
        """Whole numbers of an entry of a table."""
        return FIELDS + self.checked

    @property
    def square(self) -> int:
        """Elements of the buffer in which panels are transposed."""
        return self.width * SQUARES * self.lanes if self.runs == "along" else 0


def _compiled(function: Any, *made_for: object) -> Any:
    return njit(error_model="numpy", nogil=True)(distinct(function, *made_for))


@intrinsic
def whole_numbers(_context: Any, base: types.CPointer) -> Any:
    """The memory at a pointer, taken as int64."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int64)(base), emit


@lru_cache(maxsize=64)
def run_lengths(checked: int, moving: int, step: int) -> Any:
    """`count_runs(table, entries)`: field 0 of each entry, from the others."""
    fields = FIELDS + checked

    def count_runs(table: Any, entries: Any) -> None:
        length = 0
        for entry in range(entries - 1, -1, -1):
            at = entry * fields
            joined = length > 0 and get(table, at + fields + 1) == get(table, at + 1) + step
            for index in range(checked):
                moved = step if index == moving else 0
                here, next_one = at + FIELDS + index, at + fields + FIELDS + index
                joined = joined and get(table, next_one) == get(table, here) + moved
            length = length + 1 if joined else 1
            put(table, at, length)

    return _compiled(count_runs, checked, moving, step)


@lru_cache(maxsize=64)
def index_reach(checked: int) -> Any:
    """`span(table, entries, reach)`: the least and the greatest index in each checked dimension."""
    fields = FIELDS + checked

    def span(table: Any, entries: Any, reach: Any) -> None:
        for index in range(checked):
            low = high = get(table, FIELDS + index)
            for entry in range(1, entries):
                at = get(table, entry * fields + FIELDS + index)
                low, high = min(low, at), max(high, at)
            put(reach, index * REACH + 1, low)
            put(reach, index * REACH + 2, high)

    return _compiled(span, checked)


@lru_cache(maxsize=256)
def window_packing(real: Any, window: Window) -> Any:
    """`pack(source, across, along, reach, target, count, depth, square)` that copies one panel.

    `target[d * width + w]` becomes the element at entry `w` of the table `across` and entry `d` of `along`, for
    `d < depth` and `w < count`; zero where an index is outside its dimension, and from `count` on. Panels that hold
    runs along the depth are put together in `square`.
    """
    kinds = {"across": _runs_across, "along": _runs_along}
    return kinds.get(window.runs, _elements)(real, window)


@lru_cache(maxsize=64)
def _some_lanes(lanes: int, step: int) -> tuple[Any, Any]:
    """`load_lanes(base, offset, first, last)`, zero elsewhere, and `store_lanes(base, offset, vector, first, last)`.

    Lanes are `step` elements apart where they are loaded from, and neighbours where they are stored. For 0 <= first
    and last <= lanes. Masks are made as bits: with AVX-512, in a third of the instructions of comparisons.
    """
    bits, some = ir.IntType(64), ir.VectorType(ir.IntType(1), lanes)

    def below(builder: Any, count: Any) -> Any:
        return builder.sub(builder.shl(bits(1), count), bits(1))

    def within(builder: Any, first: Any, last: Any) -> Any:
        """Bits from `first` to below `last`, which is less than 64."""
        begin = builder.select(builder.icmp_signed("<", first, bits(63)), first, bits(63))
        end = builder.select(builder.icmp_signed(">", last, bits(0)), last, bits(0))
        return builder.and_(below(builder, end), builder.not_(below(builder, begin)))

    def mask(builder: Any, chosen: Any, part: int) -> Any:
        shifted = builder.lshr(chosen, bits(part * lanes)) if part else chosen
        return builder.bitcast(builder.trunc(shifted, ir.IntType(lanes)), some)

    def spread(builder: Any, base: Any, offset: Any, first: Any, last: Any) -> Any:
        # All elements from the first lane's to the last's, of which every `step`-th is kept.
        end = builder.sub(builder.mul(last, bits(step)), bits(step - 1))
        chosen = within(builder, builder.mul(first, bits(step)), end)
        kept = None
        for part in range(step):
            at = builder.add(offset, bits(part * lanes))
            loaded = llvm.load_masked(builder, base, at, mask(builder, chosen, part))
            places = [lane * step - part * lanes for lane in range(lanes)]
            here = [lanes + place if 0 <= place < lanes else lane for lane, place in enumerate(places)]
            kept = llvm.shuffled(builder, loaded if kept is None else kept, loaded, here)
        return kept

    @intrinsic
    def load_lanes(
        _context: Any, base: types.CPointer, offset: types.Integer, first: types.Integer, last: types.Integer
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, first, last = arguments
            if step > 1:
                return spread(builder, base, offset, first, last)
            return llvm.load_masked(builder, base, offset, mask(builder, within(builder, first, last), 0))

        return Vector(base.dtype, lanes)(base, types.intp, types.intp, types.intp), emit

    @intrinsic
    def store_lanes(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        value: Vector,
        first: types.Integer,
        last: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value, first, last = arguments
            llvm.store_masked(builder, value, base, offset, mask(builder, within(builder, first, last), 0))
            return context.get_dummy_value()

        return types.void(base, types.intp, value, types.intp, types.intp), emit

    return load_lanes, store_lanes


@lru_cache(maxsize=256)
def _run_copy(lanes: int, checked: int, moving: int, step: int) -> Any:
    """`copy(source, run, places, count, reach, target, by, first, last, room)`: lanes of vectors, one for each place.

    Lanes from `first` to below `last` become the elements of the run that begins at the entry `run` of its table, at
    each of the `count` entries of the table `places`; the others up to `room` become zero. The vectors are `by`
    elements apart in the target, and those that begin with another run (`first` > 0) keep it.
    """
    vectors, runs, fields = vector_operations(lanes), strided_operations(lanes, step), FIELDS + checked
    store, load, (load_lanes, store_lanes) = vectors.store, runs.load, _some_lanes(lanes, step)

    def copy(
        source: Any,
        run: Any,
        places: Any,
        count: Any,
        reach: Any,
        target: Any,
        by: Any,
        first: Any,
        last: Any,
        room: Any,
    ) -> None:
        # Inside in all checked dimensions, or in all but the one along the run, at every place: fewer checks then.
        base, inside, beside = get(run, 1) - step * first, True, True
        for index in range(checked):
            at, extent = get(run, FIELDS + index), get(reach, index * REACH)
            end = at + step * (last - first - 1) if index == moving else at
            low, high = get(reach, index * REACH + 1), get(reach, index * REACH + 2)
            within = at + low >= 0 and end + high < extent
            inside = inside and within
            beside = beside and (within or index == moving)
        whole = first == 0 and room == lanes
        if inside and whole and last == lanes:
            for place in range(count):
                store(target, place * by, load(source, base + get(places, place * fields + 1)))
            return
        for place in range(count):
            entry = shift(places, place * fields)
            begin, end = first, last
            for index in range(checked):
                if index == moving or not beside:
                    here, extent = get(run, FIELDS + index) + get(entry, FIELDS + index), get(reach, index * REACH)
                    if index == moving:
                        begin = first + (max(-here, 0) + step - 1) // step
                        end = min(end, first + (extent - here + step - 1) // step)
                    elif here < 0 or here >= extent:
                        end = 0
            value = load_lanes(source, base + get(entry, 1), begin, end)
            if whole:
                store(target, place * by, value)
            else:
                store_lanes(target, place * by, value, first, room)

    return _compiled(copy, lanes, checked, moving, step)


def _copy_of(window: Window) -> Any:
    return _run_copy(window.lanes, window.checked, window.moving, window.step)


def _runs_across(real: Any, window: Window) -> Any:
    """Runs are copied as they are, each for all depths."""
    width, lanes, fields, copy = window.width, window.lanes, window.fields, _copy_of(window)

    def pack(
        source: Any, across: Any, along: Any, reach: Any, target: Any, count: Any, depth: Any, _square: Any
    ) -> None:
        for start in range(0, width, lanes):
            room, lane = min(lanes, width - start), start
            while lane == start or lane < min(count, start + room):
                first, run = lane - start, shift(across, min(lane, count - 1) * fields)
                last = min(first + get(run, 0), room, count - start) if lane < count else 0
                copy(source, run, along, depth, reach, shift(target, start), width, first, last, room)
                lane = start + max(last, 1)

    return _compiled(pack, real, *astuple(window))


def _runs_along(real: Any, window: Window) -> Any:
    """Runs are copied side by side into a square, which is then transposed into the panel."""
    width, lanes, fields, copy = window.width, window.lanes, window.fields, _copy_of(window)
    transpose, chunk = vector_operations(lanes).transpose, SQUARES * lanes

    def pack(
        source: Any, across: Any, along: Any, reach: Any, target: Any, count: Any, depth: Any, square: Any
    ) -> None:
        for lane in range(count * chunk, width * chunk):
            put(square, lane, real(0.0))
        for begin in range(0, depth, chunk):
            length = min(chunk, depth - begin)
            for start in range(0, length, lanes):
                room, d = min(lanes, length - start), start
                while d < start + room:
                    first, run = d - start, shift(along, (begin + d) * fields)
                    last = min(first + get(run, 0), room)
                    copy(source, run, across, count, reach, shift(square, start), chunk, first, last, lanes)
                    d = start + last
            transpose(square, chunk, shift(target, begin * width), width, width, length)

    return _compiled(pack, real, *astuple(window))


def _elements(real: Any, window: Window) -> Any:
    """One element after the other, where nothing lies side by side."""
    width, fields, checked = window.width, window.fields, window.checked

    def pack(
        source: Any, across: Any, along: Any, reach: Any, target: Any, count: Any, depth: Any, _square: Any
    ) -> None:
        for d in range(depth):
            place = shift(along, d * fields)
            for lane in range(width):
                value = real(0.0)
                if lane < count:
                    entry = shift(across, lane * fields)
                    inside = True
                    for index in range(checked):
                        at = get(entry, FIELDS + index) + get(place, FIELDS + index)
                        inside = inside and 0 <= at < get(reach, index * REACH)
                    if inside:
                        value = get(source, get(entry, 1) + get(place, 1))
                put(target, d * width + lane, value)

    return _compiled(pack, real, *astuple(window))
