"""`vmap`: kernels for each index of a batch, called, differentiated and tuned like others."""

import numpy as np
import pytest

import autotune as at
from autotune.errors import DefinitionError, ShapeError
from autotune.library import matmul, softmax
from tests.runtime.own_templates import row_means

RNG = np.random.default_rng(0)


@pytest.mark.usefixtures("_interpreted")
def test_axes_are_those_of_jax() -> None:
    a, b = RNG.standard_normal((5, 2, 3)), RNG.standard_normal((5, 3, 4))
    np.testing.assert_allclose(at.vmap(matmul)(a, b), a @ b)
    np.testing.assert_allclose(at.vmap(matmul, in_axes=(0, None))(a, b[0]), a @ b[0])
    np.testing.assert_allclose(at.vmap(matmul, in_axes=[None, 0])(a[0], b), a[0] @ b)
    with pytest.raises(ShapeError, match=r"extent batch is 5 in a.* but 4 in b"):
        at.vmap(matmul)(a, b[:4])


def test_generated_code_and_gradients() -> None:
    many = at.vmap(softmax)
    x = RNG.standard_normal((3, 4, 9))
    e = np.exp(x - x.max(-1, keepdims=True))
    y, pullback = at.vjp(many, x)
    np.testing.assert_allclose(y, e / e.sum(-1, keepdims=True))
    bar = RNG.standard_normal(y.shape)
    np.testing.assert_allclose(pullback(bar)[0], y * (bar - (bar * y).sum(-1, keepdims=True)))
    assert many.directions == ("forward", "vjp:x", "jvp")
    assert many.workload("forward", {"batch": 3, "rows": 4, "cols": 9}).kernel.name == "batched_softmax"


@pytest.mark.parametrize(
    ("kernel", "in_axes", "text"),
    [
        (matmul, (0,), r"in_axes has 1 axes for the 2 inputs"),
        (matmul, (0, 1), r"in_axes of b\[k, n\] is 1; .*np\.moveaxis"),
        (matmul, None, "no input is batched"),
        (row_means, 0, "defined by a function of arrays"),
    ],
)
def test_what_cannot_be(kernel: at.TunedKernel, in_axes: object, text: str) -> None:
    with pytest.raises(DefinitionError, match=text):
        at.vmap(kernel, in_axes=in_axes)  # type: ignore[arg-type]
