from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from autotune.library import pk_two_compartment
from tests.library.cases import Case, uniform
from tests.library.gates import Gates, LinearGates, SmoothGates, forward


def matrices(ka: Any, cl: Any, v1: Any, q: Any, v2: Any) -> Any:
    """The system of each patient as a matrix."""
    zero = jnp.zeros_like(ka)
    rows = [[-ka, zero, zero], [ka, -(cl + q) / v1, q / v2], [zero, q / v1, -q / v2]]
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def concentrations(dose: Any, ka: Any, cl: Any, v1: Any, q: Any, v2: Any, dt: Any) -> Any:
    """A Runge-Kutta step of a linear system is the polynomial of degree 4 that its exponential begins with."""
    system = matrices(ka, cl, v1, q, v2)

    def step(state: Any, h: Any) -> Any:
        term = state
        for order in range(1, 5):
            term = jnp.einsum("pij,pj->pi", system, term) * h / order
            state = state + term
        return state, state[:, 1]

    start = jnp.stack([dose, jnp.zeros_like(dose), jnp.zeros_like(dose)], axis=1)
    return jax.lax.scan(step, start, dt)[1].T / v1[:, None]


class TestPharmacology(Gates, LinearGates, SmoothGates):
    cases = (
        Case(
            pk_two_compartment,
            concentrations,
            {"patients": 3, "steps": 5},
            {
                "dose": uniform(50, 150),
                "ka": uniform(0.5, 1.5),
                "cl": uniform(2, 6),
                "v1": uniform(10, 30),
                "q": uniform(1, 4),
                "v2": uniform(20, 60),
                "dt": uniform(0.1, 0.5),
            },
            linear=("dose",),
            further_sizes=({"patients": 17, "steps": 2},),
        ),
    )


def test_small_steps_come_near_the_exact_solution() -> None:
    """Of order 4: half the step, a sixteenth of the error."""
    (case,) = TestPharmacology.cases
    arguments = case.arguments()
    system = np.asarray(matrices(*(arguments[name] for name in ("ka", "cl", "v1", "q", "v2"))))
    starts = [np.array([dose, 0.0, 0.0]) for dose in arguments["dose"]]
    exact = [(scipy.linalg.expm(4 * rates) @ start)[1] for rates, start in zip(system, starts, strict=True)]
    errors = []
    for steps in (32, 64):
        got = forward(case, arguments | {"dt": np.full(steps, 4 / steps)})[:, -1]
        errors.append(np.abs(got - np.array(exact) / arguments["v1"]).max())
    assert 12 < errors[0] / errors[1] < 20
