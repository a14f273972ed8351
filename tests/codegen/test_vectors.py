"""Vectors: what the compiler makes of operators and memory operations is what NumPy makes of them, lane by lane."""

import ctypes
import mmap
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit, types
from numba.core.errors import TypingError

from autotune.codegen import simd, vector_math, vector_memory
from autotune.codegen.strided_memory import strided_operations
from autotune.codegen.vector_memory import vector_operations
from tests.codegen.emulated_vectors import NAMES, Array
from tests.codegen.emulation import Pointer

pointer: Any = simd.pointer
keep: Any = simd.keep
fence: Any = vector_memory.fence
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc"}}
GUARD = -7
Function = Callable[..., Any]


def optimized(function: Function) -> Any:
    """The function as generated modules compile theirs."""
    return njit(**OPTIONS)(function)


@cache
def compiled(make: Callable[[Any], Function], dtype: str) -> Function:
    """The function that `make` writes in the names of the SIMD layer, compiled."""
    memory = {"vector_operations": vector_operations, "strided_operations": strided_operations, "fence": fence}
    names = memory | {name: getattr(vector_math, name) for name in NAMES.keys() - memory}
    function: Function = optimized(
        make(SimpleNamespace(**names, pointer=pointer, keep=keep, REAL=getattr(types, dtype), int64=types.int64))
    )
    return function


def emulated(make: Callable[[Any], Function], dtype: str) -> Function:
    """The same, run by Python."""
    return make(SimpleNamespace(**NAMES, pointer=Pointer, keep=lambda _: None, REAL=np.dtype(dtype).type, int64=int))


def numbers(dtype: str, count: int, seed: int = 0) -> Array:
    """Numbers of both signs, some of them zero, equal to their neighbour or not finite."""
    rng = np.random.default_rng(seed)
    if dtype == "int64":
        return rng.integers(-9, 10, count)
    values = rng.standard_normal(count)
    values[rng.integers(0, count, count // 8)] = 0.0
    values[rng.integers(0, count, count // 8)] = np.nan
    values[rng.integers(0, count, count // 8)] = np.inf
    values[rng.integers(1, count, count // 8)] = values[0]
    return values.astype(dtype)


def same_in_both(make: Callable[[Any], Function], dtype: str, x: Array, count: int, *arguments: Any) -> Array:
    """What both write to `count` elements, of which those not written stay `GUARD`; asserts that it is the same."""
    outs = np.full(count, GUARD, dtype), np.full(count, GUARD, dtype)
    for run, out in zip((compiled(make, dtype), emulated(make, dtype)), outs, strict=True):
        run(x, out, *arguments)
    if dtype == "int64":
        assert np.array_equal(*outs)
    else:
        rounding = 8 * float(np.finfo(dtype).eps)
        np.testing.assert_allclose(outs[0], outs[1], rtol=rounding, atol=rounding)
    return outs[0]


@cache
def real_operators(lanes: int) -> Callable[[Any], Function]:
    def make(on: Any) -> Function:
        operations = on.vector_operations(lanes)
        load, store, REAL = operations.load, operations.store, on.REAL
        pointer, keep = on.pointer, on.keep

        def run(x: Any, out: Any) -> None:
            target, source = pointer(out), pointer(x)
            a, b, number = load(source, 0), load(source, lanes), REAL(1.5)
            store(target, 0, a + b)
            store(target, lanes, a - b)
            store(target, 2 * lanes, a * b)
            store(target, 3 * lanes, a / b)
            store(target, 4 * lanes, -a)
            store(target, 5 * lanes, abs(a))
            store(target, 6 * lanes, number - a)
            store(target, 7 * lanes, a / number)
            store(target, 8 * lanes, number / a + 2)
            store(target, 9 * lanes, 3 * a)
            store(target, 10 * lanes, a**2)
            store(target, 11 * lanes, a**7)
            store(target, 12 * lanes, a**-3)
            store(target, 13 * lanes, a**0)
            running = b
            running += a
            running *= number
            running -= b
            running /= number
            store(target, 14 * lanes, running)
            keep(x)
            keep(out)

        return run

    return make


@cache
def whole_operators(lanes: int) -> Callable[[Any], Function]:
    def make(on: Any) -> Function:
        operations = on.vector_operations(lanes)
        load, store, ramp, pointer, keep = operations.load, operations.store, operations.ramp, on.pointer, on.keep

        def run(x: Any, out: Any, start: int) -> None:
            target, source = pointer(out), pointer(x)
            a, b = load(source, 0), load(source, lanes)
            store(target, 0, a + b)
            store(target, lanes, a - start)
            store(target, 2 * lanes, 5 * a * b)
            store(target, 3 * lanes, a // 4)
            store(target, 4 * lanes, a % 4)
            store(target, 5 * lanes, a // 3)
            store(target, 6 * lanes, a % 3)
            store(target, 7 * lanes, -a)
            store(target, 8 * lanes, abs(a))
            store(target, 9 * lanes, ramp(start) + start)
            store(target, 10 * lanes, a**3)
            store(target, 11 * lanes, a // 1 + a % 1)
            keep(x)
            keep(out)

        return run

    return make


@cache
def comparisons(lanes: int) -> Callable[[Any], Function]:
    def make(on: Any) -> Function:
        operations = on.vector_operations(lanes)
        load, store, first_lanes, lanes_between = (
            operations.load,
            operations.store,
            operations.first_lanes,
            operations.lanes_between,
        )
        select, larger, smaller, sign = on.select, on.larger, on.smaller, on.sign
        any_lane, all_lanes, pointer, keep = on.any_lane, on.all_lanes, on.pointer, on.keep

        def run(x: Any, out: Any, yes: bool) -> None:
            target, source = pointer(out), pointer(x)
            a, b = load(source, 0), load(source, lanes)
            store(target, 0, select(a < b, a, b))
            store(target, lanes, select(a <= b, a, 3))
            store(target, 2 * lanes, select(a > b, 2, b))
            store(target, 3 * lanes, select(~(a >= b), a, b))
            store(target, 4 * lanes, select((a == b) | (a > 0), a, b))
            store(target, 5 * lanes, select((a != b) & (b > 0), a, b))
            store(target, 6 * lanes, select(((a != b) ^ first_lanes(3)) & yes, a, b))
            store(target, 7 * lanes, select(lanes_between(1, 3) == (a > b), a, b))
            store(target, 8 * lanes, larger(a, b))
            store(target, 9 * lanes, smaller(a, b))
            store(target, 10 * lanes, larger(a, 0))
            store(target, 11 * lanes, sign(a))
            store(target, 12 * lanes, select(yes, a, b))
            both = a > b
            both &= first_lanes(5)
            both |= first_lanes(1)
            if any_lane(both):
                store(target, 13 * lanes, b)
            if all_lanes((a == a) | (a != a)):
                store(target, 14 * lanes, b)
            if any_lane(first_lanes(0)) or all_lanes(first_lanes(lanes - 1)):
                store(target, 15 * lanes, b)
            keep(x)
            keep(out)

        return run

    return make


@cache
def masks(lanes: int) -> Callable[[Any], Function]:
    def make(on: Any) -> Function:
        operations = on.vector_operations(lanes)
        load, store, select = operations.load, operations.store, on.select
        first_lanes, lanes_between, one_lane = operations.first_lanes, operations.lanes_between, operations.one_lane
        pointer, keep = on.pointer, on.keep

        def run(x: Any, out: Any, first: int, last: int) -> None:
            target, value = pointer(out), load(pointer(x), 0)
            store(target, 0, select(first_lanes(last), value, 0))
            store(target, lanes, select(lanes_between(first, last), value, 0))
            store(target, 2 * lanes, select(one_lane(first), value, 0))
            keep(x)
            keep(out)

        return run

    return make


def test_operators_of_real_vectors() -> None:
    for dtype, lanes in (("float32", 16), ("float32", 8), ("float64", 8), ("float64", 2)):
        same_in_both(real_operators(lanes), dtype, numbers(dtype, 2 * lanes), 15 * lanes)


def test_operators_of_whole_vectors() -> None:
    for lanes in (8, 2):
        same_in_both(whole_operators(lanes), "int64", numbers("int64", 2 * lanes), 12 * lanes, -5)


@pytest.mark.parametrize("lanes", [2, 8, 16])
def test_masks_of_any_whole_numbers(lanes: int) -> None:
    """Also of such as do not fit 32 bits."""
    far = (-(2**63), -(2**32), -(2**32) + 1, -1, 0, 1, lanes - 1, lanes, 2**31, 2**32, 2**32 + 1, 2**63 - 2)
    for first in far:
        for last in (-(2**32) + 1, 0, 1, lanes - 1, 2**32 + 1):
            same_in_both(masks(lanes), "float32", numbers("float32", lanes), 3 * lanes, first, last)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_comparisons_masks_and_choices(dtype: str) -> None:
    for seed in range(4):
        out = same_in_both(comparisons(8), dtype, numbers(dtype, 16, seed), 16 * 8, seed % 2 == 0)
        assert (out[15 * 8 :] == GUARD).all()
        assert (out[14 * 8 : 15 * 8] != GUARD).any()


@pytest.mark.parametrize(
    ("dtype", "expression"),
    [
        ("float32", lambda a: a + np.float64(1.5)),
        ("float32", lambda a: a & a),
        ("float32", lambda a: a // 2),
        ("int64", lambda a: a / a),
        ("int64", lambda a: a + 1.5),
        ("int64", lambda a: a // -2),
        ("int64", lambda a: a**-1),
        ("float64", lambda a: (a > a) + a),
        ("float64", lambda a: a if a > a else -a),
    ],
)
def test_what_does_not_meet_is_an_error_of_types(dtype: str, expression: Function) -> None:
    load = vector_operations(4).load
    inner = njit(expression)

    @njit
    def run(x: Any) -> None:
        inner(load(pointer(x), 0))

    with pytest.raises(TypingError):
        run(np.ones(4, dtype))


@pytest.mark.avx512
def test_products_and_sums_become_fmas() -> None:
    operations = vector_operations(8)
    load, store = operations.load, operations.store

    @optimized
    def run(x: Any, out: Any) -> None:
        a = load(pointer(x), 0)
        store(pointer(out), 0, a * load(pointer(x), 8) + load(pointer(x), 16))
        keep(x)
        keep(out)

    run(np.ones(24, np.float32), np.ones(8, np.float32))
    (assembly,) = run.inspect_asm().values()
    (ir,) = run.inspect_llvm().values()
    assert "vfmadd" in assembly
    assert "fadd reassoc contract <8 x float>" in ir


# Memory


@cache
def between(lanes: int, steps: int | None, kind: str) -> Callable[[Any], Function]:
    """Loads of one kind stored whole, then stores of the same kind; `steps` None are gathers of any stride."""

    def make(on: Any) -> Function:
        plain = on.vector_operations(lanes)
        strided = on.strided_operations(lanes, steps or 1)
        load, store, REAL, pointer, keep = plain.load, plain.store, on.REAL, on.pointer, on.keep
        gather, gather_first, gather_between = plain.gather, plain.gather_first, plain.gather_between
        scatter, scatter_first, scatter_between = plain.scatter, plain.scatter_first, plain.scatter_between

        def gathers(x: Any, out: Any, start: int, stride: int, first: int, last: int) -> None:
            source, target = pointer(x), pointer(out)
            value = load(source, 0)
            if kind == "all":
                store(target, 0, gather(source, start, stride))
                scatter(target, start, stride, value)
            elif kind == "first":
                store(target, 0, gather_first(source, start, stride, last))
                scatter_first(target, start, stride, value, last)
            else:
                store(target, 0, gather_between(source, start, stride, first, last, REAL(5)))
                scatter_between(target, start, stride, value, first, last)
            keep(x)
            keep(out)

        load_strided, load_first, load_between = strided.load, strided.load_first, strided.load_between
        store_strided, store_first, store_between = strided.store, strided.store_first, strided.store_between

        def neighbours(x: Any, out: Any, start: int, _stride: int, first: int, last: int) -> None:
            source, target = pointer(x), pointer(out)
            value = load(source, 0)
            if kind == "all":
                store(target, 0, load_strided(source, start))
                store_strided(target, start, value)
            elif kind == "first":
                store(target, 0, load_first(source, start, last))
                store_first(target, start, value, last)
            else:
                store(target, 0, load_between(source, start, first, last, REAL(5)))
                store_between(target, start, value, first, last)
            keep(x)
            keep(out)

        return neighbours if steps else gathers

    return make


RANGES = [(0, 0), (0, 1), (-3, 2), (1, 3), (2, 100), (-5, -2), (3, 2), (0, 8), (-100, 100), (7, 8), (8, 9)]


@pytest.mark.parametrize("kind", ["all", "first", "between"])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, None])
@pytest.mark.parametrize(("dtype", "lanes"), [("float32", 8), ("float64", 4), ("int64", 2), ("float32", 16)])
def test_memory_operations_touch_their_lanes(dtype: str, lanes: int, steps: int | None, kind: str) -> None:
    make = between(lanes, steps, kind)
    fast, checked = compiled(make, dtype), emulated(make, dtype)
    x = np.arange(600).astype(dtype)
    for stride in (steps,) if steps else (1, 2, -3, 0, 17):
        for first, last in RANGES:
            if stride == 0 and kind != "first":  # several lanes to one place: which of them stays is left open
                continue
            outs = np.full(600, GUARD, dtype), np.full(600, GUARD, dtype)
            for run, out in zip((fast, checked), outs, strict=True):
                run(x, out, 290, stride, first, min(last, 1) if stride == 0 else last)
            assert np.array_equal(*outs), (stride, first, last)


@pytest.fixture
def fenced() -> Iterator[Array]:
    """A page of memory between two that may not be touched."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 3 * page)
    octets = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    fences = [ctypes.c_void_p(octets.ctypes.data + offset) for offset in (0, 2 * page)]
    for edge in fences:
        assert libc.mprotect(edge, page, 0) == 0
    yield octets[page : 2 * page]
    for edge in fences:
        libc.mprotect(edge, page, mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, None])
@pytest.mark.parametrize("lanes", [2, 8])
def test_lanes_outside_may_lie_where_no_memory_is(fenced: Array, lanes: int, steps: int | None) -> None:
    memory = fenced.view(np.float32)
    end = memory.size
    memory[:] = np.arange(end)
    out = np.empty(lanes, np.float32)
    stride = steps or 3
    for first, last in {
        (0, lanes),
        (0, 1),
        (0, lanes // 2),
        (1, lanes),
        (lanes - 1, lanes),
        (lanes // 2, lanes),
        (0, 0),
    }:
        for kind in ("all", "first", "between"):
            if (kind == "all" and (first, last) != (0, lanes)) or (kind == "first" and first):
                continue
            run = compiled(reading(lanes, steps, kind), "float32")
            expected = [lane * stride if first <= lane < last else 0.0 for lane in range(lanes)]
            run(memory, out, -first * stride, stride, first, last)  # the first lane is the first element
            assert np.array_equal(out[first:last], memory[: (last - first) * stride : stride][: last - first])
            start = end - 1 - (last - 1) * stride if last else end
            run(memory, out, start, stride, first, last)  # the last lane is the last element
            assert np.array_equal(out[first:last], [start + at for at in expected[first:last]])


@cache
def reading(lanes: int, steps: int | None, kind: str) -> Callable[[Any], Function]:
    """A load from fenced memory, and a store of the same lanes to where they came from."""

    def make(on: Any) -> Function:
        plain, strided = on.vector_operations(lanes), on.strided_operations(lanes, steps or 1)
        store, pointer, keep, REAL = plain.store, on.pointer, on.keep, on.REAL
        load_each, load_first, load_between = strided.load, strided.load_first, strided.load_between
        store_each, store_first, store_between = strided.store, strided.store_first, strided.store_between
        gather, gather_first, gather_between = plain.gather, plain.gather_first, plain.gather_between
        scatter, scatter_first, scatter_between = plain.scatter, plain.scatter_first, plain.scatter_between
        neighbours = steps is not None

        def run(x: Any, out: Any, start: int, stride: int, first: int, last: int) -> None:
            source = pointer(x)
            if kind == "all":
                value = load_each(source, start) if neighbours else gather(source, start, stride)
                if neighbours:
                    store_each(source, start, value)
                else:
                    scatter(source, start, stride, value)
            elif kind == "first":
                value = load_first(source, start, last) if neighbours else gather_first(source, start, stride, last)
                if neighbours:
                    store_first(source, start, value, last)
                else:
                    scatter_first(source, start, stride, value, last)
            else:
                if neighbours:
                    value = load_between(source, start, first, last, REAL(0))
                    store_between(source, start, value, first, last)
                else:
                    value = gather_between(source, start, stride, first, last, REAL(0))
                    scatter_between(source, start, stride, value, first, last)
            store(pointer(out), 0, value)
            keep(x)
            keep(out)

        return run

    return make


@cache
def looked_up(lanes: int) -> Callable[[Any], Function]:
    def make(on: Any) -> Function:
        plain = on.vector_operations(lanes)
        gather_at, splat, store, ramp, broadcast = (
            plain.gather_at,
            plain.splat,
            plain.store,
            plain.ramp,
            plain.broadcast,
        )
        as_real, whole, total, product, largest, smallest = (
            on.as_real,
            on.whole,
            on.total,
            on.product,
            on.largest,
            on.smallest,
        )
        pointer, keep, REAL, select = on.pointer, on.keep, on.REAL, on.select

        def run(x: Any, out: Any, start: int) -> None:
            source, target = pointer(x), pointer(out)
            offsets = ramp(start) * 3 - 20
            value = gather_at(source, offsets, (offsets >= 0) & (offsets < 40), REAL(-1))
            store(target, 0, value)
            store(target, lanes, as_real(offsets, REAL) + as_real(offsets > 3, REAL))
            store(target, 2 * lanes, as_real(whole(value / 2), REAL))
            store(target, 3 * lanes, splat(total(value)))
            store(target, 4 * lanes, splat(product(select(value != 0, value, REAL(2)))))
            store(target, 5 * lanes, splat(largest(value)))
            store(target, 6 * lanes, splat(smallest(value)))
            store(target, 7 * lanes, broadcast(source, start) + as_real(start, REAL) + as_real(start > 2, REAL))
            store(target, 8 * lanes, select(splat(start > 2), REAL(1), REAL(0)))
            keep(x)
            keep(out)

        return run

    return make


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gathers_conversions_and_reductions(dtype: str) -> None:
    for lanes in (2, 8, 16):
        for start in (0, 3, 10):
            x = np.random.default_rng(start).standard_normal(40).astype(dtype)
            same_in_both(looked_up(lanes), dtype, x, 9 * lanes, start)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_nan_goes_through_reductions_of_every_lane(dtype: str) -> None:
    load = vector_operations(8).load
    total, product, largest, smallest = (
        vector_math.total,
        vector_math.product,
        vector_math.largest,
        vector_math.smallest,
    )

    @njit
    def run(x: Any) -> Any:
        value = load(pointer(x), 0)
        return total(value), product(value), largest(value), smallest(value)

    x = np.array([3, -1, 4, 1, -5, 9, 2, 6], dtype)
    for lane in range(8):
        turned = np.roll(x, lane)
        assert run(turned) == (19, turned.prod(), 9, -5)
        if dtype != "int64":
            turned[lane] = np.nan
            assert np.isnan(run(turned)).all()


def test_streamed_stores_reach_any_address() -> None:
    operations = vector_operations(16)
    load, stream, stream_first = operations.load, operations.stream, operations.stream_first

    @optimized
    def run(x: Any, out: Any, at: int) -> None:
        stream(pointer(out), at, load(pointer(x), 0))
        fence()
        keep(x)
        keep(out)

    @optimized
    def run_first(x: Any, out: Any, at: int, count: int) -> None:
        stream_first(pointer(out), at, load(pointer(x), 0), count)
        fence()
        keep(x)
        keep(out)

    def check(out: Any, at: int, count: int) -> None:
        assert np.array_equal(out[at : at + count], x[:count])
        assert (np.delete(out, range(at, at + count)) == GUARD).all()

    x = np.arange(16, dtype=np.float32)
    for at in range(40):
        out = np.full(60, GUARD, np.float32)
        run(x, out, at)
        check(out, at, 16)
        for count in (0, 1, 15, 16, 20):
            out = np.full(60, GUARD, np.float32)
            run_first(x, out, at, count)
            check(out, at, min(count, 16))
    for function in (run, run_first):
        (assembly,) = function.inspect_asm().values()
        assert "vmovntps" in assembly or "stnp" in assembly or "movntps" in assembly


@pytest.mark.parametrize(("dtype", "lanes"), [("float32", 16), ("float64", 4), ("int64", 2)])
def test_transposed_copies(dtype: str, lanes: int) -> None:
    transpose = vector_operations(lanes).transpose

    @njit
    def run(x: Any, source_step: int, out: Any, target_step: int, rows: int, columns: int) -> None:
        transpose(pointer(x), source_step, pointer(out), target_step, rows, columns)
        keep(x)
        keep(out)

    @settings(max_examples=60, deadline=None)
    @given(*[st.integers(0, 40)] * 2, *[st.integers(0, 9)] * 2)
    def check(rows: int, columns: int, more: int, gap: int) -> None:
        x = np.arange(max(1, rows * (columns + more))).astype(dtype)
        out = np.full((columns, rows + gap), GUARD, dtype)
        run(x, columns + more, out.reshape(-1), rows + gap, rows, columns)
        source = x[: rows * (columns + more)].reshape(rows, columns + more)
        assert np.array_equal(out[:, :rows], source[:, :columns].T)
        assert (out[:, rows:] == GUARD).all()

    check()
