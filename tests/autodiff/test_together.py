"""Several gradients in one kernel, and the forward kernel with them: the values of the separate ones."""

import numpy as np
import pytest

from autotune.autodiff import derive, gradient_inputs, joint, vjp
from autotune.errors import DifferentiationError
from autotune.lang import Kernel
from autotune.lang.reference import Results, evaluate
from tests.autodiff.kernels import ARGUMENTS, KERNELS, arguments_of


def run(kernel: Kernel, given: Results) -> Results:
    return evaluate(kernel, {spec.name: given[spec.name] for spec in kernel.inputs})


def given_to(kernel: Kernel) -> Results:
    """Inputs and cotangents."""
    rng = np.random.default_rng(0)
    bars = {f"{o.name}_bar": rng.standard_normal(kernel.shape_of(o.name, ARGUMENTS)) for o in kernel.outputs}
    return {**arguments_of(kernel, rng), **bars}


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_they_are_the_separate_ones(name: str) -> None:
    kernel = KERNELS[name]
    given, names = given_to(kernel), gradient_inputs(kernel)
    gradients = {f"{wrt}_bar": run(vjp(kernel, wrt), given)[f"{wrt}_bar"] for wrt in names}
    for made, expected in ((vjp(kernel), gradients), (joint(kernel), {**run(kernel, given), **gradients})):
        found = run(made, given)
        assert list(found) == list(expected)
        for output, value in expected.items():
            np.testing.assert_allclose(found[output], value, rtol=1e-13, atol=1e-13)


def test_directions_name_some_inputs_or_all() -> None:
    kernel = KERNELS["layer_norm"]
    assert {derive(kernel, name).direction for name in ("vjp", "vjp:gamma+x")} == {"vjp"}
    assert derive(kernel, "joint:x").direction == "joint:x"
    assert derive(KERNELS["recurrence"], "vjp:z+rate").signature() == (
        "recurrence(z[m, t], start[m], rate, levels_bar[m, t], total_bar[m]) -> z_bar[m, t], rate_bar[]"
    )
    assert derive(kernel, "joint").signature() == (
        "layer_norm(x[m, n], gamma[n], out_bar[m, n]) -> out[m, n], x_bar[m, n], gamma_bar[n]"
    )
    assert derive(KERNELS["looked_up"], "vjp").direction == "vjp:table"  # of one there is but one name


def test_they_have_gradients_and_read_residuals() -> None:
    kernel = KERNELS["dense"]
    given = given_to(kernel)
    bars = {f"{wrt}_bar_bar": np.full_like(given[wrt], 0.5) for wrt in ("x", "w")}
    second = run(derive(kernel, "vjp/vjp:x"), given | bars)["x_bar"]
    parts = [run(derive(kernel, f"vjp:{wrt}/vjp:x"), given | bars)["x_bar"] for wrt in ("x", "w")]
    np.testing.assert_allclose(second, sum(parts), rtol=1e-12, atol=1e-13)
    reading = derive(kernel, "vjp:x+w(out)")
    assert reading.direction == "vjp(out)"
    expected = run(vjp(kernel), given)
    for name, value in run(reading, given | run(kernel, given)).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-13)


@pytest.mark.parametrize(
    ("direction", "match"),
    [("vjp:x+y", "no input 'y'"), ("joint:x+", "no direction 'joint:x\\+'"), ("joint(out)", "no direction")],
)
def test_others_are_refused(direction: str, match: str) -> None:
    with pytest.raises(DifferentiationError, match=match):
        derive(KERNELS["layer_norm"], direction)
