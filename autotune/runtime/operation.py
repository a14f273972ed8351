"""A kernel in one direction as an operation of another framework: what computes it, and what its gradients are.

A gradient is a kernel of the same language, so it is an operation that has gradients as well, to any order.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from autotune.autodiff import gradient_inputs
from autotune.lang import FORWARD, Kernel, ScalarSpec
from autotune.runtime.kernel import TunedKernel


@dataclass(frozen=True)
class Gradient:
    """The gradient of an operation by one of its inputs.

    Its arguments come from `sources`: the inputs of that operation by position, then the cotangents of its outputs,
    whose positions go on from there.
    """

    operation: "Operation"
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One kernel in one direction. Two of the same kernel and direction are equal."""

    kernel: TunedKernel
    direction: str = FORWARD
    _gradients: dict[int, Gradient] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def definition(self) -> Kernel:
        """What is computed."""
        return self.kernel.dispatch(self.direction).kernel

    @cached_property
    def identifier(self) -> str:
        """A name that says what is computed, the same in every process: "matmul_vjp_a_1f0c…"."""
        direction = "" if self.direction == FORWARD else "_" + re.sub(r"\W+", "_", self.direction)
        return f"{self.definition.name}{direction}_{self.definition.digest[:16]}"

    @cached_property
    def scalars(self) -> tuple[bool, ...]:
        """For each input whether it is a number."""
        return tuple(isinstance(spec, ScalarSpec) for spec in self.definition.inputs)

    @cached_property
    def compute(self) -> Callable[..., Any]:
        """The function of NumPy arrays and numbers, as a call of a kernel: an array, or a tuple of several."""
        if self.direction == FORWARD:
            return self.kernel
        return partial(self.kernel.dispatch(self.direction).method(), None)

    @cached_property
    def differentiable(self) -> tuple[bool, ...]:
        """For each input whether there is a gradient by it; of a kernel without derivatives whether one makes sense."""
        floating = [not getattr(spec, "integer", False) for spec in self.definition.inputs]
        if self.definition.opaque:
            return tuple(floating)
        names = gradient_inputs(self.definition)
        return tuple(spec.name in names for spec in self.definition.inputs)

    def gradient(self, position: int) -> Gradient:
        """The gradient by the input at `position`; raises DifferentiationError where there is none."""
        found = self._gradients.get(position)
        if found is None:
            found = self._gradients[position] = self._derived(position)
        return found

    def tangent(self) -> "Operation":
        """The outputs and then the tangent of each floating one, of the inputs and then the tangents of floating ones.

        Raises DifferentiationError where there is no floating input.
        """
        return Operation(self.kernel, "jvp" if self.direction == FORWARD else f"{self.direction}/jvp")

    def _derived(self, position: int) -> Gradient:
        inputs = [spec.name for spec in self.definition.inputs]
        step = f"vjp:{inputs[position]}"
        gradient = Operation(self.kernel, step if self.direction == FORWARD else f"{self.direction}/{step}")
        # A gradient takes those inputs that it reads and then the cotangent of every floating output.
        bars = [len(inputs) + which for which, output in enumerate(self.definition.outputs) if not output.integer]
        taken = [spec.name for spec in gradient.definition.inputs]
        own = taken[: len(taken) - len(bars)]
        return Gradient(gradient, (*map(inputs.index, own), *bars))
