from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autotune.library import radon, total_variation_step
from tests.library.cases import Case, Sizes, uniform
from tests.library.gates import Gates, LinearGates, SmoothGates, forward, gradient


def all_around(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Any:
    """Angles in every octant."""
    del sizes
    return 2 * np.pi * np.arange(shape[0]) / shape[0] + rng.uniform(0.02, 0.1, shape)


def projected(x: Any, angles: Any, offsets: Any) -> Any:
    """Joseph's method by the weight of every pixel in every ray: the hat function of its distance."""
    (h, w), (cosine, sine) = x.shape, (jnp.cos(angles)[:, None, None], jnp.sin(angles)[:, None, None])
    v, u, t = jnp.arange(h) - (h - 1) / 2, jnp.arange(w) - (w - 1) / 2, offsets[None, :, None]
    by_rows = jnp.abs(cosine) >= jnp.abs(sine)
    cos_or_1, sin_or_1 = jnp.where(by_rows, cosine, 1.0), jnp.where(by_rows, 1.0, sine)
    column, row = (t - v * sine) / cos_or_1, (t - u * cosine) / sin_or_1
    across = jax.nn.relu(1 - jnp.abs(column[..., None] - u)) / jnp.abs(cos_or_1)[..., None]
    down = jax.nn.relu(1 - jnp.abs(row[..., None] - v)) / jnp.abs(sin_or_1)[..., None]
    return jnp.where(by_rows[..., 0], jnp.einsum("atij,ij->at", across, x), jnp.einsum("atji,ij->at", down, x))


def descended(u: Any, f: Any, tau: Any, lam: Any, epsilon: Any) -> Any:
    """By the gradient of the functional that the step descends."""

    def functional(image: Any) -> Any:
        down = jnp.pad(jnp.diff(image, axis=0), ((0, 1), (0, 0)))
        across = jnp.pad(jnp.diff(image, axis=1), ((0, 0), (0, 1)))
        return 0.5 * ((image - f) ** 2).sum() + lam * jnp.sqrt(down**2 + across**2 + epsilon**2).sum()

    return u - tau * jax.grad(functional)(u)


class TestRadon(Gates, LinearGates):
    cases = (
        Case(
            radon,
            projected,
            {"h": 5, "w": 7, "a": 9, "t": 6},
            {"angles": all_around, "offsets": uniform(-4, 4)},
            smooth=False,
            linear=("x",),
            further_sizes=({"h": 1, "w": 2, "a": 3, "t": 1},),
        ),
    )


class TestTotalVariation(Gates, SmoothGates):
    cases = (
        Case(
            total_variation_step,
            descended,
            {"h": 4, "w": 6},
            {"tau": uniform(0.1, 0.2), "lam": uniform(0.2, 0.5), "epsilon": uniform(0.1, 0.2)},
            further_sizes=({"h": 1, "w": 2}, {"h": 2, "w": 1}, {"h": 13, "w": 17}),
        ),
    )


(RADON,), (STEP,) = TestRadon.cases, TestTotalVariation.cases


def test_projections_along_the_axes_are_sums_of_columns_and_rows() -> None:
    x = np.random.default_rng(0).standard_normal((3, 5))
    arguments = {"x": x, "angles": np.array([0.0]), "offsets": np.arange(5) - 2.0}
    np.testing.assert_allclose(forward(RADON, arguments), x.sum(axis=0)[None])
    arguments = {"x": x, "angles": np.array([np.pi / 2]), "offsets": np.arange(3) - 1.0}
    np.testing.assert_allclose(forward(RADON, arguments), x.sum(axis=1)[None], atol=1e-14)


def test_angles_where_a_denominator_would_be_zero_have_derivatives() -> None:
    arguments = RADON.arguments() | {"angles": np.arange(9) * np.pi / 4}
    for name in RADON.floating:
        assert np.isfinite(gradient(RADON, name, arguments, np.ones((9, 6)))).all()


def test_an_even_image_that_is_its_own_target_stays() -> None:
    arguments = STEP.arguments() | {"u": np.full((4, 6), 3.0), "f": np.full((4, 6), 3.0)}
    np.testing.assert_array_equal(forward(STEP, arguments), arguments["u"])


def test_denoising_keeps_the_sum_but_for_the_pull_to_the_target() -> None:
    """What flows out of a pixel flows into its neighbour."""
    arguments = STEP.arguments() | {"f": STEP.arguments()["u"]}
    np.testing.assert_allclose(forward(STEP, arguments).sum(), arguments["u"].sum(), atol=1e-14)
