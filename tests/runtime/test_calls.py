"""Calling kernels: any shape, any strides, both dtypes, forward and gradients, against float64."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autotune as at
from autotune.errors import DefinitionError, DtypeError, ShapeError
from autotune.lang.reference import error_bound, evaluate
from autotune.library import batch_matmul, matmul
from autotune.runtime import choice
from tests.kernels import dot, linear, saturated, scores

FAST = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def matrices(draw: st.DrawFn, rows: int, columns: int, dtype: str) -> np.ndarray:
    """A matrix with any strides: sliced, reversed, transposed, repeated, or not aligned to its elements."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    layout = draw(st.sampled_from(["C", "F", "sliced", "reversed", "broadcast", "packed record", "offset by one byte"]))
    dense = rng.standard_normal((rows, columns)).astype(dtype)
    match layout:
        case "C":
            return dense
        case "F":
            return np.asfortranarray(dense)
        case "sliced":
            return rng.standard_normal((2 * rows, 3 * columns)).astype(dtype)[::2, ::3]
        case "reversed":
            return dense[::-1, ::-1]
        case "broadcast":
            return np.broadcast_to(dense[:1], (rows, columns))
        case "packed record":
            record = np.zeros((rows, columns), dtype=[("tag", "u1"), ("value", dtype)])
            record["value"] = dense
            return record["value"]
    memory = np.zeros(dense.nbytes + 1, np.uint8)
    shifted = memory[1:].view(dtype).reshape(rows, columns)
    shifted[...] = dense
    return shifted


@st.composite
def products(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    sizes = st.one_of(st.integers(1, 40), st.sampled_from([1, 5, 6, 7, 15, 16, 17, 63, 64, 65, 127]))
    m, k, n = draw(sizes), draw(sizes), draw(sizes)
    dtype = draw(st.sampled_from(["float32", "float64"]))
    return draw(matrices(m, k, dtype)), draw(matrices(k, n, dtype))


def assert_within_bound(
    function: at.TunedKernel, direction: str, inputs: tuple[np.ndarray, ...], got: np.ndarray
) -> None:
    kernel = function.dispatch(direction).kernel
    values = dict(zip([spec.name for spec in kernel.inputs], inputs, strict=True))
    (output,) = kernel.outputs
    expected = evaluate(kernel, values)[output.name]
    assert got.shape == expected.shape
    assert got.dtype == inputs[0].dtype
    assert (np.abs(got - expected) <= error_bound(kernel, values, got.dtype)[output.name]).all()


@pytest.fixture(params=[8, 128])
def product(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> at.TunedKernel:
    """The product whose schedules are all made for one size, as each takes seconds to compile; they serve any."""
    monkeypatch.setattr(choice, "rounded", lambda _: request.param)
    return at.TunedKernel(matmul.definition)


@given(products())
@FAST
def test_product_and_gradients(product: at.TunedKernel, operands: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = operands
    before = a.copy(), b.copy()
    c, pullback = at.vjp(product, a, b)
    c_bar = np.cos(c)[:, ::-1]
    a_bar, b_bar = pullback(c_bar)
    assert_within_bound(matmul, "forward", (a, b), c)
    assert_within_bound(matmul, "vjp:a", (b, c_bar), a_bar)
    assert_within_bound(matmul, "vjp:b", (a, c_bar), b_bar)
    assert np.array_equal(a, before[0])
    assert np.array_equal(b, before[1])


@given(products(), st.sampled_from(["C", "F", "strided", "input"]))
@FAST
def test_out_of_any_layout(product: at.TunedKernel, operands: tuple[np.ndarray, np.ndarray], layout: str) -> None:
    a, b = operands
    shape = (a.shape[0], b.shape[1])
    if layout == "input":  # the result overwrites the operand it is computed from
        b = np.ascontiguousarray(b[: a.shape[1]])
        a = np.array(a[:, : a.shape[0]] if a.shape[1] >= a.shape[0] else a)  # writable
        square = np.ascontiguousarray(np.resize(b, (a.shape[1], a.shape[1])))
        expected = product(a, square)
        if expected.shape != a.shape:
            return
        out = a
        b = square
    else:
        expected = product(a, b)
        wide = np.full((2 * shape[0], 2 * shape[1]), np.nan, a.dtype, order="F" if layout == "F" else "C")
        out = wide[::2, ::2] if layout == "strided" else wide[: shape[0], : shape[1]]
    assert product(a, b, out=out) is out
    assert np.array_equal(out, expected)  # the shapes are known from the call before


@pytest.mark.parametrize("function", [linear, scores, saturated, dot], ids=lambda function: function.__name__)
def test_kernels_of_several_kinds_and_its_gradients(function) -> None:
    kernel = at.kernel(function)
    extents = dict(zip(kernel.definition.extent_names, (9, 17, 5, 4, 12), strict=False))
    rng = np.random.default_rng(1)
    inputs = [
        np.asarray(rng.standard_normal(kernel.definition.shape_of(spec.name, extents)))
        for spec in kernel.definition.inputs
    ]
    out, pullback = at.vjp(kernel, *inputs)
    assert_within_bound(kernel, "forward", tuple(inputs), out)
    cotangent = rng.standard_normal(out.shape)
    gradients = pullback(cotangent)
    assert len(gradients) == len(inputs)
    for spec, gradient in zip(kernel.definition.inputs, gradients, strict=True):
        derived = kernel.dispatch(f"vjp:{spec.name}").kernel
        given_values = dict(zip([s.name for s in kernel.definition.inputs], inputs, strict=True)) | {
            "out_bar": cotangent
        }
        (expected,) = evaluate(derived, {s.name: given_values[s.name] for s in derived.inputs}).values()
        assert np.abs(gradient - expected).max() <= 1e-12 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(("m", "k", "n"), [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_zero_extents(m: int, k: int, n: int) -> None:
    c, pullback = at.vjp(matmul, np.ones((m, k)), np.ones((k, n)))
    assert np.array_equal(c, np.zeros((m, n)))
    a_bar, b_bar = pullback(np.ones((m, n)))
    assert np.array_equal(a_bar, np.full((m, k), float(n)))
    assert np.array_equal(b_bar, np.full((k, n), float(m)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [3, 16, 70])
def test_nan_and_infinity_propagate_as_in_numpy(value: float, size: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, size, size)).astype("float32")
    a[size // 2, 1] = value
    b[0, size - 1] = -value
    with np.errstate(invalid="ignore"):
        expected = np.matmul(a, b)
    got = matmul(a, b)
    special = ~np.isfinite(expected)
    assert np.array_equal(got[special], expected[special], equal_nan=True)
    assert np.isfinite(got[~special]).all()


def test_an_input_may_be_called_self() -> None:
    @at.kernel
    def twice(self: at.Tensor["n"]):
        (i,) = at.axes(self)
        return at.output[i](2 * self[i], name="doubled")

    np.testing.assert_array_equal(twice(np.arange(3.0)), [0, 2, 4])
    np.testing.assert_array_equal(twice(self=np.arange(3.0)), [0, 2, 4])


def test_names_that_a_call_needs_are_refused_at_definition() -> None:
    def into(out: at.Tensor["n"]):
        (i,) = at.axes(out)
        return at.output[i](2 * out[i], name="doubled")

    def hidden(call_plan: at.Tensor["n"]):
        (i,) = at.axes(call_plan)
        return at.output[i](2 * call_plan[i])

    with pytest.raises(DefinitionError, match=r"kernel into: an input cannot be called out .*rename it"):
        at.kernel(into)
    with pytest.raises(DefinitionError, match="kernel hidden: an input cannot be called call_plan"):
        at.kernel(hidden)


def test_threads_call_at_the_same_time() -> None:
    rng = np.random.default_rng(0)
    operands = [(rng.standard_normal((40 + i, 30)), rng.standard_normal((30, 50 + i))) for i in range(8)]
    expected = [a @ b for a, b in operands]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            for got, right in zip(pool.map(lambda pair: matmul(*pair), operands), expected, strict=True):
                assert np.allclose(got, right, rtol=1e-12, atol=1e-12)


def test_threads_share_parallel_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOTUNE_THREADS", "2")
    kernel = at.TunedKernel(matmul.definition)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 200, 200))
    assert kernel.plan(a, b).choice.config["parallel"] == "2x1"
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: kernel(a, b), range(40)):
            assert np.allclose(got, a @ b, rtol=1e-12, atol=1e-11)


def test_read_only_inputs_are_taken() -> None:
    a = np.eye(5)
    a.flags.writeable = False
    assert np.array_equal(matmul(a, a), a)


def test_lists_are_taken() -> None:
    assert np.array_equal(matmul([[1.0, 2.0]], [[3.0], [4.0]]), [[11.0]])


def test_array_likes_are_taken() -> None:
    class Like:
        """What is no array, but has a dtype and a shape, as JAX's arrays have."""

        def __init__(self, array: np.ndarray) -> None:
            self.array, self.dtype, self.shape = array, array.dtype, array.shape

        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return self.array

    a, b = np.ones((2, 3)), np.ones((3, 4))
    for _ in range(2):  # the second call takes the fast path
        assert np.array_equal(matmul(Like(a), b), a @ b)


def test_a_tensor_of_rank_0_may_be_a_number() -> None:
    @at.kernel
    def scaled(x: at.Tensor["n"], factor: at.Tensor[()]):
        (i,) = at.axes(x)
        return at.output[i](factor[()] * x[i])

    for _ in range(2):
        assert np.array_equal(scaled(np.ones(3), np.float64(2.0)), np.full(3, 2.0))


def test_inputs_may_be_called_like_anything() -> None:
    def product(dtype: at.Tensor["m", "k"], plan: at.Tensor["k", "n"]):
        i, k = at.axes(dtype)
        _, j = at.axes(plan)
        return at.output[i, j](at.sum(dtype[i, k] * plan[k, j], over=k))

    kernel = at.kernel(product)
    a, b = np.ones((2, 3)), np.ones((3, 4))
    for _ in range(2):  # the second call takes the fast path
        assert np.array_equal(kernel(a, b), a @ b)


def test_arguments_by_name() -> None:
    a, b = np.ones((2, 3)), np.ones((3, 4))
    assert np.array_equal(matmul(b=b, a=a), matmul(a, b))


def test_new_shapes_do_not_compile() -> None:
    kernel = at.TunedKernel(batch_matmul.definition)
    kernel(np.ones((2, 40, 40)), np.ones((2, 40, 40)))
    paths = {kernel.plan(np.ones((2, m, 50)), np.ones((2, 50, 60))).path for m in range(40, 60)}
    assert len(paths) == 1


def test_untuned_kernels_say_so_once(caplog: pytest.LogCaptureFixture) -> None:
    kernel = at.TunedKernel(matmul.definition)
    for size in (3, 4, 5):
        kernel(np.ones((size, size)), np.ones((size, size)))
    (record,) = [record for record in caplog.records if "not tuned" in record.message]
    assert "autotune run matmul --size m=3,k=3,n=3 --direction forward --dtype float64" in record.message


def test_kernels_are_pickled() -> None:
    copy = pickle.loads(pickle.dumps(matmul))
    assert copy.definition == matmul.definition
    assert np.array_equal(copy(np.eye(3), np.eye(3)), np.eye(3))


ERRORS = [
    (lambda: matmul(np.ones((2, 3)), np.ones((4, 5))), ShapeError, "matmul.*k.*3.*4"),
    (lambda: matmul(np.ones(3), np.ones((3, 5))), ShapeError, r"matmul.*a\[m, k\]"),
    (lambda: matmul(np.ones((2, 3)), np.ones((3, 5), "f")), DtypeError, "a is float64, b is float32"),
    (
        lambda: matmul(np.ones((2, 3), int), np.ones((3, 5), int)), DtypeError,
        "dtype 'int64' is not supported.*float32 and float64",
    ),
    (lambda: matmul(np.ones((2, 3), ">f8"), np.ones((3, 5), ">f8")), DtypeError, "native byte order"),
    (lambda: matmul(np.ones((2, 3), "f2"), np.ones((3, 5), "f2")), DtypeError, "'float16' is not supported"),
    (
        lambda: matmul(np.ones((2, 3)), np.ones((3, 5)), out=np.ones((5, 2))), ShapeError,
        r"out must be a float64 array of shape \(2, 5\)",
    ),
    (lambda: matmul(np.ones((2, 3)), np.ones((3, 5)), out=np.ones((2, 5), "f")), ShapeError, "not float32"),
    (lambda: matmul(np.ones((2, 3))), TypeError, "missing 1 required positional argument: 'b'"),
    (lambda: matmul.extents({"a": (2, 3), "m": 4}), ShapeError, "extent m is 2 in a=2x3 but 4 in m=4"),
    (lambda: matmul.extents({"a": (2, 3)}), ShapeError, "extents n are not given"),
    (lambda: matmul.extents({"q": (2, 3)}), ShapeError, "q=.* is neither a tensor's shape nor an extent"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), ERRORS)
def test_misuse_is_named(call, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_read_only_out_is_refused() -> None:
    out = np.zeros((2, 2))
    out.flags.writeable = False
    with pytest.raises(ShapeError, match="out is read-only"):
        matmul(np.eye(2), np.eye(2), out=out)
