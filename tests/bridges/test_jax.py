"""Kernels as functions of JAX's arrays: values, gradients, transformations, and what is refused."""
# ruff: noqa: E501  # a case a row

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import autotune as at
from autotune.errors import AutotuneError, DifferentiationError, DtypeError, OptionError, ShapeError
from autotune.jax import foreign
from autotune.library import conv2d, embedding, matmul, softmax
from tests.bridges.cases import CASES, Case
from tests.bridges.directions import directions_run
from tests.bridges.kernels import logistic, misfit, moments
from tests.runtime.own_templates import row_means

RNG = np.random.default_rng(0)
interpreted = pytest.mark.usefixtures("_interpreted")


@pytest.fixture(autouse=True)
def _singles() -> Iterator[None]:
    """JAX as it comes; other tests of this process may have it use doubles."""
    with jax.enable_x64(False):
        yield


@pytest.fixture
def _doubles(_singles: None) -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


WEIGHT = np.array([2, 0, -3], np.int32)


@pytest.mark.usefixtures("_doubles", "_interpreted")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradients_in_reverse_and_their_gradients(case: Case) -> None:
    check_grads(at.jax.function(case.kernel, **case.options), case.arguments, order=2, modes=["rev"])


@pytest.mark.usefixtures("_doubles", "_interpreted")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tangents_in_forward_mode_and_theirs(case: Case) -> None:
    function = at.jax.function(case.kernel, mode="forward", **case.options)
    check_grads(function, case.arguments, order=2, modes=["fwd"])


@pytest.mark.usefixtures("_doubles", "_interpreted")
def test_several_outputs_and_whole_numbers() -> None:
    x = normal(3, 4)
    found = at.jax.function(moments)(x, weight=WEIGHT)
    for got, expected in zip(found, moments(x, WEIGHT), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
    for mode, name in (("reverse", "rev"), ("forward", "fwd")):
        function = at.jax.function(moments, mode=mode)
        check_grads(lambda x: function(x, WEIGHT)[::2], (x,), order=2, modes=[name])  # noqa: B023  # called at once
        check_grads(lambda x: function(x, WEIGHT)[2], (x,), order=1, modes=[name])  # noqa: B023
    table, idx = normal(4, 2), np.array([3, 0, 3])
    check_grads(lambda table: at.jax.function(embedding)(table, idx), (table,), order=2, modes=["rev"])


@interpreted
def test_without_doubles_whole_numbers_are_int32() -> None:
    found = at.jax.function(moments)(normal(3, 4), WEIGHT)
    assert [str(each.dtype) for each in found] == ["float32", "int32", "float32"]


def test_generated_code_trains_as_jax_does() -> None:
    x, y, start = (jnp.asarray(normal(*shape), "float32") for shape in ((40, 8), (40, 5), (8, 5)))
    losses = []
    for product in (at.jax.function(matmul), jnp.matmul):
        loss = jax.jit(jax.value_and_grad(lambda w: jnp.mean((product(x, w) - y) ** 2)))  # noqa: B023
        w = start
        for _ in range(5):
            value, gradient = loss(w)
            w = w - 0.1 * gradient
        losses.append(float(value))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_xla_calls_machine_code_without_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the first call has found it, until winners are read again; batches are Python's."""
    product = at.jax.function(matmul)
    a, b = jnp.asarray(normal(40, 8), "float32"), jnp.asarray(normal(8, 5), "float32")
    expected = np.asarray(product(a, b))
    in_python: list[int] = []
    arrays = foreign._arrays
    monkeypatch.setattr(foreign, "_arrays", lambda buffers: in_python.append(buffers.count) or arrays(buffers))
    np.testing.assert_array_equal(product(a, b), expected)
    assert in_python == []
    np.testing.assert_array_equal(jax.vmap(product, in_axes=(0, None))(a[None], b)[0], expected)
    assert in_python == [2, 1]
    matmul.refresh()
    for _ in range(2):
        np.testing.assert_array_equal(product(a, b), expected)
    assert in_python == [2, 1, 2, 1]


@interpreted
def test_large_arrays_are_not_waited_for() -> None:
    """`jax.pure_callback` can wait for ever for arguments that it puts on the device again."""
    x = jnp.ones((1024, 1024))
    function = jax.jit(lambda x: at.jax.function(softmax)(at.jax.function(softmax)(x) + x))
    np.testing.assert_allclose(function(x), np.full((1024, 1024), 1 / 1024), rtol=1e-5)


@interpreted
def test_batches() -> None:
    a, b = jnp.asarray(normal(5, 2, 3)), jnp.asarray(normal(4, 3, 4))
    function = at.jax.function(matmul)
    np.testing.assert_allclose(jax.vmap(function, in_axes=(0, None))(a, b[0]), a @ b[0], rtol=1e-5)
    inner = jax.vmap(function, in_axes=(None, 0))
    np.testing.assert_allclose(jax.jit(jax.vmap(inner, in_axes=(0, None)))(a, b), a[:, None] @ b, rtol=1e-5)
    each = jax.vmap(jax.grad(lambda a, b: jnp.sin(function(a, b)).sum()), in_axes=(0, None))
    np.testing.assert_allclose(each(a, b[0]), jnp.cos(a @ b[0]) @ b[0].T, rtol=1e-4)
    rates = jnp.asarray([0.5, 2.0])
    many = jax.vmap(at.jax.function(logistic), in_axes=(0, None, None))(rates, a[0, 0], 1.0)
    np.testing.assert_allclose(many, jax.nn.sigmoid(rates[:, None] * a[0, 0] + 1), rtol=1e-5)
    largest = jax.vmap(at.jax.function(moments), in_axes=(0, None))(a.transpose(0, 2, 1), WEIGHT)[1]
    np.testing.assert_array_equal(largest, a.argmax(axis=1))


@interpreted
def test_jacobians() -> None:
    a, b = jnp.asarray(normal(2, 3)), jnp.asarray(normal(3, 4))
    for mode, jacobian in (("reverse", jax.jacrev), ("forward", jax.jacfwd)):
        got = jacobian(at.jax.function(matmul, mode=mode))(a, b)
        np.testing.assert_allclose(got, jax.jacrev(jnp.matmul)(a, b), rtol=1e-6)


@interpreted
@pytest.mark.parametrize("jit", [False, True])
def test_only_gradients_that_are_needed_are_computed(monkeypatch: pytest.MonkeyPatch, jit: bool) -> None:
    run = directions_run(monkeypatch)
    matmul.refresh()
    gradient = jax.grad(lambda a, b: at.jax.function(matmul)(a, b).sum(), argnums=1)
    (jax.jit(gradient) if jit else gradient)(normal(2, 3), normal(3, 4)).block_until_ready()
    assert set(run) - {"forward"} == {"vjp:b"}


@interpreted
def test_a_number_is_computed_with_the_gradients_that_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directions_run(monkeypatch)
    misfit.refresh()
    x, y, slope = normal(4, 3), normal(4), normal(3)
    value, gradient = jax.jit(jax.value_and_grad(lambda slope: 3 * at.jax.function(misfit)(slope, x, y, 0.5)))(slope)
    assert run == ["joint:slope"]
    singles = [np.float32(each) for each in (slope, x, y)]
    expected, pullback = at.vjp(misfit, *singles, 0.5)
    np.testing.assert_allclose(value, 3 * expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, pullback(np.float32(3))[0], rtol=1e-4, atol=1e-6)
    each = jax.vmap(jax.grad(lambda slope: at.jax.function(misfit)(slope, x, y, 0.5)))(jnp.stack([slope, slope]))
    np.testing.assert_allclose(3 * each[1], gradient, rtol=1e-4, atol=1e-6)


BAD = {
    "mixed": (DtypeError, r"b is float16", lambda f: f(normal(2, 3), normal(3, 4).astype("float16"))),
    "half": (DtypeError, r"a is bfloat16.*astype", lambda f: f(jnp.ones((2, 3), "bfloat16"), normal(3, 4))),
    "rank": (ShapeError, r"a\[m, k\] has 2 dimensions, not the 1", lambda f: f(normal(3), normal(3, 4))),
    "sizes": (ShapeError, r"extent k is 3 in a.* but 4 in b", lambda f: f(normal(2, 3), normal(4, 3))),
    "too few": (TypeError, r"matmul\(\) takes the inputs a, b", lambda f: f(normal(2, 3))),
    "no whole numbers": (DtypeError, r"idx holds whole numbers.*astype\(int\)", lambda _: at.jax.function(embedding)(normal(2, 3), normal(4))),
    "no number": (ShapeError, r"rate must be a number or an array of rank 0", lambda _: at.jax.function(logistic)(normal(2), normal(4), 0.5)),
    "complex number": (DtypeError, r"rate must be a real number", lambda _: at.jax.function(logistic)(1j, normal(4), 0.5)),
    "option": (OptionError, r"no option 'strides'", lambda _: at.jax.function(conv2d, strides=2)),
    "mode": (OptionError, r"mode must be 'reverse' or 'forward', not 'both'", lambda _: at.jax.function(matmul, mode="both")),
}  # fmt: skip


@interpreted
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused(bad: tuple[type[Exception], str, Callable[[Any], Any]]) -> None:
    kind, text, call = bad
    with pytest.raises(kind, match=text) as caught:
        call(at.jax.function(matmul))
    assert isinstance(caught.value, AutotuneError | TypeError)


@pytest.mark.usefixtures("_doubles", "_interpreted")
def test_dtypes_are_not_mixed() -> None:
    with pytest.raises(DtypeError, match=r"b is float32 and another float64"):
        at.jax.function(matmul)(normal(2, 3), normal(3, 4).astype("float32"))


@interpreted
def test_errors_while_the_program_runs_say_what_is_wrong() -> None:
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"IndexRangeError: .*embedding"):
        at.jax.function(embedding)(normal(4, 2), np.array([3, 4])).block_until_ready()


@interpreted
def test_a_kernel_without_derivatives_says_so_when_one_is_needed() -> None:
    function = at.jax.function(row_means)
    function(normal(2, 3), 1.0)
    with pytest.raises(DifferentiationError, match="defined by a function of arrays"):
        jax.grad(lambda x: function(x, 1.0).sum())(normal(2, 3))


@interpreted
def test_the_plain_function_sends_to_this_one() -> None:
    with pytest.raises(DifferentiationError, match=r"matmul: a is traced by JAX.*at\.jax\.function\(matmul\)"):
        jax.jit(matmul)(normal(2, 3), normal(3, 4))
    got = matmul(jnp.asarray(normal(2, 3)), np.ones((3, 4), "float32"))
    assert got.dtype == np.float32
