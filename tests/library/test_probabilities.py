from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autotune.library import cross_entropy, log_softmax, logsumexp, softmax
from tests.library.cases import Case, whole
from tests.library.gates import Gates, SmoothGates, forward, gradient

ROWS = {"rows": 3, "cols": 5}


def mean_cross_entropy(logits: Any, targets: Any) -> Any:
    """JAX's, by a one-hot matrix."""
    chosen = jax.nn.one_hot(targets, logits.shape[1], dtype=logits.dtype)
    return -jnp.mean(jnp.sum(chosen * jax.nn.log_softmax(logits, axis=1), axis=1))


class TestProbabilities(Gates, SmoothGates):
    cases = (
        Case(softmax, lambda x: jax.nn.softmax(x, axis=1), ROWS),
        Case(log_softmax, lambda x: jax.nn.log_softmax(x, axis=1), ROWS),
        Case(logsumexp, lambda x: jax.scipy.special.logsumexp(x, axis=1), ROWS),
        Case(cross_entropy, mean_cross_entropy, {"b": 6, "v": 4}, {"targets": whole("v")}),
    )


SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, CROSS_ENTROPY = TestProbabilities.cases


def test_large_scores_do_not_overflow() -> None:
    x = np.array([[1e300, 0.0, -1e300], [-1e4, -1e4, -1e4]])
    np.testing.assert_array_equal(forward(SOFTMAX, {"x": x})[0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(forward(LOGSUMEXP, {"x": x}), [1e300, -1e4 + np.log(3)])
    assert np.isfinite(gradient(LOG_SOFTMAX, "x", {"x": x}, np.ones_like(x))).all()


def test_masked_scores_have_no_probability_and_no_gradient() -> None:
    x = np.array([[0.5, -np.inf, 1.0], [-np.inf, -np.inf, 2.0]])
    masked = np.isneginf(x)
    assert (forward(SOFTMAX, {"x": x})[masked] == 0).all()
    assert (gradient(SOFTMAX, "x", {"x": x}, np.ones_like(x))[masked] == 0).all()
    assert (gradient(LOGSUMEXP, "x", {"x": x}, np.ones(2))[masked] == 0).all()


def test_logsumexp_of_infinities_is_infinite() -> None:
    x = np.array([[-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0]])
    np.testing.assert_array_equal(forward(LOGSUMEXP, {"x": x}), [-np.inf, np.inf, np.nan])


def test_rows_of_softmax_gradients_sum_to_zero() -> None:
    arguments = SOFTMAX.arguments()
    x_bar = gradient(SOFTMAX, "x", arguments, np.random.default_rng(1).standard_normal((3, 5)))
    np.testing.assert_allclose(x_bar.sum(axis=1), 0.0, atol=1e-15)


def test_repeated_targets() -> None:
    arguments = {"logits": np.zeros((3, 4)), "targets": np.array([1, 1, 3])}
    expected = np.full((3, 4), 1 / 12)
    expected[[0, 1, 2], [1, 1, 3]] -= 1 / 3
    np.testing.assert_allclose(gradient(CROSS_ENTROPY, "logits", arguments, np.array(1.0)), expected, rtol=1e-15)
