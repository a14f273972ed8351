"""Kernels of every construct, small enough to be read, that several tests of derivatives share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune import lang as at
from autotune.lang import Kernel, ScalarSpec, TensorSpec, define

ARGUMENTS = {"m": 4, "n": 5, "k": 3, "h": 7, "w": 6, "r": 2, "s": 3, "t": 6, "v": 8, "p": 4, "q": 3}
"""Extents, all those that the kernels have."""


def layer_norm(x: at.Tensor["m", "n"], gamma: at.Tensor["n"]) -> at.Output:
    i, j = at.axes(x)
    centred = x[i, j] - at.mean(x[i, j], over=j)
    return at.output[i, j](centred * at.rsqrt(at.mean(centred * centred, over=j) + 1e-5) * gamma[j])


def dense(x: at.Tensor["m", "k"], w: at.Tensor["k", "n"]) -> at.Output:
    (i, k), (_, j) = at.axes(x), at.axes(w)
    return at.output[i, j](at.tanh(at.sum(x[i, k] * w[k, j], over=k)))


def strided(x: at.Tensor["h"], w: at.Tensor["r"]) -> at.Output:
    (h,), (r,) = at.axes(x), at.axes(w)
    p = at.axis("p", (at.extent(h) + 2 - at.extent(r)) // 2 + 1)
    return at.output[p](at.sin(at.sum(x.pad(0)[2 * p + r - 1] * w[r], over=r)))


def pooled(x: at.Tensor["h"]) -> at.Output:
    (h,) = at.axes(x)
    s, q = at.axis("s", 3), at.axis("q", (at.extent(h) - 3) // 2 + 1)
    return at.output[q](at.max(x[2 * q + s], over=s, ties="first"))


def looked_up(table: at.Tensor["v", "k"], index: at.Integers["t"]) -> at.Output:
    (_, k), (t,) = at.axes(table), at.axes(index)
    return at.output[t, k](at.exp(table[index[t], k]))


def differences(x: at.Tensor["h"], weight: at.Scalar) -> at.Output:
    (i,) = at.axes(x)
    slope = at.let[i](at.where(i < at.extent(i) - 1, x.pad(0)[i + 1] - x[i], 0))
    flux = at.let[i](slope[i] * at.rsqrt(slope[i] * slope[i] + 0.1))
    return at.output[i](x[i] + weight * (flux[i] - flux.pad(0)[i - 1]))


def recurrence(z: at.Tensor["m", "t"], start: at.Tensor["m"], rate: at.Scalar) -> tuple[at.Output, ...]:
    i, t = at.axes(z)
    level, total = at.scan(lambda s, a: (s + rate * at.sin(s) * z[i, t], a + s * s), (start[i], 0), over=t)
    return at.output[i, t](level, name="levels"), at.output[i](at.last(total, t), name="total")


KERNELS: dict[str, Kernel] = {
    function.__name__: define(function)
    for function in (layer_norm, dense, strided, pooled, looked_up, differences, recurrence)
}


def arguments_of(kernel: Kernel, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Standard normal values, and indices below the extent v for whole numbers."""
    given: dict[str, NDArray[Any]] = {}
    for spec in kernel.inputs:
        if isinstance(spec, ScalarSpec):
            given[spec.name] = np.asarray(rng.standard_normal())
        elif isinstance(spec, TensorSpec) and spec.integer:
            given[spec.name] = rng.integers(0, ARGUMENTS["v"], kernel.shape_of(spec.name, ARGUMENTS))
        else:
            given[spec.name] = rng.standard_normal([ARGUMENTS[extent] for extent in spec.extents])
    return given
