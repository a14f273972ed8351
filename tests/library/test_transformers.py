from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autotune.library import attention, embedding, linear_gelu
from tests.library.cases import Case, whole
from tests.library.gates import Gates, LinearGates, SmoothGates, gradient

LAYER = {"m": 4, "k": 3, "n": 5}
HEADS = {"b": 2, "h": 3, "t": 5, "s": 4, "d": 6, "e": 7}


def layer(x: Any, w: Any, b: Any, approximate: bool = False) -> Any:
    return jax.nn.gelu(x @ w.T + b, approximate=approximate)


def attended(q: Any, k: Any, v: Any, causal: bool = False) -> Any:
    scores = jnp.einsum("bhtd,bhsd->bhts", q, k) / np.sqrt(q.shape[-1])
    if causal:
        scores = jnp.where(jnp.arange(q.shape[2])[:, None] >= jnp.arange(k.shape[2]), scores, -jnp.inf)
    return jnp.einsum("bhts,bhse->bhte", jax.nn.softmax(scores, axis=-1), v)


class TestTransformers(Gates, LinearGates, SmoothGates):
    cases = (
        Case(linear_gelu, layer, LAYER),
        Case(linear_gelu, layer, LAYER, options={"approximate": True}, compiled=False),
        Case(attention, attended, HEADS, linear=("v",), compiled=False),
        Case(attention, attended, HEADS, options={"causal": True}, linear=("v",), slow=True),
        Case(
            embedding, lambda table, idx: table[idx], {"t": 8, "v": 5, "d": 3}, {"idx": whole("v")}, linear=("table",)
        ),
    )


def test_rows_that_are_read_more_than_once_have_the_sum_of_the_gradients() -> None:
    case = TestTransformers.cases[-1]
    arguments = {"table": np.zeros((4, 2)), "idx": np.array([3, 0, 3, 3])}
    out_bar = np.array([[1.0, 2.0], [3.0, 4.0], [10.0, 20.0], [100.0, 200.0]])
    expected = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 0.0], [111.0, 222.0]])
    np.testing.assert_array_equal(gradient(case, "table", arguments, out_bar), expected)


def test_keys_that_no_query_sees_have_no_gradient() -> None:
    case = TestTransformers.cases[3]
    sizes = {**HEADS, "t": 2}
    k_bar = gradient(case, "k", case.arguments(sizes=sizes), np.ones((2, 3, 2, 7)))
    assert (k_bar[:, :, 2:] == 0).all()
