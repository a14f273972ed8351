"""Contractions of windows onto tensors: the copies into panels, and whole kernels in default and sampled configs."""

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit, types
from numpy.typing import NDArray

import autotune.lang as at
from autotune.autodiff import derive
from autotune.codegen import generate, load, scratch_arguments, write
from autotune.codegen.simd import pointer
from autotune.codegen.window_packing import FIELDS, REACH, Window, index_reach, run_lengths, window_packing
from autotune.lang import Kernel, Tensor, define
from autotune.lang.reference import error_bound, evaluate
from autotune.machine import detect
from autotune.schedule import Workload
from autotune.templates import template_for
from tests.codegen.test_generated import arguments

MACHINE = detect()
HEIGHT, WIDTH = 11, 23


def table(places: list[tuple[int, int]], row_length: int) -> NDArray[np.int64]:
    """Entries of a window that checks rows and columns."""
    return np.array([(0, row * row_length + column, row, column) for row, column in places], np.int64).reshape(-1)


@cache
def packing(window: Window, real: Any) -> Callable[..., None]:
    """Compiled code that fills in the tables, and then a panel."""
    pack = window_packing(real, window)
    count_runs, span = run_lengths(window.checked, window.moving, window.step), index_reach(window.checked)

    @njit
    def run(source: Any, across: Any, along: Any, runs: Any, others: Any, reach: Any, target: Any, square: Any) -> None:
        count, depth = across.size // 4, along.size // 4
        count_runs(pointer(runs), runs.size // 4)
        span(pointer(others), others.size // 4, pointer(reach))
        pack(
            pointer(source), pointer(across), pointer(along), pointer(reach), pointer(target), count, depth,
            pointer(square),
        )  # fmt: skip

    return run  # type: ignore[no-any-return]


def packed(
    window: Window,
    image: NDArray[Any],
    across: list[tuple[int, int]],
    along: list[tuple[int, int]],
) -> NDArray[Any]:
    """A panel by compiled code, its memory full of NaN before."""
    across_table, along_table = table(across, image.shape[1]), table(along, image.shape[1])
    runs, others = (across_table, along_table) if window.runs == "across" else (along_table, across_table)
    reach = np.zeros(REACH * 2, np.int64)
    reach[::REACH] = image.shape
    target = np.full(len(along) * window.width + window.lanes, np.nan, image.dtype)
    square = np.full(max(1, window.square), np.nan, image.dtype)

    run = packing(window, types.float32 if image.dtype == np.float32 else types.float64)
    run(image, across_table, along_table, runs, others, reach, target, square)
    return target[: len(along) * window.width].reshape(len(along), window.width)


def expected(
    window: Window, image: NDArray[Any], across: list[tuple[int, int]], along: list[tuple[int, int]]
) -> NDArray[Any]:
    """The panel, element by element."""
    found = np.zeros((len(along), window.width), image.dtype)
    for d, (row, column) in enumerate(along):
        for w, (more_rows, more_columns) in enumerate(across):
            i, j = row + more_rows, column + more_columns
            if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                found[d, w] = image[i, j]
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("runs", ["across", "along", ""])
@pytest.mark.parametrize(("step", "row_length"), [(1, 9), (1, 30), (2, 7), (3, 40)])
@pytest.mark.parametrize("count", [1, 13, 20])
def test_a_panel_holds_the_window(dtype: Any, runs: str, step: int, row_length: int, count: int) -> None:
    """Long and short runs, several to a vector; windows that reach over every edge of the image."""
    window = Window(width=20, lanes=8, checked=2, moving=1, step=step, runs=runs)
    image = np.random.default_rng(0).standard_normal((HEIGHT, WIDTH)).astype(dtype)
    places = [(n // row_length, step * (n % row_length)) for n in range(83)]
    offsets = [(2 * r - 3, s - 2) for r in range(3) for s in range(7)]
    across, along = (offsets, places) if runs == "along" else (places, offsets)
    across = across[:count]
    assert FIELDS + window.checked == 4
    np.testing.assert_array_equal(packed(window, image, across, along), expected(window, image, across, along))


def smoothed(x: Tensor["n", "c", "t"], f: Tensor["k", "c", "r"]):
    """One dimension, dilated, with padding that a window may lie in altogether."""
    n, c, t = at.axes(x)
    k, _, r = at.axes(f)
    q = at.axis("q", at.extent(t) + 2)
    return at.output[n, k, q](at.sum(x.pad(0)[n, c, q + 2 * r - 5] * f[k, c, r], over=(c, r)))


def downsampled(x: Tensor["c", "h", "w"], f: Tensor["r", "c", "k"]):
    """Channels last in the weights, so that rows are gathered; vectors along a stride of 3, the window backward."""
    c, h, w = at.axes(x)
    r, _, k = at.axes(f)
    q = at.axis("q", at.floor(at.extent(w) / 3))
    return at.output[k, h, q](at.sum(x.pad(0)[c, h - r + 1, 3 * q - r + 1] * f[r, c, k], over=(c, r)))


def correlated(x: Tensor["n", "t"], y: Tensor["m", "t"], lags: Tensor["l"]):
    """Correlations of all pairs of series at some lags, with something done to them after."""
    n, t = at.axes(x)
    m, _ = at.axes(y)
    (lag,) = at.axes(lags)
    found = at.sum(x.pad(0)[n, t + lag - 2] * y[m, t], over=t)
    return at.output[n, m, lag](at.tanh(found / 8) + found * lags[lag])


def filtered(x: Tensor["t", "h", "w"], f: Tensor["k", "a", "b", "c"]):
    """Three dimensions without padding."""
    t, h, w = at.axes(x)
    k, a, b, c = at.axes(f)
    o, p, q = (
        at.axis(name, at.extent(along) - at.extent(window) + 1)
        for name, along, window in (("o", t, a), ("p", h, b), ("q", w, c))
    )
    return at.output[k, o, p, q](at.sum(x[o + a, p + b, q + c] * f[k, a, b, c], over=(a, b, c)))


def turned(x: Tensor["c", "h"], f: Tensor["k", "c", "r"]):
    """An index that falls along the output."""
    c, h = at.axes(x)
    k, _, r = at.axes(f)
    return at.output[k, h](at.sum(x.pad(0)[c, at.extent(h) - h - 1 + r] * f[k, c, r], over=(c, r)))


FUNCTIONS: tuple[Callable[..., Any], ...] = (smoothed, downsampled, correlated, filtered, turned)
KERNELS: dict[str, Kernel] = {function.__name__: define(function) for function in FUNCTIONS}
# The first is what the schedule is made for.
SIZES = {
    "smoothed": (
        {"n": 2, "c": 5, "t": 70, "k": 9, "r": 4},
        {"n": 1, "c": 1, "t": 3, "k": 4, "r": 6},
    ),
    "downsampled": (
        {"c": 4, "h": 9, "w": 80, "r": 5, "k": 13},
        {"c": 1, "h": 1, "w": 3, "r": 2, "k": 1},
    ),
    "correlated": (
        {"n": 7, "t": 300, "m": 19, "l": 5},
        {"n": 1, "t": 1, "m": 1, "l": 1},
    ),
    "filtered": (
        {"t": 6, "h": 9, "w": 30, "k": 8, "a": 2, "b": 3, "c": 4},
        {"t": 2, "h": 3, "w": 4, "k": 1, "a": 2, "b": 3, "c": 4},
    ),
    "turned": ({"c": 6, "h": 50, "k": 7, "r": 4}, {"c": 1, "h": 1, "k": 2, "r": 3}),
}


def check(name: str, direction: str, dtype: str, seed: int | None, folder: Path) -> None:
    """One schedule, made for the first size, is right at all of them."""
    kernel = derive(KERNELS[name], direction)
    sizes = [KERNELS[name].complete(extents) for extents in SIZES[name]]
    sizes = [{extent: known[extent] for extent in kernel.extent_names} for known in sizes]
    workload = Workload.of(kernel, sizes[0], dtype)
    template = template_for(workload)
    assert template.name == "contraction"
    space = template.space(workload, MACHINE)
    config = template.default(workload, MACHINE)
    if seed is not None:
        (config,) = space.sample(np.random.default_rng(seed), 1)
    compiled = load(write(generate(workload, config, MACHINE), folder))
    (output,) = kernel.outputs
    for extents in sizes:
        values = arguments(kernel, extents, dtype, seed or 0)
        (exact,) = evaluate(kernel, values).values()
        out = np.full(exact.shape, np.nan, dtype)
        scratch = scratch_arguments(compiled.scratch, dtype)
        for memory in scratch:
            memory[:] = np.nan
        assert compiled.call(*values.values(), out, *scratch) == 0
        error = np.abs(out - exact)
        if dtype == "float64":
            assert error.max(initial=0) <= 1e-12 * np.abs(exact).max(initial=1e-300), (config, extents)
        else:
            assert (error <= error_bound(kernel, values, dtype)[output.name]).all(), (config, extents)


@pytest.mark.parametrize("name", KERNELS)
def test_default_schedule_is_right(name: str, tmp_path: Path) -> None:
    check(name, "forward", "float64", None, tmp_path)


@pytest.mark.parametrize(("name", "direction"), [("smoothed", "vjp:f"), ("filtered", "vjp:f")])
def test_default_schedule_of_a_gradient_is_right(name: str, direction: str, tmp_path: Path) -> None:
    check(name, direction, "float64", None, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", KERNELS)
def test_sampled_config_is_right(name: str, dtype: str, tmp_path: Path) -> None:
    check(name, "forward", dtype, zlib.crc32(f"{name} {dtype} 0".encode()), tmp_path)


def test_what_is_made_for_different_windows_has_different_names() -> None:
    """Else code that two processes have kept on disk is taken for one another where both are loaded."""
    windows = [
        Window(width, 8, 2, 1, step, runs) for width in (4, 6) for step in (1, 2) for runs in ("along", "across")
    ]
    made = [window_packing(real, window) for window in windows for real in (types.float32, types.float64)]
    made += [maker(checked, *rest) for checked in (0, 2) for maker, rest in ((index_reach, ()), (run_lengths, (1, 1)))]
    assert len({each.py_func.__qualname__ for each in made}) == len(made)
