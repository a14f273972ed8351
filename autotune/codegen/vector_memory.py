"""Vectors from memory and back: whole, masked, strided, gathered, streamed, transposed.

`vector_operations` and `strided_operations` bind the compile-time sizes and return the intrinsics as named tuples;
generated modules call their members by plain names. Pointers are Numba `CPointer`s of float32, float64 or int64;
offsets, strides and counts are int64 and count elements, so any stride works. Lanes that an operation leaves out are
not touched in memory, whatever lies there.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from autotune.codegen import llvm
from autotune.codegen.llvm import INT1, INT32, INT64
from autotune.codegen.vectors import Mask, Vector


@intrinsic
def fence(_context: Any) -> Any:
    """Make streamed stores visible before whatever is stored afterwards."""

    def emit(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        if "x86" in builder.module.triple:
            llvm.intrinsic_call(builder, "llvm.x86.sse.sfence", ir.VoidType(), [])
        else:
            builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


class VectorOperations(NamedTuple):
    """Intrinsics on `Vector`s of one length."""

    load: Any
    """load(base, offset) -> vector"""
    store: Any
    """store(base, offset, vector)"""
    load_first: Any
    """load_first(base, offset, count) -> vector whose lanes from `count` on are zero and not read"""
    store_first: Any
    """store_first(base, offset, vector, count): lanes from `count` on are not written"""
    broadcast: Any
    """broadcast(base, offset) -> vector with every lane the element at `offset`"""
    splat: Any
    """splat(value) -> vector, or mask of a truth value, with every lane `value`"""
    load_between: Any
    """load_between(base, offset, first, last, outside) -> the lanes first <= l < last, the others `outside`"""
    store_between: Any
    """store_between(base, offset, vector, first, last): only the lanes first <= l < last are written"""
    gather: Any
    """gather(base, offset, stride) -> vector whose lane l is the element at `offset + l * stride`"""
    gather_first: Any
    """gather_first(base, offset, stride, count): lanes from `count` on are zero and not read"""
    gather_between: Any
    """gather_between(base, offset, stride, first, last, outside)"""
    gather_at: Any
    """gather_at(base, offsets, mask, outside) -> vector of the elements at the offsets of lanes in `mask`"""
    scatter: Any
    """scatter(base, offset, stride, vector): lane l to `offset + l * stride`"""
    scatter_first: Any
    """scatter_first(base, offset, stride, vector, count)"""
    scatter_between: Any
    """scatter_between(base, offset, stride, vector, first, last)"""
    stream: Any
    """stream(base, offset, vector): past the caches where the address is a multiple of the vector's size, otherwise
    an ordinary store; `fence` orders it before later stores"""
    stream_first: Any
    """stream_first(base, offset, vector, count): as `stream` if all lanes are before `count`, else as `store_first`"""
    ramp: Any
    """ramp(start) -> int64 vector start, start + 1, …"""
    first_lanes: Any
    """first_lanes(count) -> mask of the lanes before `count`"""
    lanes_between: Any
    """lanes_between(first, last) -> mask"""
    one_lane: Any
    """one_lane(number) -> mask of that lane alone, of none where there is no such lane"""
    transpose: Any
    """transpose(source, source_step, target, target_step, rows, columns): the element at `c * target_step + r` of the
    target becomes that at `r * source_step + c` of the source"""


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


def vector_operations(lanes: int) -> VectorOperations:
    """Intrinsics on vectors of `lanes` elements."""
    consecutive, constant = _consecutive(lanes), _constant(lanes)
    gather, gather_first, gather_between = _gathers(lanes)
    scatter, scatter_first, scatter_between = _scatters(lanes)
    return VectorOperations(
        *(consecutive.load, consecutive.store, consecutive.load_first, consecutive.store_first),
        *(_broadcast(lanes), constant.splat),
        *(consecutive.load_between, consecutive.store_between),
        *(gather, gather_first, gather_between, _gather_at(lanes)),
        *(scatter, scatter_first, scatter_between),
        *(
            *_streams(lanes),
            constant.ramp,
            constant.first_lanes,
            constant.lanes_between,
            constant.one_lane,
            _transpose(lanes),
        ),
    )


def strided_operations(lanes: int, step: int) -> StridedOperations:
    """Intrinsics on vectors of `lanes` elements that are `step` >= 1 apart."""
    if step == 1:
        return _consecutive(lanes)
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


def _consecutive(lanes: int) -> StridedOperations:
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


def _broadcast(lanes: int) -> Any:
    @intrinsic
    def broadcast(_context: Any, base: types.CPointer, offset: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset = arguments
            return llvm.splat(builder, builder.load(builder.gep(base, [offset])), lanes)

        return Vector(base.dtype, lanes)(base, types.intp), emit

    return broadcast


class _Constant(NamedTuple):
    """Vectors and masks that come from numbers alone."""

    splat: Any
    ramp: Any
    first_lanes: Any
    lanes_between: Any
    one_lane: Any


def _constant(lanes: int) -> _Constant:
    @intrinsic
    def splat(_context: Any, value: types.Number) -> Any:
        dtype = types.unliteral(value)
        kind = Mask(lanes) if dtype == types.boolean else Vector(dtype, lanes)

        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return llvm.splat(builder, arguments[0], lanes)

        return kind(dtype), emit

    @intrinsic
    def ramp(_context: Any, start: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.add(llvm.splat(builder, arguments[0], lanes), llvm.lane_numbers(lanes))

        return Vector(types.int64, lanes)(types.intp), emit

    @intrinsic
    def first_lanes(_context: Any, count: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return llvm.lanes_below(builder, arguments[0], lanes)

        return Mask(lanes)(types.intp), emit

    @intrinsic
    def lanes_between(_context: Any, first: types.Integer, last: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            first, last = arguments
            return llvm.lanes_between(builder, first, last, lanes)

        return Mask(lanes)(types.intp, types.intp), emit

    @intrinsic
    def one_lane(_context: Any, number: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return llvm.one_lane(builder, arguments[0], lanes)

        return Mask(lanes)(types.intp), emit

    return _Constant(splat, ramp, first_lanes, lanes_between, one_lane)


def _offsets(builder: Any, offset: Any, stride: Any, lanes: int) -> Any:
    """`offset + l * stride` for every lane."""
    steps = builder.mul(llvm.lane_numbers(lanes), llvm.splat(builder, stride, lanes))
    return builder.add(llvm.splat(builder, offset, lanes), steps)


def _gathers(lanes: int) -> tuple[Any, Any, Any]:
    @intrinsic
    def gather(_context: Any, base: types.CPointer, offset: types.Integer, stride: types.Integer) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            # Zen 4 takes half as long over loads and insertions as over a gather instruction.
            base, offset, stride = arguments
            at = [builder.add(offset, builder.mul(INT64(lane), stride)) for lane in range(lanes)]
            return llvm.load_one_by_one(builder, base, at)

        return Vector(base.dtype, lanes)(base, types.intp, types.intp), emit

    @intrinsic
    def gather_first(
        _context: Any, base: types.CPointer, offset: types.Integer, stride: types.Integer, count: types.Integer
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, count = arguments
            zero = llvm.constant(ir.VectorType(base.type.pointee, lanes), 0)
            mask = llvm.lanes_below(builder, count, lanes)
            return llvm.load_each(builder, base, _offsets(builder, offset, stride, lanes), mask, zero)

        return Vector(base.dtype, lanes)(base, types.intp, types.intp, types.intp), emit

    @intrinsic
    def gather_between(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        stride: types.Integer,
        first: types.Integer,
        last: types.Integer,
        outside: types.Number,
    ) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, first, last, outside = arguments
            mask = llvm.lanes_between(builder, first, last, lanes)
            others = llvm.splat(builder, outside, lanes)
            return llvm.load_each(builder, base, _offsets(builder, offset, stride, lanes), mask, others)

        return Vector(base.dtype, lanes)(base, *[types.intp] * 4, base.dtype), emit

    return gather, gather_first, gather_between


def _gather_at(lanes: int) -> Any:
    @intrinsic
    def gather_at(_context: Any, base: types.CPointer, offsets: Vector, mask: Mask, outside: types.Number) -> Any:
        def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            # No loads one by one here: taking the offsets out of their vector costs what the gather instruction does.
            base, offsets, mask, outside = arguments
            return llvm.load_each(builder, base, offsets, mask, llvm.splat(builder, outside, lanes))

        return Vector(base.dtype, lanes)(base, offsets, mask, base.dtype), emit

    return gather_at


def _scatters(lanes: int) -> tuple[Any, Any, Any]:
    @intrinsic
    def scatter(
        _context: Any, base: types.CPointer, offset: types.Integer, stride: types.Integer, value: Vector
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, value = arguments
            for lane in range(lanes):
                at = builder.add(offset, builder.mul(INT64(lane), stride))
                builder.store(builder.extract_element(value, INT32(lane)), builder.gep(base, [at]))
            return context.get_dummy_value()

        return types.void(base, types.intp, types.intp, value), emit

    @intrinsic
    def scatter_first(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        stride: types.Integer,
        value: Vector,
        count: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, value, count = arguments
            mask = llvm.lanes_below(builder, count, lanes)
            llvm.store_each(builder, value, base, _offsets(builder, offset, stride, lanes), mask)
            return context.get_dummy_value()

        return types.void(base, types.intp, types.intp, value, types.intp), emit

    @intrinsic
    def scatter_between(
        _context: Any,
        base: types.CPointer,
        offset: types.Integer,
        stride: types.Integer,
        value: Vector,
        first: types.Integer,
        last: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, stride, value, first, last = arguments
            mask = llvm.lanes_between(builder, first, last, lanes)
            llvm.store_each(builder, value, base, _offsets(builder, offset, stride, lanes), mask)
            return context.get_dummy_value()

        return types.void(base, types.intp, types.intp, value, types.intp, types.intp), emit

    return scatter, scatter_first, scatter_between


def _streams(lanes: int) -> tuple[Any, Any]:
    def past_caches(builder: Any, value: Any, base: Any, offset: Any) -> None:
        size = lanes * llvm.element_bytes(value.type)
        at = llvm.address(builder, base, offset, lanes)
        rest = builder.and_(builder.ptrtoint(at, INT64), INT64(size - 1))
        with builder.if_else(builder.icmp_signed("==", rest, INT64(0))) as (aligned, unaligned):
            with aligned:
                past = builder.store(value, at)
                past.align = size
                past.set_metadata("nontemporal", builder.module.add_metadata([INT32(1)]))
            with unaligned:
                llvm.store(builder, value, base, offset)

    @intrinsic
    def stream(_context: Any, base: types.CPointer, offset: types.Integer, value: Vector) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value = arguments
            past_caches(builder, value, base, offset)
            return context.get_dummy_value()

        return types.void(base, types.intp, value), emit

    @intrinsic
    def stream_first(
        _context: Any, base: types.CPointer, offset: types.Integer, value: Vector, count: types.Integer
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base, offset, value, count = arguments
            with builder.if_else(builder.icmp_signed(">=", count, INT64(lanes))) as (all_of_it, some):
                with all_of_it:
                    past_caches(builder, value, base, offset)
                with some:
                    llvm.store_masked(builder, value, base, offset, llvm.lanes_below(builder, count, lanes))
            return context.get_dummy_value()

        return types.void(base, types.intp, value, types.intp), emit

    return stream, stream_first


def _transpose(lanes: int) -> Any:
    @intrinsic
    def transpose(
        _context: Any,
        source: types.CPointer,
        source_step: types.Integer,
        target: types.CPointer,
        target_step: types.Integer,
        rows: types.Integer,
        columns: types.Integer,
    ) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            name = f"autotune_transpose_{lanes}_{llvm.suffix(arguments[0].type.pointee)}"
            llvm.outlined_call(
                builder, name, ir.VoidType(), arguments, lambda function: _define_transpose(function, lanes)
            )
            return context.get_dummy_value()

        return types.void(source, types.intp, target, types.intp, types.intp, types.intp), emit

    return transpose


def _define_transpose(function: Any, lanes: int) -> None:
    """Squares of `lanes` rows and columns, transposed in registers, with masks at the edges."""
    builder = ir.IRBuilder(function.append_basic_block())
    source, source_step, target, target_step, rows, columns = function.args
    step = INT64(lanes)
    with (
        cgutils.for_range_slice(builder, INT64(0), rows, step, INT64) as (row, _),
        cgutils.for_range_slice(builder, INT64(0), columns, step, INT64) as (column, _),
    ):
        rest = builder.sub(rows, row), builder.sub(columns, column)
        fits = [builder.icmp_signed(">=", count, step) for count in rest]
        here = builder.gep(source, [builder.add(builder.mul(row, source_step), column)])
        there = builder.gep(target, [builder.add(builder.mul(column, target_step), row)])
        with builder.if_else(builder.and_(*fits)) as (whole, edge):
            with whole:
                square = [llvm.load(builder, here, at, lanes) for at in _multiples(builder, source_step, lanes)]
                for value, at in zip(transposed(builder, square), _multiples(builder, target_step, lanes), strict=True):
                    llvm.store(builder, value, there, at)
            with edge:
                _transpose_edge(builder, here, source_step, there, target_step, *rest, lanes)
    builder.ret_void()


def _multiples(builder: Any, step: Any, lanes: int) -> list[Any]:
    return [builder.mul(INT64(row), step) for row in range(lanes)]


def _transpose_edge(
    builder: Any, source: Any, source_step: Any, target: Any, target_step: Any, rows: Any, columns: Any, lanes: int
) -> None:
    """A square of which only some rows and columns exist; a row that does not is loaded under an empty mask."""
    below_rows, below_columns = (llvm.lanes_below(builder, count, lanes) for count in (rows, columns))
    nothing = llvm.constant(below_rows.type, 0)

    def mask(row: int, count: Any, lanes_there: Any) -> Any:
        return builder.select(builder.icmp_signed("<", INT64(row), count), lanes_there, nothing)

    square = [
        llvm.load_masked(builder, source, at, mask(row, rows, below_columns))
        for row, at in enumerate(_multiples(builder, source_step, lanes))
    ]
    for column, (value, at) in enumerate(
        zip(transposed(builder, square), _multiples(builder, target_step, lanes), strict=True)
    ):
        llvm.store_masked(builder, value, target, at, mask(column, columns, below_rows))


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose a square of vectors by log2(lanes) rounds of pairwise exchanges of halves, quarters, and so on."""
    lanes = len(rows)
    half = lanes // 2
    while half:
        exchanged = list(rows)
        low = [lane if not lane & half else lane - half + lanes for lane in range(lanes)]
        high = [lane + half if not lane & half else lane + lanes for lane in range(lanes)]
        for row in range(lanes):
            if not row & half:
                a, b = rows[row], rows[row + half]
                exchanged[row] = llvm.shuffled(builder, a, b, low)
                exchanged[row + half] = llvm.shuffled(builder, a, b, high)
        rows, half = exchanged, half // 2
    return rows
