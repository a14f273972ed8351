"""Kernels with arguments to try them on and a JAX function that computes the same by other means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import jax
import numpy as np
from numpy.typing import NDArray

from autotune import TunedKernel
from autotune.autodiff import directions, gradient_inputs
from autotune.lang import Kernel

Array: TypeAlias = NDArray[Any]
Arguments: TypeAlias = dict[str, Array]
Sizes: TypeAlias = Mapping[str, int]
Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, ...], Sizes], Array]

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]


def normal(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
    """Standard normal numbers: what an input is drawn from unless its case says otherwise."""
    del sizes
    return np.asarray(rng.standard_normal(shape))


def like(value: Any, seed: int) -> Array:
    """Standard normal numbers of the same shape."""
    return np.asarray(np.random.default_rng(seed).standard_normal(np.shape(value)))


def uniform(low: float, high: float) -> Draw:
    """Numbers between `low` and `high`."""
    return lambda rng, shape, _: np.asarray(rng.uniform(low, high, shape))


def whole(extent: str) -> Draw:
    """Indices of the dimension called `extent`, in no order, some more than once; 0 where it has no elements."""
    return lambda rng, shape, sizes: np.asarray(rng.integers(0, max(sizes[extent], 1), shape))


def zero_or_one(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> Array:
    """0 or 1, at random."""
    del sizes
    return rng.integers(0, 2, shape).astype(np.float64)


@dataclass(frozen=True)
class Case:
    """A kernel with options, the `sizes` to try it at, and how to draw its inputs that are not standard normal.

    `oracle` takes the inputs by name, grouped dimensions merged, and the options. `smooth` kernels have derivatives of
    every order, and their evaluation takes complex arguments. `linear` names the inputs that the result is linear in.
    `compiled` cases are also run as machine code,
    `further_sizes` among them; in tests marked slow where code takes long to compile (`slow`).
    """

    kernel: TunedKernel
    oracle: Callable[..., Any]
    sizes: Sizes
    draw: Mapping[str, Draw] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    smooth: bool = True
    linear: tuple[str, ...] = ()
    compiled: bool = True
    further_sizes: tuple[Sizes, ...] = ()
    slow: bool = False

    def __str__(self) -> str:
        chosen = "".join(f"-{name}={value}" for name, value in self.options.items())
        return f"{self.kernel.__name__}{chosen}"

    @cached_property
    def member(self) -> TunedKernel:
        """The kernel with these options."""
        return self.kernel.specialized(**self.options)

    @property
    def definition(self) -> Kernel:
        """The forward kernel with these options."""
        return self.member.definition

    @property
    def floating(self) -> tuple[str, ...]:
        """The inputs that derivatives are taken by."""
        return gradient_inputs(self.definition)

    @property
    def directions(self) -> tuple[str, ...]:
        """Forward, the gradient by each floating input, and forward mode."""
        return directions(self.definition)

    def arguments(self, seed: int = 0, sizes: Sizes | None = None) -> Arguments:
        """Arguments by name, of one dimension an extent as the reference takes them."""
        rng, known = np.random.default_rng(seed), self.sizes if sizes is None else sizes
        return {
            spec.name: self.draw.get(spec.name, normal)(rng, tuple(known[extent] for extent in spec.extents), known)
            for spec in self.definition.inputs
        }

    def cotangent(self, arguments: Mapping[str, Any], seed: int = 1) -> Array:
        """Standard normal numbers of the shape of the result."""
        return like(np.empty(self.definition.shape_of("out", self.extents(arguments))), seed)

    def expected(self, arguments: Mapping[str, Any]) -> Any:
        """What the oracle makes of split arguments, split; names that are no inputs are ignored."""
        extents = self.extents(arguments)
        merged = {
            spec.name: arguments[spec.name].reshape(self.definition.call_shape_of(spec.name, extents))
            for spec in self.definition.inputs
        }
        return self.oracle(**merged, **self.options).reshape(self.definition.shape_of("out", extents))

    @cached_property
    def pulled_back(self) -> tuple[Any, dict[str, Any]]:
        """The oracle's result of the first arguments, and its gradients by them for the first cotangent."""

        def both(floating: Arguments, out_bar: Array) -> tuple[Any, Any]:
            result, pullback = jax.vjp(lambda given: self.expected({**arguments, **given}), floating)
            return result, pullback(out_bar)[0]

        arguments = self.arguments()
        value, gradients = jax.jit(both)({name: arguments[name] for name in self.floating}, self.cotangent(arguments))
        return value, gradients

    def extents(self, arguments: Mapping[str, Any]) -> dict[str, int]:
        """The extents of split arguments."""
        shapes = {spec.name: np.shape(arguments[spec.name]) for spec in self.definition.inputs}
        return self.definition.infer_extents(shapes, split=True)
