"""vjp, jvp and jacobian against closed forms, with several outputs, whole numbers and scalars among the inputs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import autotune as at
from autotune.errors import AutotuneError, DifferentiationError, DtypeError, ShapeError
from autotune.library import layer_norm, matmul
from autotune.runtime import Plan, dispatch
from autotune.schedule import Workload
from tests.bridges.kernels import misfit
from tests.runtime.test_arguments import counted, moments, regrouped, rows

pytestmark = pytest.mark.usefixtures("_interpreted")


@at.kernel
def polar(x: at.Tensor["n"], y: at.Tensor["n"], scale: at.Scalar):
    (i,) = at.axes(x)
    radius = at.sqrt(x[i] * x[i] + y[i] * y[i])
    return at.output[i](scale * radius, name="radius"), at.output[i](x[i] * y[i], name="product")


RNG = np.random.default_rng(0)
X, Y, R_BAR, P_BAR = RNG.standard_normal((4, 5))
SCALE = 1.5
RADIUS = np.hypot(X, Y)


def test_the_pullback_of_several_outputs() -> None:
    (radius, product), pullback = at.vjp(polar, X, Y, SCALE)
    np.testing.assert_allclose(radius, SCALE * RADIUS)
    np.testing.assert_allclose(product, X * Y)
    x_bar, y_bar, scale_bar = pullback((R_BAR, P_BAR))
    np.testing.assert_allclose(x_bar, SCALE * X / RADIUS * R_BAR + Y * P_BAR)
    np.testing.assert_allclose(y_bar, SCALE * Y / RADIUS * R_BAR + X * P_BAR)
    np.testing.assert_allclose(scale_bar, np.sum(RADIUS * R_BAR))


def test_none_is_a_cotangent_of_zeros() -> None:
    _, pullback = at.vjp(polar, X, Y, SCALE)
    np.testing.assert_allclose(pullback([None, P_BAR])[0], Y * P_BAR)
    np.testing.assert_allclose(pullback((None, None))[2], 0.0)


def test_cotangents_of_integer_outputs_are_ignored() -> None:
    x = RNG.standard_normal((3, 4))
    _, pullback = at.vjp(moments, x)
    for ignored in (None, "anything"):
        np.testing.assert_allclose(pullback((np.ones(3), ignored))[0], np.full((3, 4), 0.25))


def test_integer_inputs_have_no_gradient() -> None:
    table = RNG.standard_normal((4, 3))
    out, pullback = at.vjp(rows, table, [1, 3, 1])
    table_bar, idx_bar = pullback(np.ones_like(out))
    np.testing.assert_array_equal(table_bar, [[0] * 3, [2] * 3, [0] * 3, [1] * 3])
    assert idx_bar is None
    np.testing.assert_allclose(at.vjp(counted, [1, 2], 3.0)[1](np.ones(2))[1], 3.0)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, _interpreted: None) -> list[str]:
    """The directions that are run from here on, in order."""
    found: list[str] = []
    planned = dispatch.compiled_plan

    def noted(workload: Workload, *rest: Any) -> Plan:
        plan = planned(workload, *rest)

        def call(*given: Any) -> int:
            found.append(workload.kernel.direction)
            return plan.split_call(*given)

        return replace(plan, split_call=call)

    monkeypatch.setattr(dispatch, "compiled_plan", noted)
    at.refresh()
    return found


def test_gradients_that_share_work_are_computed_together(run: list[str]) -> None:
    given = RNG.standard_normal((3, 5)), X, Y
    out, pullback = at.vjp(layer_norm, *given)
    _, gamma, beta = pullback(out)
    assert run == ["forward", "vjp"]
    np.testing.assert_allclose(gamma, np.sum(out * (out - Y) / X, axis=0))
    np.testing.assert_allclose(beta, np.sum(out, axis=0))
    run.clear()
    _, pullback = at.vjp(matmul, RNG.standard_normal((2, 3)), RNG.standard_normal((3, 4)))
    pullback(np.ones((2, 4)))
    assert run == ["forward", "vjp:a", "vjp:b"]


def test_a_number_is_computed_with_its_gradients(run: list[str]) -> None:
    given = RNG.standard_normal(3), RNG.standard_normal((5, 3)), X, 0.5
    expected = misfit(*given)
    out, pullback = at.vjp(misfit, *given)
    np.testing.assert_allclose(out, expected, rtol=1e-13)
    assert run == ["forward", "joint"]
    scaled, again = pullback(np.float64(-2.0)), pullback(np.ones(()))
    assert run == ["forward", "joint", "vjp"]  # what was at hand is given away once
    for first, second in zip(scaled, again, strict=True):
        np.testing.assert_allclose(first, -2 * second, rtol=1e-13)
    assert again[3].shape == ()
    np.testing.assert_allclose(pullback(None)[0], np.zeros(3))
    with pytest.raises(ShapeError, match="out_bar"):
        at.vjp(misfit, *given)[1](np.ones(5))
    single = [np.asarray(value, np.float32) for value in given]
    with pytest.raises(DtypeError, match="out_bar is float64"):
        at.vjp(misfit, *single)[1](np.ones(()))
    with pytest.raises(TypeError, match=r"misfit\(\) takes the inputs slope, x, y, shift"):
        at.vjp(misfit, *given[:3])


def test_a_number_of_nothing_has_gradients() -> None:
    out, pullback = at.vjp(misfit, np.zeros(0), np.zeros((4, 0)), np.ones(4), 3.0)
    assert out == 4.0
    slope, x, y, shift = pullback(np.ones(()))
    assert (slope.shape, x.shape) == ((0,), (4, 0))
    np.testing.assert_allclose(y, np.full(4, -1.0))
    assert shift == 4.0


def test_tangents_of_several_outputs() -> None:
    (radius, product), (radius_dot, product_dot) = at.jvp(polar, (X, Y, SCALE), (R_BAR, P_BAR, 0.5))
    np.testing.assert_allclose(radius, SCALE * RADIUS)
    np.testing.assert_allclose(product, X * Y)
    np.testing.assert_allclose(radius_dot, SCALE * (X * R_BAR + Y * P_BAR) / RADIUS + 0.5 * RADIUS)
    np.testing.assert_allclose(product_dot, X * P_BAR + Y * R_BAR)


def test_none_is_a_tangent_of_zeros() -> None:
    _, (radius_dot, product_dot) = at.jvp(polar, (X, Y, SCALE), (None, P_BAR, None))
    np.testing.assert_allclose(radius_dot, SCALE * Y * P_BAR / RADIUS)
    np.testing.assert_allclose(product_dot, X * P_BAR)


def test_tangents_go_through_indices_and_past_whole_numbers() -> None:
    table, table_dot = RNG.standard_normal((2, 4, 3))
    out, out_dot = at.jvp(rows, (table, [1, 3]), (table_dot, "ignored"))
    np.testing.assert_array_equal(out, table[[1, 3]])
    np.testing.assert_array_equal(out_dot, table_dot[[1, 3]])
    x, x_dot = RNG.standard_normal((2, 3, 4))
    (_, largest), (mean_dot, largest_dot) = at.jvp(moments, (x,), (x_dot,))
    np.testing.assert_allclose(mean_dot, x_dot.mean(axis=1))
    np.testing.assert_array_equal(largest, x.argmax(axis=1))
    assert largest_dot is None


def test_grouped_dimensions_have_grouped_derivatives() -> None:
    x, w = RNG.standard_normal((5, 6)), RNG.standard_normal((2, 3, 4))
    out, pullback = at.vjp(regrouped, x, w)
    out_bar = RNG.standard_normal(out.shape)
    x_bar, w_bar = pullback(out_bar)
    split = out_bar.reshape(5, 2, 4)
    np.testing.assert_allclose(x_bar, np.einsum("ngk,gck->ngc", split, w).reshape(5, 6))
    np.testing.assert_allclose(w_bar, np.einsum("ngk,ngc->gck", split, x.reshape(5, 2, 3)))
    x_dot = RNG.standard_normal(x.shape)
    np.testing.assert_allclose(at.jvp(regrouped, (x, w), (x_dot, None))[1], regrouped(x_dot, w))


def test_jacobian_by_a_scalar() -> None:
    radius_by_scale, product_by_scale = at.jacobian(polar, X, Y, SCALE, wrt="scale")
    np.testing.assert_allclose(radius_by_scale, RADIUS)
    np.testing.assert_allclose(product_by_scale, np.zeros(5))


def test_jacobian_by_a_tensor_has_its_dimensions_last() -> None:
    radius_by_x, product_by_x = at.jacobian(polar, X, Y, SCALE, wrt="x")
    np.testing.assert_allclose(radius_by_x, np.diag(SCALE * X / RADIUS))
    np.testing.assert_allclose(product_by_x, np.diag(Y))
    x = RNG.standard_normal((2, 3))
    mean_by_x, nothing = at.jacobian(moments, x, wrt="x")
    np.testing.assert_allclose(mean_by_x, np.einsum("ik,ij->ijk", np.ones((2, 3)), np.eye(2)) / 3)
    assert nothing is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_have_the_dtype_of_the_inputs(dtype: str) -> None:
    x, y = X.astype(dtype), Y.astype(dtype)
    out, pullback = at.vjp(polar, x, y, SCALE)
    arrays = [*out, *pullback(out), *at.jvp(polar, (x, y, SCALE), (x, None, None))[1]]
    arrays += at.jacobian(polar, x, y, SCALE, wrt="scale")
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_the_derivative_of_a_derivative() -> None:
    @at.kernel
    def cubed(x: at.Tensor["n"]):
        (i,) = at.axes(x)
        return at.output[i](x[i] ** 3)

    first = at.TunedKernel(cubed.dispatch("vjp:x").kernel)
    out, pullback = at.vjp(first, X, np.ones(5))
    np.testing.assert_allclose(out, 3 * X**2)
    x_bar, out_bar_bar = pullback(Y)
    np.testing.assert_allclose(x_bar, 6 * X * Y)
    np.testing.assert_allclose(out_bar_bar, 3 * X**2 * Y)
    np.testing.assert_allclose(at.jvp(first, (X, np.ones(5)), (Y, None))[1], 6 * X * Y)


ERRORS: list[tuple[Callable[[], Any], type[AutotuneError], str]] = [
    (lambda: at.vjp(polar, X, Y, SCALE)[1](R_BAR), ShapeError, "takes 2 cotangents as a tuple, of radius, product"),
    (lambda: at.vjp(polar, X, Y, SCALE)[1]((R_BAR,)), ShapeError, "not 1"),
    (lambda: at.vjp(polar, X, Y, SCALE)[1]((R_BAR[:3], None)), ShapeError, "polar.*radius_bar"),
    (lambda: at.jvp(polar, (X, Y), (X, Y)), ShapeError, r"polar: 2 primals for the 3 inputs x\[n\], y\[n\], scale"),
    (lambda: at.jvp(polar, (X, Y, SCALE), (X, Y)), ShapeError, "2 tangents for the 3 inputs"),
    (lambda: at.jacobian(polar, X, Y, SCALE, wrt="z"), DifferentiationError, "no input 'z'"),
    (lambda: at.jacobian(rows, np.ones((2, 2)), [1], wrt="idx"), DifferentiationError, "idx holds whole numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), ERRORS)
def test_misuse_is_named(call: Callable[[], Any], error: type[AutotuneError], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_directions() -> None:
    @at.kernel
    def where_largest(x: at.Tensor["n"]):
        (i,) = at.axes(x)
        return at.output[()](at.argmax(x[i], over=i))

    assert polar.directions == ("forward", "vjp:x", "vjp:y", "vjp:scale", "jvp")
    assert polar.tuned_directions == (*polar.directions[:-1], "vjp")
    assert misfit.tuned_directions[-1] == "joint"
    assert matmul.tuned_directions == matmul.directions[:-1]
    assert rows.directions == ("forward", "vjp:table", "jvp")
    assert where_largest.directions == ("forward",)
