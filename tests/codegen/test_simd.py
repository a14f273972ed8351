"""The intrinsics one by one: packing of every stride, masked tails, no access outside."""

import ctypes
import mmap

import numpy as np
import pytest
from numba import njit

from autotune.codegen import allocate_scratch
from autotune.codegen.panel_packing import panel_packing
from autotune.codegen.simd import keep, pointer, shift
from autotune.codegen.tiles import tile_operations
from autotune.codegen.vector_memory import vector_operations

GUARD = -7.0


def packing(width: int, lanes: int):
    pack = panel_packing(width, lanes)

    @njit
    def run(source, start, step, depth_step, packed, count, depth):
        pack(shift(pointer(source), start), step, depth_step, pointer(packed), count, depth)
        keep(source)
        keep(packed)

    return run


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("width", "lanes"), [(6, 8), (16, 8), (1, 4), (5, 4), (12, 8), (3, 2)])
def test_panels_hold_the_block_and_zeros(width: int, lanes: int, dtype: str) -> None:
    run = packing(width, lanes)
    rng = np.random.default_rng(width)
    memory = rng.standard_normal(40_000).astype(dtype)
    for step, depth_step in [(1, 200), (40, 1), (40, 3), (-40, 1), (1, -50), (0, 1), (1, 0)]:
        for depth in (0, 1, lanes - 1, lanes, 2 * lanes + 3, 35):
            for count in {1, width // 2 or 1, width, 9 * width, 11 * width - 1}:
                panels = -(-count // width)
                packed = np.full(panels * depth * width + lanes, GUARD, dtype)
                run(memory, 20_000, step, depth_step, packed, count, depth)
                expected = np.zeros((panels * width, depth), dtype)
                for place in range(count):
                    expected[place] = memory[20_000 + place * step + np.arange(depth) * depth_step]
                found = packed[: expected.size].reshape(panels, depth, width)
                expected = expected.reshape(panels, width, depth).transpose(0, 2, 1)
                assert np.array_equal(found, expected), (step, depth_step, depth, count)


def test_packing_reads_nothing_outside_its_block() -> None:
    """NaNs all around the block would not be seen in the panel; a page without access right after it would be fatal."""
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    floats = np.frombuffer(memory, np.float32)
    libc = ctypes.CDLL(None, use_errno=True)
    protect = libc.mprotect(ctypes.c_void_p(floats.ctypes.data + page), page, 0)
    assert protect == 0
    last = page // floats.itemsize
    run = packing(6, 8)
    packed = np.empty(1000, np.float32)
    try:
        for count, depth in [(6, 13), (1, 3), (5, 8), (23, 18), (24, 16)]:
            run(floats, last - count * depth, depth, 1, packed, count, depth)  # rows end where the page ends
            run(floats, last - count * depth, 1, count, packed, count, depth)
    finally:
        libc.mprotect(ctypes.c_void_p(floats.ctypes.data + page), page, mmap.PROT_READ | mmap.PROT_WRITE)


def test_masked_vectors_touch_only_their_lanes() -> None:
    load, store, load_first, store_first, broadcast = vector_operations(8)[:5]

    @njit
    def run(source, out, count, width):
        store_first(pointer(out), 0, load_first(pointer(source), 0, width), count)
        store(pointer(out), 16, load(pointer(source), 0))
        store(pointer(out), 24, broadcast(pointer(source), 2))
        keep(source)
        keep(out)

    source = np.arange(1.0, 9.0)
    for count in (-1, 0, 1, 7, 8, 9):
        for width in (-3, 0, 5, 8, 100):
            out = np.full(32, GUARD)
            run(source, out, count, width)
            stored = max(0, min(count, 8))
            assert np.array_equal(out[:stored], np.where(np.arange(8) < width, source, 0.0)[:stored])
            assert (out[stored:16] == GUARD).all()
            assert np.array_equal(out[16:24], source)
            assert (out[24:] == 3.0).all()


def test_tiles_add_products_and_write_what_they_may() -> None:
    zeros, update, update_first, store, add, store_first, add_first, touch = tile_operations(3, 2, 4)

    @njit
    def run(left, right, out, rows, columns, depth, masked):
        target = pointer(out)
        touch(target, 10)
        tile = zeros(target)
        for k in range(depth):
            if masked:
                tile = update_first(
                    tile, shift(pointer(left), k), depth, rows, shift(pointer(right), k * columns), columns
                )
            else:
                tile = update(tile, shift(pointer(left), k), depth, rows, shift(pointer(right), k * 8))
        if masked:
            store_first(tile, target, 10, rows, columns)
            add_first(tile, target, 10, rows, columns)
        else:
            store(tile, target, 10)
            add(tile, target, 10)
        keep(left)
        keep(right)
        keep(out)

    rng = np.random.default_rng(0)
    for rows, columns, masked in [(3, 8, False), (1, 1, True), (2, 5, True), (3, 8, True), (3, 4, True)]:
        left, right = rng.standard_normal((rows, 7)), rng.standard_normal((7, columns))
        out = np.full((3, 10), GUARD)
        run(left, right, out, rows, columns, 7, masked)
        assert np.allclose(out[:rows, :columns], 2 * left @ right, rtol=1e-13, atol=1e-13)
        assert (out[rows:] == GUARD).all()
        assert (out[:, columns:] == GUARD).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 17, 1000])
def test_scratch_is_aligned(dtype: str, count: int) -> None:
    scratch = allocate_scratch(count, dtype)
    assert scratch.shape == (count,)
    assert scratch.dtype == dtype
    assert scratch.ctypes.data % 64 == 0
