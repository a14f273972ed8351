"""Forward mode: tangents, Jacobians, and gradients given by rule."""

import numpy as np
import pytest
from scipy.special import expit

from autotune import lang as at
from autotune.autodiff import derive, directions, gradient_inputs, jacobian, jvp, vjp
from autotune.errors import DefinitionError, DifferentiationError
from autotune.lang import define, reference
from tests.autodiff.kernels import ARGUMENTS, KERNELS, arguments_of


def discounted(spot: at.Tensor["n"], rate: at.Scalar, time: at.Scalar) -> at.Output:
    (i,) = at.axes(spot)
    return at.output[i](spot[i] * at.exp(-rate * time))


def quadratic(x: at.Tensor["n"], a: at.Tensor["n", "n"]) -> at.Output:
    i, j = at.axes(a)
    return at.output[()](at.sum(x[i] * a[i, j] * x[j], over=(i, j)))


def test_the_tangent_of_a_product() -> None:
    def product(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]) -> at.Output:
        (i, k), (_, j) = at.axes(a), at.axes(b)
        return at.output[i, j](at.sum(a[i, k] * b[k, j], over=k))

    derived = jvp(define(product))
    assert derived.signature() == "product(a[m, k], b[k, n], a_dot[m, k], b_dot[k, n]) -> out[m, n], out_dot[m, n]"
    assert derived.definition().splitlines()[-1] == (
        "out_dot[m, n] = sum[k](a_dot[m, k] * b[k, n] + b_dot[k, n] * a[m, k])"
    )
    assert derived.direction == "jvp"


def test_a_jacobian_by_a_scalar_needs_no_tangents() -> None:
    derived = jacobian(define(discounted), "rate")
    assert derived.signature() == "discounted(spot[n], rate, time) -> out[n], out_by_rate[n]"
    assert derived.definition().splitlines()[-1] == "out_by_rate[n] = -(time * t1[] * spot[n])"


def test_a_jacobian_by_a_tensor_has_its_dimensions_last() -> None:
    rng = np.random.default_rng(0)
    x, a = rng.standard_normal(5), rng.standard_normal((5, 5))
    found = reference.evaluate(jacobian(define(quadratic), "a"), {"x": x, "a": a})
    np.testing.assert_allclose(found["out_by_a"], np.outer(x, x), rtol=1e-14)
    found = reference.evaluate(jacobian(define(quadratic), "x"), {"x": x, "a": a})
    np.testing.assert_allclose(found["out_by_x"], (a + a.T) @ x, rtol=1e-13)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_jacobians_are_what_gradients_are(name: str) -> None:
    kernel, rng = KERNELS[name], np.random.default_rng(1)
    given = arguments_of(kernel, rng)
    for wrt in gradient_inputs(kernel):
        derived = jacobian(kernel, wrt)
        values = reference.evaluate(derived, {spec.name: given[spec.name] for spec in derived.inputs})
        expected = np.zeros(given[wrt].shape)
        bars = {}
        for output in kernel.outputs:
            bar = rng.standard_normal(kernel.shape_of(output.name, ARGUMENTS))
            bars[f"{output.name}_bar"] = bar
            expected += np.tensordot(bar, values[f"{output.name}_by_{wrt}"], bar.ndim)
        gradient = vjp(kernel, wrt)
        arguments = {**given, **bars}
        found = reference.evaluate(gradient, {spec.name: arguments[spec.name] for spec in gradient.inputs})
        np.testing.assert_allclose(found[f"{wrt}_bar"], expected, rtol=1e-11, atol=1e-11)


def test_directions_of_a_kernel() -> None:
    assert directions(KERNELS["looked_up"]) == ("forward", "vjp:table", "jvp")
    assert directions(KERNELS["recurrence"]) == ("forward", "vjp:z", "vjp:start", "vjp:rate", "jvp")


def test_whole_numbers_have_no_gradient() -> None:
    message = "kernel looked_up: input index holds whole numbers, which have no gradient; differentiate by table"
    with pytest.raises(DifferentiationError, match=message):
        derive(KERNELS["looked_up"], "vjp:index")
    with pytest.raises(DifferentiationError, match=message):
        derive(KERNELS["looked_up"], "jacobian:index")


def test_a_kernel_without_floating_inputs_has_no_tangents() -> None:
    def counts(index: at.Integers["t"]) -> at.Output:
        (t,) = at.axes(index)
        return at.output[()](at.sum(index[t] * 0.5, over=t))

    with pytest.raises(DifferentiationError, match="kernel counts has no floating input to differentiate by"):
        jvp(define(counts))


@at.custom_gradient(lambda y, x: at.sigmoid(x))  # noqa: ARG005  # a rule is given the value too
def softplus(x: at.Expr) -> at.Expr:
    return at.maximum(x, 0) + at.log(1 + at.exp(-at.abs(x)))


def test_a_gradient_given_by_rule() -> None:
    def smooth(x: at.Tensor["n"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[i](softplus(3 * x[i]))

    kernel = define(smooth)
    assert vjp(kernel, "x").definition() == "x_bar[n] = 3 * out_bar[n] * sigmoid(3 * x[n])"
    x = np.array([-800.0, -1.0, 0.0, 2.0, 800.0])
    values = reference.evaluate(jvp(kernel), {"x": x, "x_dot": np.ones(5)})
    np.testing.assert_allclose(values["out"], np.logaddexp(0, 3 * x), rtol=1e-14)
    np.testing.assert_allclose(values["out_dot"], 3 * expit(3 * x), rtol=1e-15)
    second = derive(kernel, "vjp:x/vjp:x")
    found = reference.evaluate(second, {"x": x, "out_bar": np.ones(5), "x_bar_bar": np.ones(5)})["x_bar"]
    y = expit(3 * x)
    np.testing.assert_allclose(found, 9 * y * (1 - y), rtol=1e-14)


def test_a_rule_for_a_reduction_has_the_axes_of_the_operand() -> None:
    def by_rows(x: at.Tensor["m", "n"]) -> at.Output:
        i, j = at.axes(x)

        @at.custom_gradient(lambda y, x: at.exp(x - y))
        def logsumexp(x: at.Expr) -> at.Expr:
            largest = at.max(x, over=j)
            return largest + at.log(at.sum(at.exp(x - largest), over=j))

        return at.output[i](logsumexp(x[i, j]))

    kernel, rng = define(by_rows), np.random.default_rng(0)
    x, bar, dot = rng.standard_normal((3, 4)), rng.standard_normal(3), rng.standard_normal((3, 4))
    soft = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    found = reference.evaluate(vjp(kernel, "x"), {"x": x, "out_bar": bar})["x_bar"]
    np.testing.assert_allclose(found, bar[:, None] * soft, rtol=1e-14)
    found = reference.evaluate(jvp(kernel), {"x": x, "x_dot": dot})["out_dot"]
    np.testing.assert_allclose(found, (soft * dot).sum(1), rtol=1e-13)


def test_a_rule_with_too_few_derivatives_is_an_error() -> None:
    @at.custom_gradient(lambda y, x, z: x)  # noqa: ARG005
    def both(x: at.Expr, z: at.Expr) -> at.Expr:
        return x * z

    def kernel(x: at.Tensor["n"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[i](both(x[i], x[i]))

    with pytest.raises(DefinitionError, match="rule of both gives 1 partial derivatives for 2 operands"):
        define(kernel)
