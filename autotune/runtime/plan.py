"""Plans: how calls with one signature of arguments are served."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotune.lang import Kernel
from autotune.lang.reference import evaluate
from autotune.machine import Machine
from autotune.runtime.choice import Choice
from autotune.schedule import Workload

if TYPE_CHECKING:
    from autotune.codegen import Compiled

logger = logging.getLogger("autotune")

Array = NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """How calls with inputs of the same shapes and dtype are served.

    `call(*inputs, out, scratch)` computes and returns 0, or the number of an argument whose strides it cannot take.
    `pool` holds scratch that no call is using: a list's pop and append are atomic, so threads share it without a lock.
    """

    call: Callable[..., int]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scratch: int
    pool: list[Array]
    choice: Choice | None
    path: Path | None

    def allocate(self) -> Array:
        """Scratch for one call."""
        from autotune.codegen import allocate_scratch

        return allocate_scratch(self.scratch, self.dtype.name)

    def run(self, inputs: Sequence[Any], out: Array) -> Array:
        """Compute into `out`, an array of the plan's shape and dtype with any strides, and return it."""
        try:
            scratch = self.pool.pop()
        except IndexError:
            scratch = self.allocate()
        arguments = [*inputs, out]
        while refused := self.call(*arguments, scratch):
            arguments[refused - 1] = arguments[refused - 1].copy(order="C")
        self.pool.append(scratch)
        if arguments[-1] is not out:
            out[...] = arguments[-1]
        return out


def empty_plan(workload: Workload) -> Plan:
    """For workloads with an extent of 0.

    There is nothing to compute but the epilogue of empty sums, which the reference does.
    """
    kernel = workload.kernel
    names = [spec.name for spec in kernel.inputs]

    def call(*arguments: Any) -> int:
        *inputs, out, _ = arguments
        out[...] = evaluate(kernel, dict(zip(names, inputs, strict=True)))[kernel.output.name]
        return 0

    return Plan(call, workload.shapes[kernel.output.name], np.dtype(workload.dtype), 0, [], None, None)


def compiled_plan(workload: Workload, choice: Choice, machine: Machine) -> Plan:
    """Run the schedule of `choice`."""
    compiled = _compiled(choice, machine)
    shape, dtype = workload.shapes[workload.kernel.output.name], np.dtype(workload.dtype)
    return Plan(compiled.call, shape, dtype, compiled.scratch, [], choice, compiled.path)


_compiling = Lock()


def _compiled(choice: Choice, machine: Machine) -> "Compiled":
    from autotune.codegen import generate, write

    path = write(generate(choice.made_for, choice.config, machine))
    with _compiling:  # so that two threads do not compile the same module twice
        return _loaded(path, choice.made_for.describe())


@cache
def _loaded(path: Path, description: str) -> "Compiled":
    """The module at `path`, once a process. A compile, which takes seconds, is said through logging."""
    from autotune.codegen import load

    compiled = load(path)
    if compiled.compiled_in is not None:
        logger.info("compiled %s in %.1f s; it is kept in %s", description, compiled.compiled_in, path)
    return compiled


def workload_of(kernel: Kernel, inputs: tuple[Any, ...], dtype: str, threads: int) -> Workload:
    """The workload of a call; raises ShapeError where shapes do not fit."""
    shapes = {spec.name: np.shape(value) for spec, value in zip(kernel.inputs, inputs, strict=True)}
    return Workload.of(kernel, kernel.infer_extents(shapes), dtype, threads)


def is_empty(workload: Workload) -> bool:
    """Whether an extent is 0."""
    return prod(size for _, size in workload.extents) == 0
