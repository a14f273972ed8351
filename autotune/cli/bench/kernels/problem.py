"""A case with its numbers, which all contestants are given: inputs, and the cotangent or the tangents."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autotune.autodiff import gradient_inputs
from autotune.cli.bench.kernels.cases import KernelCase
from autotune.cli.bench.kernels.sizes import ROWS, normal
from autotune.lang import FORWARD, Kernel, ScalarSpec
from autotune.measure.arguments import index_limits
from autotune.measure.timing import Call

Array: TypeAlias = NDArray[Any]
COTANGENT, TANGENT = "out_bar", "_dot"


@dataclass(frozen=True)
class Problem:
    """`inputs` of the forward kernel by name, in order, as its caller has them; `seeds` are the cotangent, or tangents.

    Numbers are arrays, those without dimensions too.
    """

    case: KernelCase
    inputs: Mapping[str, Array]
    seeds: Mapping[str, Array]

    @cached_property
    def values(self) -> dict[str, Any]:
        """Everything by name, the options too."""
        return {**dict(self.case.options), **self.inputs, **self.seeds}

    @property
    def wrt(self) -> tuple[str, ...]:
        """The inputs that gradients are taken by."""
        mode, _, names = self.case.direction.partition(":")
        if mode not in {"vjp", "joint"}:
            return ()
        return tuple(names.split("+")) if names else self.floating

    @property
    def valued(self) -> bool:
        """Whether the results of the forward kernel come before the gradients."""
        return self.case.direction.partition(":")[0] == "joint"

    @property
    def formula(self) -> str | None:
        """What a function of this direction is called where each is written by hand; None for those that are not."""
        match self.case.direction.partition(":"):
            case "forward", _, _:
                return self.case.kernel
            case "vjp", ":", name:
                return f"{self.case.kernel}_by_{name}"
            case _:
                return None

    @cached_property
    def floating(self) -> tuple[str, ...]:
        """The inputs that derivatives are taken by."""
        return gradient_inputs(self.case.tuned.definition)

    def arguments(self, kernel: Kernel) -> dict[str, Any]:
        """What our kernel of this direction is called with, by name in its order."""
        given = ((spec, self.values[spec.name]) for spec in kernel.inputs)
        return {spec.name: value.item() if isinstance(spec, ScalarSpec) else value for spec, value in given}

    def call(self, function: Callable[..., Any], **also: Any) -> Call:
        """`function` with the values that its parameters name."""
        known = self.values | also
        return partial(function, **{name: known[name] for name in parameters(function) if name in known})


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters, also of one that Numba has compiled."""
    return tuple(inspect.signature(getattr(function, "py_func", function)).parameters)


def problem_of(case: KernelCase, seed: int = 0) -> Problem:
    """The case with numbers drawn from what its row says, whole numbers from the valid indices."""
    rng = np.random.default_rng(seed)
    forward, draws = case.tuned.definition, ROWS[case.kernel].draw
    extents = dict(case.size)
    limits = index_limits(forward, extents)
    inputs: dict[str, Array] = {}
    for spec in forward.inputs:
        shape = forward.call_shape_of(spec.name, extents)
        if spec.name in limits:
            inputs[spec.name] = rng.integers(limits[spec.name], size=shape)
        else:
            inputs[spec.name] = np.asarray(draws.get(spec.name, normal)(rng, shape), case.dtype)
    return Problem(case, inputs, _seeds(case, forward, inputs, rng))


def _seeds(
    case: KernelCase, forward: Kernel, inputs: Mapping[str, Array], rng: np.random.Generator
) -> dict[str, Array]:
    if case.direction == FORWARD:
        return {}
    if case.direction == "jvp":
        shapes = {name + TANGENT: inputs[name].shape for name in gradient_inputs(forward)}
    else:
        shapes = {COTANGENT: forward.call_shape_of(forward.outputs[0].name, dict(case.size))}
    return {name: np.asarray(rng.standard_normal(shape), case.dtype) for name, shape in shapes.items()}
