"""Calls whose derivatives every bridge must get right, of any order."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import autotune as at
from autotune.library import attention, conv2d, layer_norm, matmul, softmax
from tests.bridges.kernels import logistic, misfit, powers, strided

_RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """A kernel, float64 arguments that all need a gradient (those of rank 0 are its scalars), and options."""

    kernel: at.TunedKernel
    arguments: tuple[NDArray[Any], ...]
    options: dict[str, Any] = field(default_factory=dict)


def _normal(*shapes: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
    return tuple(np.asarray(_RNG.standard_normal(shape)) for shape in shapes)


CASES = {
    "matmul": Case(matmul, _normal((2, 3), (3, 4))),
    "options": Case(conv2d, _normal((1, 2, 4, 5), (3, 2, 2, 3)), {"stride": 2, "padding": 1}),
    "own options": Case(strided, _normal((7,), (3,)), {"stride": 2}),
    "scalars": Case(logistic, _normal((), (4,), ())),
    "scalars alone": Case(powers, (np.array(1.5), *_normal(()))),
    "a number": Case(misfit, _normal((3,), (4, 3), (4,), ())),
    "softmax": Case(softmax, _normal((2, 3))),
    "layer norm": Case(layer_norm, _normal((2, 5), (5,), (5,))),
    "attention": Case(attention, _normal((1, 1, 3, 2), (1, 1, 3, 2), (1, 1, 3, 2)), {"causal": True}),
}
