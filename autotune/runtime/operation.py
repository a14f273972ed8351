"""A kernel in one direction as an operation of another framework: what computes it, and what its gradients are.

A gradient is a kernel of the same language, so it is an operation that has gradients as well, to any order.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from autotune.autodiff import gradient_inputs, joint_step, pullback_step
from autotune.errors import DifferentiationError
from autotune.lang import FORWARD, Kernel, ScalarSpec
from autotune.runtime.kernel import TunedKernel


@dataclass(frozen=True)
class Gradient:
    """The gradients of an operation by its inputs at `positions`: the outputs of another operation, in this order.

    Its arguments come from `sources`: the inputs of the first one by position, then the cotangents of its outputs,
    whose positions go on from there.
    """

    operation: "Operation"
    positions: tuple[int, ...]
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """One kernel in one direction. Two of the same kernel and direction are equal."""

    kernel: TunedKernel
    direction: str = FORWARD
    _gradients: dict[tuple[int, ...], tuple[Gradient, ...]] = field(default_factory=dict, compare=False, repr=False)
    _joints: dict[tuple[int, ...], "Operation | None"] = field(default_factory=dict, compare=False, repr=False)

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

    def gradients(self, positions: tuple[int, ...]) -> tuple[Gradient, ...]:
        """The gradients by the inputs at `positions`: of one operation where they share work, else each of its own.

        Raises DifferentiationError where there is none by one of them.
        """
        found = self._gradients.get(positions)
        if found is None:
            together = self._derived(positions) if len(positions) > 1 else None
            if together is not None and together.operation._shares_work:
                found = (together,)
            else:
                found = tuple(self._derived((position,)) for position in positions)
            self._gradients[positions] = found
        return found

    def joint(self, positions: tuple[int, ...]) -> "Operation | None":
        """The result and its gradients by the inputs at `positions`, of the inputs and the cotangent, in one operation.

        Only where the result is a number, so that the cotangent need not be known, and shares work with a gradient.
        """
        if not (positions and self.definition.is_number):
            return None
        if positions not in self._joints:
            names = [self.definition.inputs[position].name for position in positions]
            found: Operation | None = self._step(joint_step(self.definition, names))
            try:
                found = found if found and found._shares_work else None
            except DifferentiationError:  # which computing the gradients raises, if it comes to that
                found = None
            self._joints[positions] = found
        return self._joints[positions]

    def tangent(self) -> "Operation":
        """The outputs and then the tangent of each floating one, of the inputs and then the tangents of floating ones.

        Raises DifferentiationError where there is no floating input.
        """
        return self._step("jvp")

    @property
    def _shares_work(self) -> bool:
        return self.kernel.dispatch(self.direction).shares_work

    def _step(self, step: str) -> "Operation":
        """What is derived from this one."""
        return Operation(self.kernel, step if self.direction == FORWARD else f"{self.direction}/{step}")

    def _derived(self, positions: tuple[int, ...]) -> Gradient:
        inputs = [spec.name for spec in self.definition.inputs]
        gradient = self._step(pullback_step(self.definition, [inputs[position] for position in positions]))
        # A gradient takes those inputs that it reads and then the cotangent of every floating output.
        bars = [len(inputs) + which for which, output in enumerate(self.definition.outputs) if not output.integer]
        taken = [spec.name for spec in gradient.definition.inputs]
        own = taken[: len(taken) - len(bars)]
        return Gradient(gradient, positions, (*map(inputs.index, own), *bars))
