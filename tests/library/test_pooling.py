from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autotune.library import avg_pool2d, max_pool2d
from tests.library.cases import Case
from tests.library.gates import Gates, LinearGates, forward, gradient

IMAGES = {"n": 2, "c": 3, "h": 7, "w": 9}
OPTIONS: tuple[dict[str, int], ...] = (
    {},
    {"size": 3, "stride": 2, "padding": 1},
    {"size": 2, "stride": 3},
    {"size": 3, "stride": 1},
)


def window(reduction: Any, start: float) -> Any:
    """JAX's reduction of windows."""

    def reduced(x: Any, size: int = 2, stride: int = 2, padding: int = 0) -> Any:
        sides = ((0, 0), (0, 0), (padding, padding), (padding, padding))
        return jax.lax.reduce_window(x, start, reduction, (1, 1, size, size), (1, 1, stride, stride), sides)

    return reduced


def mean(x: Any, size: int = 2, stride: int = 2, padding: int = 0) -> Any:
    return window(jax.lax.add, 0.0)(x, size, stride, padding) / size**2


class TestMaxPool(Gates):
    cases = tuple(
        Case(
            max_pool2d,
            window(jax.lax.max, -jnp.inf),
            IMAGES,
            options=options,
            smooth=False,
            compiled=options in OPTIONS[1:2],
        )
        for options in OPTIONS
    )


class TestAvgPool(Gates, LinearGates):
    cases = tuple(
        Case(avg_pool2d, mean, IMAGES, options=options, linear=("x",), compiled=options in OPTIONS[1:2])
        for options in OPTIONS
    )


def test_the_first_of_equal_elements_has_the_gradient() -> None:
    """G6: row by row, as JAX and PyTorch."""
    for options in OPTIONS:
        case = Case(max_pool2d, window(jax.lax.max, -jnp.inf), IMAGES, options=options)
        arguments = {"x": np.random.default_rng(0).integers(0, 3, (2, 3, 7, 9)).astype(float)}
        cotangent = np.arange(1.0, 1 + forward(case, arguments).size).reshape(forward(case, arguments).shape)
        _, pullback = jax.vjp(lambda x, case=case: case.expected({"x": x}), arguments["x"])
        np.testing.assert_array_equal(gradient(case, "x", arguments, cotangent), pullback(cotangent)[0])


def test_a_window_of_padding_alone_is_minus_infinity_without_gradient() -> None:
    case = Case(max_pool2d, window(jax.lax.max, -jnp.inf), IMAGES, options={"size": 2, "stride": 2, "padding": 2})
    arguments = case.arguments()
    out = forward(case, arguments)
    assert np.isneginf(out[:, :, 0]).all()
    x_bar = gradient(case, "x", arguments, np.ones_like(out))
    assert x_bar.sum() == np.isfinite(out).sum()
