from typing import Any

import jax.numpy as jnp
import numpy as np

from autotune.library import layer_norm, rms_norm
from tests.library.cases import Case
from tests.library.gates import Gates, LinearGates, SmoothGates, gradient

ROWS = {"rows": 3, "cols": 5}


def standardized(x: Any, gamma: Any, beta: Any, epsilon: float = 1e-5) -> Any:
    return (x - x.mean(axis=1, keepdims=True)) / jnp.sqrt(x.var(axis=1, keepdims=True) + epsilon) * gamma + beta


def scaled(x: Any, gamma: Any, epsilon: float = 1e-6) -> Any:
    return x / jnp.sqrt(jnp.mean(x**2, axis=1, keepdims=True) + epsilon) * gamma


class TestNormalization(Gates, LinearGates, SmoothGates):
    cases = (
        Case(layer_norm, standardized, ROWS),
        Case(layer_norm, standardized, ROWS, options={"epsilon": 0.5}, compiled=False),
        Case(rms_norm, scaled, ROWS, linear=("gamma",)),
        Case(rms_norm, scaled, ROWS, options={"epsilon": 0.5}, linear=("gamma",), compiled=False),
    )


def test_a_layer_norm_does_not_change_when_a_number_is_added_to_a_row() -> None:
    case = TestNormalization.cases[0]
    x_bar = gradient(case, "x", case.arguments(), np.random.default_rng(1).standard_normal((3, 5)))
    np.testing.assert_allclose(x_bar.sum(axis=1), 0.0, atol=1e-14)
