"""The evaluator against plain Python loops on random kernels, and against NumPy and SciPy on known ones."""
# mypy: disable-error-code="name-defined"

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import autotune.lang as at
from autotune.errors import AutotuneError, DtypeError, IndexRangeError, ShapeError
from autotune.lang import Kernel, reference
from autotune.lang.expressions import apply
from tests.lang.interpreter import Interpreter
from tests.lang.strategies import Case, cases

Array = NDArray[Any]


@given(case=cases())
@settings(deadline=None, max_examples=100)
def test_values_are_those_of_plain_loops(case: Case) -> None:
    expected = Interpreter(case.arguments, case.extents).array(case.expr, case.axes)
    got = reference.evaluate(case.kernel, case.arguments)["out"]
    bound = reference.error_bound(case.kernel, case.arguments, "float64")["out"]
    finite = np.isfinite(expected)
    assert got.shape == expected.shape
    np.testing.assert_array_equal(np.isfinite(got), finite)
    assert not (abs(got - expected)[finite] > bound[finite]).any(), (got, expected, bound)


@given(case=cases(smooth=True))
@settings(deadline=None, max_examples=100)
def test_a_complex_step_is_the_derivative_of_smooth_kernels(case: Case) -> None:
    """Against central differences, where these can tell."""
    direction = {
        name: np.random.default_rng(len(name)).standard_normal(array.shape)
        for name, array in case.arguments.items()
        if name != "idx"
    }

    def moved(step: complex) -> Array:
        along = {name: case.arguments[name] + step * array for name, array in direction.items()}
        return reference.evaluate(case.kernel, {**case.arguments, **along})["out"]

    by_step, above, below = moved(1e-20j), moved(1e-4), moved(-1e-4)
    derivative, difference = by_step.imag / 1e-20, (above - below) / 2e-4
    np.testing.assert_allclose(by_step.real, reference.evaluate(case.kernel, case.arguments)["out"], rtol=1e-12)
    scale = 1 + abs(by_step.real).max() + abs(derivative).max() ** 3
    np.testing.assert_allclose(derivative, difference, atol=1e-4 * scale)


def out(function: Callable[..., Any], arguments: dict[str, Any], **options: float) -> Array:
    return reference.evaluate(at.define(function, options=options), arguments)["out"]


def conv2d(
    x: at.Tensor["n", "c", "h", "w"],
    k: at.Tensor["f", "c", "r", "s"],
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> at.Output:
    n, c, h, w = at.axes(x)
    f, _, r, s = at.axes(k)

    def size(length: at.Expr, window: at.Expr) -> at.Expr:
        return (length + 2 * padding - dilation * (window - 1) - 1) // stride + 1

    p, q = at.axis("p", size(at.extent(h), at.extent(r))), at.axis("q", size(at.extent(w), at.extent(s)))
    row, column = stride * p + dilation * r - padding, stride * q + dilation * s - padding
    return at.output[n, f, p, q](at.sum(x.pad(0)[n, c, row, column] * k[f, c, r, s], over=(c, r, s)))


@given(
    sizes=st.tuples(*[st.integers(1, 3)] * 3, *[st.integers(1, 4)] * 2),
    image=st.tuples(*[st.integers(1, 9)] * 2),
    options=st.fixed_dictionaries(
        {"stride": st.integers(1, 3), "padding": st.integers(0, 3), "dilation": st.integers(1, 2)}
    ),
)
@settings(deadline=None, max_examples=60)
def test_convolutions_are_those_of_scipy(
    sizes: tuple[int, ...], image: tuple[int, int], options: dict[str, int]
) -> None:
    n, c, f, *window = sizes
    rng = np.random.default_rng(sum(sizes))
    x, k = rng.standard_normal((n, c, *image)), rng.standard_normal((f, c, *window))
    padding, dilation, stride = options["padding"], options["dilation"], options["stride"]
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    spread = np.zeros((f, c, *((length - 1) * dilation + 1 for length in window)))
    spread[:, :, ::dilation, ::dilation] = k
    if any(have < need for have, need in zip(padded.shape[2:], spread.shape[2:], strict=True)):
        with pytest.raises(ShapeError, match=r"kernel conv2d: extent [pq] = .* would be .*; the inputs are too small"):
            out(conv2d, {"x": x[..., :1, :1], "k": np.ones((f, c, 9, 9))})
        return
    expected = np.array(
        [
            [
                np.sum([scipy.signal.correlate(a, b, "valid") for a, b in zip(image_, kernel, strict=True)], axis=0)
                for kernel in spread
            ]
            for image_ in padded
        ]
    )[:, :, ::stride, ::stride]
    np.testing.assert_allclose(out(conv2d, {"x": x, "k": k}, **options), expected, atol=1e-12)


def test_large_windows_take_little_memory() -> None:
    """The windows of all channels together would be 29 MiB; only the matrix product's own copy is made."""
    rng = np.random.default_rng(0)
    x, k = rng.standard_normal((8, 64, 28, 28)), rng.standard_normal((64, 64, 3, 3))
    got = out(conv2d, {"x": x, "k": k}, padding=1)
    assert got.shape == (8, 64, 28, 28)
    expected = np.sum([scipy.signal.correlate(x[3, c], k[5, c], "same") for c in range(64)], axis=0)
    np.testing.assert_allclose(got[3, 5], expected, atol=1e-11)


def test_diagonals_transposes_and_fixed_indices() -> None:
    def several(a: at.Tensor["m", "m"]) -> Any:
        i, j = at.axes(a)
        return (
            at.output[i](a[i, i], name="diagonal"),
            at.output[j](a[0, j] - a[at.extent(i) - 1, j], name="ends"),
            at.output[i](a.pad(-1)[i, at.extent(j) - 1 - i], name="anti"),
            at.output[i, j](a[j, i], name="transposed"),
        )

    a = np.random.default_rng(0).standard_normal((4, 4))
    results = reference.evaluate(at.define(several), {"a": a})
    np.testing.assert_array_equal(results["diagonal"], np.diag(a))
    np.testing.assert_array_equal(results["ends"], a[0] - a[-1])
    np.testing.assert_array_equal(results["anti"], np.diag(a[:, ::-1]))
    np.testing.assert_array_equal(results["transposed"], a.T)


def test_paddings_far_outside() -> None:
    def far(x: at.Tensor["n"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[i](x.pad(7)[1000 * i - 1] + x.pad(0)[i + 10**9] + x.pad(0)[-(10**9) * i])

    np.testing.assert_array_equal(out(far, {"x": np.array([1.0, 2.0, 3.0])}), [8, 7, 7])


def test_fractions_exist_where_they_are_whole() -> None:
    (i,) = (at.Axis("i", "n"),)
    spread = at.Read("x", (at.Affine(((i, 1),), -1, 2),), pad=-1.0)
    kernel = Kernel("spread", (at.TensorSpec("x", ("n",)),), (at.Output("out", (i,), spread),))
    np.testing.assert_array_equal(
        reference.evaluate(kernel, {"x": np.array([5.0, 6.0, 7.0, 8.0])})["out"], [-1, 5, -1, 6]
    )


def embedding(table: at.Tensor["v", "d"], idx: at.Integers["t"]) -> at.Output:
    _, d = at.axes(table)
    (t,) = at.axes(idx)
    return at.output[t, d](table[idx[t], d])


def test_reads_at_data_dependent_indices() -> None:
    table, idx = np.random.default_rng(0).standard_normal((5, 3)), np.array([4, 0, 0, 2])
    np.testing.assert_array_equal(out(embedding, {"table": table, "idx": idx}), table[idx])
    np.testing.assert_array_equal(out(embedding, {"table": table, "idx": []}), np.zeros((0, 3)))


@pytest.mark.parametrize(("wrong", "text"), [(5, "5"), (-1, "-1"), (2**60, str(2**60))])
def test_data_dependent_indices_are_checked(wrong: int, text: str) -> None:
    message = (
        rf"kernel embedding: index idx\[t\] into dimension 1 of table is {text}, but the extent is 5: "
        r"an index goes from 0 to 4, and .pad\(…\) says what is outside"
    )
    with pytest.raises(IndexRangeError, match=message) as caught:
        out(embedding, {"table": np.ones((5, 3)), "idx": np.array([0, wrong, 1])})
    assert isinstance(caught.value, IndexError)
    assert isinstance(caught.value, AutotuneError)


def test_data_dependent_indices_of_intermediates_are_checked() -> None:
    def looked_up(x: at.Tensor["n"], idx: at.Integers["t"]) -> at.Output:
        (i,), (t,) = at.axes(x), at.axes(idx)
        return at.output[t](at.let[i](x[i] ** 2)[idx[t] + 1])

    np.testing.assert_array_equal(out(looked_up, {"x": np.arange(4.0), "idx": np.array([2, -1])}), [9, 0])
    with pytest.raises(
        IndexRangeError, match=r"index idx\[t\] \+ 1 into dimension 1 of the intermediate x\[n\] \*\* 2 is"
    ):
        out(looked_up, {"x": np.arange(4.0), "idx": np.array([2, 3])})


def test_indices_may_be_computed_from_numbers() -> None:
    def interpolated(x: at.Tensor["n"], place: at.Tensor["t"]) -> at.Output:
        t = at.axes(place)[0]
        below = at.floor(place[t])
        part = place[t] - below
        return at.output[t](x.pad(0)[below] * (1 - part) + x.pad(0)[below + 1] * part)

    x = np.random.default_rng(1).standard_normal(6)
    place = np.array([0.0, 0.5, 3.75, 4.999, np.nan, -np.inf])
    got = out(interpolated, {"x": x, "place": place})
    np.testing.assert_allclose(got[:4], np.interp(place[:4], np.arange(6), x))
    assert np.isnan(got[4:]).all()


def test_whole_numbers_are_exact() -> None:
    def exact(idx: at.Integers["n"], x: at.Tensor["n"]) -> Any:
        (i,) = at.axes(idx)
        return (
            at.output[i](idx[i] * 3 - 1, name="scaled"),
            at.output[i](at.equal(idx[i], idx.pad(0)[i - 1] + 1) + 0 * x[i], name="next"),
            at.output[i](idx[i] / 2, name="half"),
        )

    idx = np.array([2**60, 2**60 + 1, 2**60 + 3])
    results = reference.evaluate(at.define(exact), {"idx": idx, "x": np.zeros(3)})
    assert results["scaled"].dtype == np.int64
    np.testing.assert_array_equal(results["scaled"], idx * 3 - 1)
    np.testing.assert_array_equal(results["next"], [0, 1, 0])
    assert results["half"].dtype == np.float64


def test_integer_inputs_must_be_whole_numbers() -> None:
    with pytest.raises(DtypeError, match="kernel embedding: idx holds whole numbers, but has dtype float64; give it"):
        out(embedding, {"table": np.ones((5, 3)), "idx": np.array([0.0])})


@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=50)
def test_positions_of_extremes_count_in_the_order_of_the_axes(shape: tuple[int, ...], seed: int) -> None:
    def positions(x: at.Tensor["a", "b", "c"]) -> Any:
        a, b, c = at.axes(x)
        return (
            at.output[b](at.argmax(x[a, b, c], over=(c, a)), name="largest"),
            at.output[b](at.argmin(x[a, b, c], over=(a, c)), name="smallest"),
            at.output[b](at.max(x[a, b, c], over=(c, a), ties="first"), name="max"),
            at.output[b](at.min(x[a, b, c], over=(a, c), ties="first"), name="min"),
        )

    x = np.random.default_rng(seed).integers(0, 3, shape).astype(np.float64)  # with many ties
    if seed % 4 == 0:
        x[0, 0, -1] = np.nan
    results = reference.evaluate(at.define(positions), {"x": x})
    rows = x.transpose(1, 2, 0).reshape(shape[1], -1), x.transpose(1, 0, 2).reshape(shape[1], -1)
    np.testing.assert_array_equal(results["largest"], rows[0].argmax(axis=1))
    np.testing.assert_array_equal(results["smallest"], rows[1].argmin(axis=1))
    np.testing.assert_array_equal(results["max"], x.max(axis=(0, 2)))
    np.testing.assert_array_equal(results["min"], x.min(axis=(0, 2)))


def test_extremes_of_nothing() -> None:
    def extremes(x: at.Tensor["m", "n"]) -> Any:
        i, j = at.axes(x)
        return (
            at.output[i](at.argmax(x[i, j], over=j), name="position"),
            at.output[i](at.max(x[i, j], over=j, ties="first"), name="max"),
            at.output[i](at.min(x[i, j], over=j, ties="first"), name="min"),
        )

    results = reference.evaluate(at.define(extremes), {"x": np.zeros((2, 0))})
    assert [results[name].tolist() for name in ("position", "max", "min")] == [[0, 0], [-np.inf] * 2, [np.inf] * 2]


def histogram(x: at.Tensor["t", "d"], idx: at.Integers["t"], like: at.Tensor["v"]) -> at.Expr:
    t, d = at.axes(x)
    (v,) = at.axes(like)
    return at.Scatter(x[t, d], (t,), (v,), (idx[t],))


@given(st.integers(0, 6), st.integers(1, 3), st.integers(0, 4), st.integers(0, 100))
@settings(deadline=None, max_examples=50)
def test_scatters_add_up_what_meets(t: int, d: int, v: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, idx = rng.standard_normal((t, d)), rng.integers(-1, 5, t)

    def scattered(x: at.Tensor["t", "d"], idx: at.Integers["t"], like: at.Tensor["v"]) -> at.Output:
        return at.output[at.axes(x)[1], at.axes(like)[0]](histogram(x, idx, like) + 0 * like[at.axes(like)[0]])

    expected = np.zeros((v, d))
    inside = (idx >= 0) & (idx < v)
    np.add.at(expected, idx[inside], x[inside])
    np.testing.assert_allclose(out(scattered, {"x": x, "idx": idx, "like": np.zeros(v)}), expected.T, atol=1e-14)


def test_strict_scatters_refuse_what_is_outside() -> None:
    t, v = at.Axis("t", "t"), at.Axis("v", "v")
    index = at.Read("idx", (t,), integer=True)
    scattered = at.Scatter(at.Read("x", (t,)), (t,), (v,), (index,), strict=True)
    inputs = (at.TensorSpec("x", ("t",)), at.TensorSpec("idx", ("t",), integer=True), at.TensorSpec("like", ("v",)))
    kernel = Kernel("count", inputs, (at.Output("out", (v,), scattered),))
    arguments = {"x": np.ones(3), "idx": np.array([0, 1, 1]), "like": np.zeros(3)}
    np.testing.assert_array_equal(reference.evaluate(kernel, arguments)["out"], [1, 2, 0])
    with pytest.raises(IndexRangeError, match=r"kernel count: index idx\[t\] into axis v of a scatter is 3"):
        reference.evaluate(kernel, {**arguments, "idx": np.array([0, 3, 1])})
    with pytest.raises(IndexRangeError, match="but the extent is 0"):
        reference.evaluate(kernel, {**arguments, "like": np.zeros(0)})


def test_scans_over_lanes_with_several_states() -> None:
    def filtered(x: at.Tensor["n", "t"], a: at.Tensor["n"]) -> Any:
        n, t = at.axes(x)

        def step(y: at.Expr, total: at.Expr) -> tuple[at.Expr, at.Expr]:
            return a[n] * y + x[n, t], total + y

        y, total = at.scan(step, (0.0, 1.0), over=t)
        backward = at.scan(lambda z: 0.5 * z + x[n, t], 0.0, over=t, reverse=True)
        return (
            at.output[n, t](y, name="y"),
            at.output[n](at.last(total, over=t), name="total"),
            at.output[n](at.first(backward, over=t), name="first"),
            at.output[t, n](backward, name="backward"),
        )

    rng = np.random.default_rng(0)
    x, a = rng.standard_normal((3, 20)), rng.uniform(-1, 1, 3)
    results = reference.evaluate(at.define(filtered), {"x": x, "a": a})
    expected = np.array([scipy.signal.lfilter([1], [1, -pole], row) for pole, row in zip(a, x, strict=True)])
    np.testing.assert_allclose(results["y"], expected, rtol=1e-12)
    np.testing.assert_allclose(results["total"], 1 + expected[:, :-1].sum(axis=1), rtol=1e-12)
    backward = scipy.signal.lfilter([1], [1, -0.5], x[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(results["backward"], backward.T, rtol=1e-12)
    np.testing.assert_allclose(results["first"], backward[:, 0], rtol=1e-12)


def test_the_steps_of_a_scan_may_bring_in_lanes() -> None:
    """The state is one for each of the rates, though it starts from a number."""

    def discounted(x: at.Tensor["t"], rate: at.Tensor["k"]) -> at.Output:
        (t,), (k,) = at.axes(x), at.axes(rate)
        return at.output[k, t](at.scan(lambda s: rate[k] * s + x[t], 0.0, over=t))

    rng = np.random.default_rng(0)
    x, rate = rng.standard_normal(10), rng.uniform(0, 1, 3)
    expected = [scipy.signal.lfilter([1], [1, -pole], x) for pole in rate]
    np.testing.assert_allclose(out(discounted, {"x": x, "rate": rate}), expected, rtol=1e-12)


def test_a_scan_may_read_another() -> None:
    """The carried values of the two are apart, and what does not depend on the outer one is computed once."""

    def nested(x: at.Tensor["n", "t"]) -> at.Output:
        n, t = at.axes(x)
        sums = at.scan(lambda s: s + x[n, t], 0.0, over=t)
        total = at.last(sums, over=t)
        return at.output[n, t](at.scan(lambda r: r * 0.5 + sums + total, total, over=t))

    x = np.random.default_rng(0).standard_normal((2, 5))
    sums, state, expected = x.cumsum(axis=1), x.sum(axis=1), np.empty_like(x)
    for step in range(5):
        state = 0.5 * state + sums[:, step] + x.sum(axis=1)
        expected[:, step] = state
    np.testing.assert_allclose(out(nested, {"x": x}), expected, rtol=1e-13)


def test_scans_of_nothing() -> None:
    def running(x: at.Tensor["n", "t"]) -> at.Output:
        n, t = at.axes(x)
        return at.output[n, t](at.scan(lambda s: s + x[n, t], 0.0, over=t))

    assert out(running, {"x": np.zeros((3, 0))}).shape == (3, 0)
    assert out(running, {"x": np.zeros((0, 3))}).shape == (0, 3)


def test_intermediates_at_other_indices() -> None:
    def laplacian(u: at.Tensor["m", "m"]) -> at.Output:
        i, j = at.axes(u)
        v = at.let[i, j](at.exp(u[i, j]))
        around = v.pad(0)[i - 1, j] + v.pad(0)[i + 1, j] + v.pad(0)[i, j - 1] + v.pad(0)[i, j + 1]
        return at.output[i, j](around - 4 * v[i, j] + v[j, i])

    u = np.random.default_rng(0).standard_normal((4, 4))
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    expected = scipy.signal.convolve(np.exp(u), kernel, "same") + np.exp(u).T
    np.testing.assert_allclose(out(laplacian, {"u": u}), expected, rtol=1e-12)


def test_functions_of_complex_numbers_compare_real_parts() -> None:
    (i,) = (at.Axis("i", "n"),)
    x, s = at.Read("x", (i,)), at.Parameter("s")
    specs = (at.TensorSpec("x", ("n",)), at.ScalarSpec("s"))
    values = np.array([-1.5, 0.5, 2.5]) + 1j * np.array([3, 4, 5])
    arguments: dict[str, Any] = {"x": values, "s": 1.0}

    def value(expr: at.Expr) -> Array:
        return reference.evaluate(Kernel("f", specs, (at.Output("out", expr.axes, expr),), "vjp:x"), arguments)["out"]

    np.testing.assert_array_equal(value(at.maximum(x, s)), [1, 1, 2.5 + 5j])
    np.testing.assert_array_equal(value(at.minimum(x, s)), [-1.5 + 3j, 0.5 + 4j, 1])
    np.testing.assert_array_equal(value(abs(x)), [1.5 - 3j, 0.5 + 4j, 2.5 + 5j])
    np.testing.assert_array_equal(value(at.relu(x)), [0, 0.5 + 4j, 2.5 + 5j])
    np.testing.assert_array_equal(value(at.floor(x)), [-2, 0, 2])
    np.testing.assert_array_equal(value(apply("sign", x)), [-1, 1, 1])
    np.testing.assert_array_equal(value(x > s), [0, 0, 1])
    np.testing.assert_array_equal(value(at.where(x > s, x, s)), [1, 1, 2.5 + 5j])
    np.testing.assert_array_equal(value(at.where(x - x, x, s)), [1, 1, 1])
    assert value(at.max(x, over=i)) == 2.5 + 5j
    assert value(at.min(x, over=i)) == -1.5 + 3j
    assert value(at.argmax(x, over=i)) == 2
    np.testing.assert_allclose(value(at.prod(x, over=i)), values.prod())
    np.testing.assert_array_equal(value(at.stop_gradient(x)), values.real)


@pytest.mark.parametrize("x", [-2.0, -0.3, 1e-9, 0.7, 3.0])
def test_the_complex_step_of_the_error_function(x: float) -> None:
    i = at.Axis("i", "n")
    kernel = Kernel("f", (at.TensorSpec("x", ("n",)),), (at.Output("out", (i,), at.erf(at.Read("x", (i,)))),))
    (got,) = reference.evaluate(kernel, {"x": np.array([x + 1e-20j])})["out"].imag / 1e-20
    np.testing.assert_allclose(got, 2 / np.sqrt(np.pi) * np.exp(-(x**2)), rtol=1e-12)
