from typing import Any

import jax.numpy as jnp
import numpy as np

from autotune.library import nbody
from tests.library.cases import Case, uniform
from tests.library.gates import Gates, LinearGates, SmoothGates, forward, gradient


def forces(positions: Any, masses: Any, softening: Any, gravity: Any) -> Any:
    """By the gradient of the energy that the forces have, which no part of the kernel is written from."""
    import jax

    def energy(x: Any) -> Any:
        d = x[None] - x[:, None]
        potential = masses[None] * masses[:, None] / jnp.sqrt((d**2).sum(axis=2) + softening**2)
        return -0.5 * gravity * (potential - jnp.diag(jnp.diag(potential))).sum()

    return -jax.grad(energy)(positions)


class TestNbody(Gates, LinearGates, SmoothGates):
    cases = (
        Case(
            nbody,
            forces,
            {"n": 5, "xyz": 3},
            {"masses": uniform(0.5, 2), "softening": uniform(0.1, 0.2), "gravity": uniform(0.5, 2)},
            linear=("gravity",),
            further_sizes=({"n": 37, "xyz": 3},),
        ),
    )


def test_forces_add_up_to_nothing_and_so_do_gradients() -> None:
    """Newton's third law, and that the forces depend on differences of positions alone."""
    (case,) = TestNbody.cases
    arguments = case.arguments()
    np.testing.assert_allclose(forward(case, arguments).sum(axis=0), 0.0, atol=1e-12)
    out_bar = np.random.default_rng(1).standard_normal((5, 3))
    np.testing.assert_allclose(gradient(case, "positions", arguments, out_bar).sum(axis=0), 0.0, atol=1e-11)


def test_bodies_in_one_place_do_not_pull_at_each_other() -> None:
    (case,) = TestNbody.cases
    arguments = case.arguments() | {"positions": np.zeros((5, 3))}
    assert (forward(case, arguments) == 0).all()
    assert np.isfinite(gradient(case, "positions", arguments, np.ones((5, 3)))).all()


def test_gradients_need_no_softening() -> None:
    (case,) = TestNbody.cases
    arguments = case.arguments() | {"softening": np.array(0.0)}
    out_bar = np.random.default_rng(1).standard_normal((5, 3))
    near = arguments | {"softening": np.array(1e-9)}
    for name in ("positions", "masses", "gravity"):
        np.testing.assert_allclose(gradient(case, name, arguments, out_bar), gradient(case, name, near, out_bar))
