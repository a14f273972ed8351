"""At which sizes the kernels of the library are measured, and what their inputs are drawn from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], Array]
Size: TypeAlias = Mapping[str, int]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers: what an input is drawn from unless its row says otherwise."""
    return np.asarray(rng.standard_normal(shape))


def uniform(low: float, high: float) -> Draw:
    """Numbers between `low` and `high`."""
    return lambda rng, shape: np.asarray(rng.uniform(low, high, shape))


def small(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal numbers of standard deviation 0.1."""
    return 0.1 * normal(rng, shape)


def zero_or_one(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """0 or 1, at random."""
    return rng.integers(0, 2, shape).astype(np.float64)


def disc(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A smooth image that is 0 outside of a disc, as projections and their adjoints are used on."""
    del rng
    v, u = (np.linspace(-1, 1, extent) for extent in shape)
    inside = np.maximum(0.0, 0.8 - u**2 - v[:, None] ** 2)
    return np.asarray(inside**2 * (1 + 0.5 * np.cos(5 * u + 3 * v[:, None])))


def half_circle(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Angles from 0 to π, none of which a line through pixels' centres has."""
    del rng
    return np.pi * (np.arange(shape[0]) + 0.37) / shape[0]


def one_apart(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Offsets around 0, 1 apart."""
    del rng
    return np.arange(shape[0]) - (shape[0] - 1) / 2


@dataclass(frozen=True)
class Row:
    """The sizes of a kernel.

    With `cached`, its tensors lie in the second-level cache. `large` is out of the last cache for what moves more than
    it computes, and takes 5 to 100 ms for what computes. `quoted` are further ones of which published figures exist.
    """

    cached: Size
    large: Size
    quoted: tuple[Size, ...] = ()
    options: Mapping[str, int | float | bool] = field(default_factory=dict)
    draw: Mapping[str, Draw] = field(default_factory=dict)


def _rows(rows: int, cols: int) -> Size:
    return {"rows": rows, "cols": cols}


def _images(n: int, c: int, side: int) -> dict[str, int]:
    return {"n": n, "c": c, "h": side, "w": side}


def _heads(h: int, length: int) -> Size:
    return {"b": 1, "h": h, "t": length, "s": length, "d": 64, "e": 64}


WINDOW = {"r": 3, "s": 3}
POOLED = {"size": 3, "stride": 2, "padding": 1}
MARKET: Mapping[str, Draw] = {
    "spot": uniform(90, 110),
    "strike": uniform(90, 110),
    "rate": uniform(0.01, 0.05),
    "volatility": uniform(0.1, 0.4),
    "maturity": uniform(0.5, 2),
}
PATIENTS: Mapping[str, Draw] = {
    "dose": uniform(50, 150),
    "ka": uniform(0.5, 1.5),
    "cl": uniform(2, 6),
    "v1": uniform(10, 30),
    "q": uniform(1, 4),
    "v2": uniform(20, 60),
    "dt": uniform(0.1, 0.2),
}
TRANSPORT: Mapping[str, Draw] = {"cost": uniform(0, 1), "a": uniform(0.1, 1), "g": small, "epsilon": uniform(0.1, 0.2)}
DENOISING: Mapping[str, Draw] = {"tau": uniform(0.1, 0.2), "lam": uniform(0.5, 1), "epsilon": uniform(0.1, 0.2)}
BODIES: Mapping[str, Draw] = {"masses": uniform(0.5, 2), "softening": uniform(0.1, 0.2), "gravity": uniform(0.5, 2)}

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "matmul": Row({"m": 192, "k": 192, "n": 192}, {"m": 1024, "k": 1024, "n": 1024}),
        "batch_matmul": Row({"b": 8, "m": 64, "k": 64, "n": 64}, {"b": 64, "m": 256, "k": 256, "n": 256}),
        "linear_gelu": Row({"m": 128, "k": 128, "n": 256}, {"m": 1024, "k": 1024, "n": 1024}),
        "attention": Row(_heads(2, 128), _heads(8, 512)),
        "conv2d": Row(
            {"g": 1, **_images(1, 32, 28), "k": 32, **WINDOW},
            {"g": 1, **_images(8, 64, 56), "k": 64, **WINDOW},
            options={"padding": 1},
        ),
        "depthwise_conv2d": Row(_images(1, 16, 56) | WINDOW, _images(8, 64, 112) | WINDOW, options={"padding": 1}),
        "max_pool2d": Row(_images(1, 16, 56), _images(16, 64, 112), (_images(8, 64, 112),), POOLED),
        "avg_pool2d": Row(_images(1, 16, 56), _images(16, 64, 112), options=POOLED),
        "softmax": Row(_rows(128, 256), _rows(8192, 1024), (_rows(4096, 1024),)),
        "log_softmax": Row(_rows(128, 256), _rows(8192, 1024)),
        "logsumexp": Row(_rows(128, 512), _rows(16384, 1024)),
        "layer_norm": Row(_rows(128, 256), _rows(8192, 1024), (_rows(4096, 1024),)),
        "rms_norm": Row(_rows(128, 256), _rows(8192, 1024)),
        "cross_entropy": Row({"b": 128, "v": 512}, {"b": 16384, "v": 1024}, ({"b": 4096, "v": 1024},)),
        "embedding": Row(
            {"v": 512, "d": 64, "t": 1024},
            {"v": 200_000, "d": 64, "t": 131_072},
            ({"v": 50_000, "d": 64, "t": 32_768},),
        ),
        "black_scholes": Row({"n": 16_384}, {"n": 4_194_304}, draw=MARKET),
        "asian_option": Row({"paths": 256, "steps": 252}, {"paths": 16_384, "steps": 252}, draw=MARKET),
        "nbody": Row({"n": 512, "xyz": 3}, {"n": 4096, "xyz": 3}, draw=BODIES),
        "radon": Row(
            {"h": 64, "w": 64, "a": 45, "t": 64},
            {"h": 256, "w": 256, "a": 180, "t": 256},
            draw={"x": disc, "angles": half_circle, "offsets": one_apart},
        ),
        "total_variation_step": Row({"h": 192, "w": 192}, {"h": 2048, "w": 2048}, draw=DENOISING),
        "pk_two_compartment": Row({"patients": 500, "steps": 100}, {"patients": 10_000, "steps": 100}, draw=PATIENTS),
        "cox_partial_likelihood": Row(
            {"n": 2000, "p": 32}, {"n": 100_000, "p": 32}, draw={"beta": small, "delta": zero_or_one}
        ),
        "sinkhorn_step": Row({"n": 256, "m": 384}, {"n": 4096, "m": 3072}, draw=TRANSPORT),
    }
)
