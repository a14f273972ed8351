from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autotune.library import sinkhorn_step
from tests.library.cases import Case, uniform
from tests.library.gates import Gates, SmoothGates, forward


def potentials(cost: Any, a: Any, g: Any, epsilon: Any) -> Any:
    return epsilon * (jnp.log(a) - jax.scipy.special.logsumexp((g - cost) / epsilon, axis=1))


class TestOptimalTransport(Gates, SmoothGates):
    cases = (
        Case(
            sinkhorn_step,
            potentials,
            {"n": 4, "m": 6},
            {"cost": uniform(0, 1), "a": uniform(0.1, 1), "epsilon": uniform(0.1, 0.2)},
        ),
    )


def test_the_plan_has_the_row_sums() -> None:
    (case,) = TestOptimalTransport.cases
    arguments = case.arguments()
    f = forward(case, arguments)
    plan = np.exp((f[:, None] + arguments["g"] - arguments["cost"]) / arguments["epsilon"])
    np.testing.assert_allclose(plan.sum(axis=1), arguments["a"], rtol=1e-12)


def test_a_small_regularization_does_not_underflow() -> None:
    (case,) = TestOptimalTransport.cases
    arguments = case.arguments() | {"epsilon": np.array(1e-6)}
    assert np.isfinite(forward(case, arguments)).all()
