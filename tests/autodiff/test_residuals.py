"""Residuals: forward intermediates that a gradient reads instead of computing them again, as the caller chooses."""

import numpy as np
import pytest

from autotune import lang as at
from autotune.autodiff import derive, gradient_inputs, residual_candidates, vjp, with_residuals
from autotune.errors import DifferentiationError
from autotune.lang import Kernel, define, reference
from tests.autodiff.kernels import ARGUMENTS, KERNELS, arguments_of


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_reading_residuals_gives_the_same_gradient(name: str) -> None:
    kernel, rng = KERNELS[name], np.random.default_rng(0)
    given = arguments_of(kernel, rng)
    for wrt in gradient_inputs(kernel):
        candidates = residual_candidates(kernel, wrt)
        bars = {f"{o.name}_bar": rng.standard_normal(kernel.shape_of(o.name, ARGUMENTS)) for o in kernel.outputs}
        expected = run(vjp(kernel, wrt), {**given, **bars})[f"{wrt}_bar"]
        for chosen in [*((candidate,) for candidate in candidates), tuple(candidates)]:
            saved = run(with_residuals(kernel, chosen), given)
            found = run(vjp(kernel, wrt, residuals=chosen), {**given, **saved, **bars})[f"{wrt}_bar"]
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def run(kernel: Kernel, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return reference.evaluate(kernel, {spec.name: given[spec.name] for spec in kernel.inputs})


def softmax(x: at.Tensor["m", "n"]) -> at.Output:
    i, j = at.axes(x)
    e = at.exp(x[i, j] - at.stop_gradient(at.max(x[i, j], over=j)))
    return at.output[i, j](e / at.sum(e, over=j))


def test_what_is_read_is_not_computed_again() -> None:
    kernel = define(softmax)
    assert {name: str(node) for name, node in residual_candidates(kernel, "x").items()} == {
        "r1": "max[n](x[m, n])",
        "r2": "stop_gradient(max[n](x[m, n]))",
        "r3": "x[m, n] - stop_gradient(max[n](x[m, n]))",
        "r4": "exp(x[m, n] - stop_gradient(max[n](x[m, n])))",
        "r5": "sum[n](exp(x[m, n] - stop_gradient(max[n](x[m, n]))))",
    }
    gradient = derive(kernel, "vjp:x(r4,r5)")
    assert gradient.signature() == "softmax(r4[m, n], r5[m], out_bar[m, n]) -> x_bar[m, n]"
    assert "exp" not in gradient.definition()
    assert gradient.direction == "vjp:x(r4,r5)"


def test_the_forward_kernel_that_saves_them() -> None:
    saving = derive(define(softmax), "forward(r4,r5)")
    assert saving.signature() == "softmax(x[m, n]) -> out[m, n], r4[m, n], r5[m]"
    assert saving.direction == "forward(r4,r5)"


def test_an_output_may_be_read() -> None:
    def activation(x: at.Tensor["m"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[i](at.tanh(x[i]))

    gradient = vjp(define(activation), "x", residuals=("out",))
    assert gradient.signature() == "activation(out[m], out_bar[m]) -> x_bar[m]"
    assert gradient.definition() == "x_bar[m] = out_bar[m] * (1 - out[m] * out[m])"


def test_an_unknown_residual_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(DifferentiationError, match=r"kernel softmax has no intermediate 'r9'; it has r1 = max"):
        vjp(define(softmax), "x", residuals=("r9",))
    with pytest.raises(DifferentiationError, match=r"kernel softmax has no direction 'jvp\(r1\)'; it has forward"):
        derive(define(softmax), "jvp(r1)")
