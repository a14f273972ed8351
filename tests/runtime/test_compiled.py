"""The same through generated code: options, whole numbers, scans, several outputs, checks, derivatives, threads."""

import math
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import autotune as at
from autotune.errors import IndexRangeError
from autotune.library import black_scholes, conv2d, embedding
from tests.runtime.test_arguments import moments, regrouped
from tests.runtime.test_options import strided

RNG = np.random.default_rng(0)
DTYPES = ("float32", "float64")


@at.kernel
def discounted(x: at.Tensor["m", "n"], decay: at.Tensor["m"]):
    """A recurrence along n: every value, and where the largest of them is."""
    i, j = at.axes(x)
    total = at.scan(lambda total: decay[i] * total + x[i, j], 0.0, over=j)
    return at.output[i, j](total, name="total"), at.output[i](at.argmax(total, over=j), name="largest")


def convolved(x: np.ndarray, w: np.ndarray, *, stride: int, padding: int) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))
    return np.einsum("ncpqrs,kcrs->nkpq", windows[:, :, ::stride, ::stride], w)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}])
def test_a_convolution_with_options(dtype: str, options: dict[str, int]) -> None:
    x, w = RNG.standard_normal((2, 3, 8, 9)).astype(dtype), RNG.standard_normal((4, 3, 3, 2)).astype(dtype)
    for _ in range(2):
        out = conv2d(x, w, **options)
        assert out.dtype == np.dtype(dtype)
        expected = convolved(x, w, **({"stride": 1, "padding": 0} | options))
        np.testing.assert_allclose(out, expected, atol=1e-5 if dtype == "float32" else 1e-13)


def test_gradients_of_a_convolution_are_its_adjoints() -> None:
    x, w = RNG.standard_normal((2, 3, 8, 9)), RNG.standard_normal((4, 3, 3, 2))
    out, pullback = at.vjp(conv2d, x, w, stride=2, padding=1)
    out_bar, x_dot, w_dot = RNG.standard_normal(out.shape), RNG.standard_normal(x.shape), RNG.standard_normal(w.shape)
    x_bar, w_bar = pullback(out_bar)
    linear = convolved(x_dot, w, stride=2, padding=1) + convolved(x, w_dot, stride=2, padding=1)
    assert np.sum(x_bar * x_dot) + np.sum(w_bar * w_dot) == pytest.approx(np.sum(out_bar * linear), rel=1e-12)
    out, out_dot = at.jvp(conv2d, (x, w), (x_dot, w_dot), stride=2, padding=1)
    np.testing.assert_allclose(out_dot, linear, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("index", [5, -1, 2**62, -(2**62)])
def test_bad_indices_are_refused_and_nothing_else_is_touched(index: int) -> None:
    memory = np.full((30, 4), np.nan)
    table, out = RNG.standard_normal((5, 4)), memory[10:20]
    idx = np.arange(10) % 5
    for _ in range(2):
        np.testing.assert_array_equal(embedding(table, idx, out=out), table[idx])
        idx_bad = idx.copy()
        idx_bad[7] = index
        with pytest.raises(IndexRangeError, match=r"embedding: .*idx\[t\].* table.* out of range"):
            embedding(table, idx_bad, out=out)
        with pytest.raises(IndexError):
            embedding(table, idx_bad)
        _, pullback = at.vjp(embedding, table, idx)
        assert np.isnan(memory[:10]).all()
        assert np.isnan(memory[20:]).all()
    np.testing.assert_array_equal(pullback(np.ones((10, 4)))[0], np.full((5, 4), 2.0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_scan_and_a_whole_number_of_it(dtype: str) -> None:
    x, decay = RNG.standard_normal((6, 20)).astype(dtype), RNG.uniform(0.5, 1, 6).astype(dtype)
    expected = np.zeros((6, 20))
    state = np.zeros(6)
    for step in range(20):
        expected[:, step] = state = decay * state + x[:, step]
    for _ in range(2):
        total, largest = discounted(x, decay)
        np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(largest, total.argmax(axis=1))
    (_, _), pullback = at.vjp(discounted, x, decay)
    x_bar, _ = pullback((np.ones_like(x), None))
    np.testing.assert_allclose(x_bar, (1 - decay[:, None] ** np.arange(20, 0, -1)) / (1 - decay[:, None]), rtol=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_several_outputs_and_grouped_dimensions(dtype: str) -> None:
    x = RNG.standard_normal((4, 6)).astype(dtype)
    mean, largest = moments(x[:, ::-1])
    np.testing.assert_allclose(mean, x.mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(largest, x[:, ::-1].argmax(axis=1))
    wide, w = RNG.standard_normal((10, 12)).astype(dtype), RNG.standard_normal((2, 3, 4)).astype(dtype)
    out = np.zeros((16, 5), dtype).T[:, ::2]
    expected = np.einsum("ngc,gck->ngk", wide[::2, ::2].reshape(5, 2, 3), w).reshape(5, 8)
    np.testing.assert_allclose(regrouped(wide[::2, ::2], w, out=out), expected, rtol=1e-4, atol=1e-5)


def phi(x: np.ndarray) -> np.ndarray:
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def test_greeks_in_both_modes() -> None:
    spot, strike, rate, volatility, maturity = (RNG.uniform(0.5, 1.5, 20) for _ in range(5))
    arguments = (spot, strike, rate, volatility, maturity)
    root = volatility * np.sqrt(maturity)
    d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * maturity) / root
    vega = spot * phi(d1) * np.sqrt(maturity)
    _, pullback = at.vjp(black_scholes, *arguments)
    np.testing.assert_allclose(pullback(np.ones(20))[3], vega, rtol=1e-11)
    zeros = (None, None, None, np.ones(20), None)
    np.testing.assert_allclose(at.jvp(black_scholes, arguments, zeros)[1], vega, rtol=1e-11)
    np.testing.assert_allclose(
        at.jacobian(black_scholes, *arguments, wrt="volatility"), np.diag(vega), rtol=1e-11, atol=1e-13
    )


def test_threads_call_with_different_options_at_the_same_time() -> None:
    x = np.arange(50.0)
    with ThreadPoolExecutor(8) as pool:
        for stride, got in zip(
            [*range(1, 5)] * 20, pool.map(lambda stride: strided(x, stride=stride), [*range(1, 5)] * 20), strict=True
        ):
            np.testing.assert_array_equal(got, x[::stride])


def test_threads_are_told_of_their_own_indices() -> None:
    table = RNG.standard_normal((5, 4))

    def call(index: int) -> bool:
        try:
            return np.array_equal(embedding(table, np.full(9, index)), np.tile(table[index % 5], (9, 1)))
        except IndexRangeError:
            return index == 5

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, [0, 5, 1, 5, 4, 2, 5, 3] * 50))


@pytest.mark.slow
def test_kernels_with_options_go_to_other_processes() -> None:
    special = conv2d.specialized(stride=2)
    x, w = np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(special, x, w).result(timeout=300), special(x, w))
    assert pickle.loads(pickle.dumps(special)) is special
