"""Plans: how calls with one signature of arguments are served."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from math import prod
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotune import settings
from autotune.errors import IndexRangeError
from autotune.lang import Kernel
from autotune.lang.reference import evaluate
from autotune.machine import Machine
from autotune.runtime.choice import Choice
from autotune.runtime.grouping import grouped_arguments, splitting_of
from autotune.runtime.result_memory import allocator
from autotune.schedule import Workload
from autotune.schedule.space import Value

if TYPE_CHECKING:
    from autotune.codegen import Compiled

logger = logging.getLogger("autotune")

Array = NDArray[Any]
INTEGER = np.dtype(np.int64)


@dataclass(frozen=True)
class Result:
    """An output as a caller gets it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Bytes of the array."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Plan:
    """How calls with inputs of the same shapes and dtype are served.

    `split_call(*inputs, *outputs, *scratch)`, of arrays with a dimension for each extent, computes and returns 0, or
    the number of an argument whose strides it cannot take, or -n where an index is out of range; then text n of
    `checks` says which. `pool` holds scratch that no call is using: a list's pop and append are atomic, so threads
    share it without a lock. It is None where the call takes no scratch.
    """

    workload: Workload
    split_call: Callable[..., int]
    results: tuple[Result, ...]
    scratch: int
    pool: list[tuple[Array, ...]] | None
    choice: Choice | None
    path: Path | None
    checks: tuple[str, ...] = ()
    function: Any = None
    """What `split_call` is the entry point of, for callers that Numba compiles."""

    @property
    def plan(self) -> "Plan":
        """Itself, as `NearPlan` has one."""
        return self

    @cached_property
    def call(self) -> Callable[..., int]:
        """The same of arrays as the caller has them."""
        kernel, shapes = self.workload.kernel, self.workload.shapes
        splitting = splitting_of(kernel, scratch=bool(self.scratch))
        if splitting is None:
            return self.split_call
        return splitting(self.split_call, *(shapes[name] for _, name in grouped_arguments(kernel)))

    def allocate(self) -> tuple[Array, ...]:
        """Scratch for one call: the arguments of `call` after the outputs, none where it takes none."""
        from autotune.codegen import scratch_arguments

        return scratch_arguments(self.scratch, self.workload.dtype)

    @cached_property
    def allocator(self) -> Callable[..., Array]:
        """Makes an array for a result, of its shape and dtype."""
        return allocator(max(result.bytes for result in self.results))

    def empty(self) -> tuple[Array, ...]:
        """Arrays for the results, uninitialised."""
        return tuple(self.allocator(result.shape, result.dtype) for result in self.results)

    def run(self, inputs: Sequence[Any], outputs: Sequence[Array]) -> None:
        """Compute into `outputs`, arrays of the results' shapes and dtypes with any strides.

        Raises IndexRangeError where an index that is computed from the inputs leads outside what it indexes.
        """
        scratch = self._taken()
        arguments = [*inputs, *outputs]
        while refused := self.call(*arguments, *scratch):
            if refused < 0:
                raise self._out_of_range(-refused)
            arguments[refused - 1] = arguments[refused - 1].copy(order="C")
        if self.pool is not None:
            self.pool.append(scratch)
        for out, written in zip(outputs, arguments[len(inputs) :], strict=True):
            if written is not out:
                out[...] = written

    def _taken(self) -> tuple[Array, ...]:
        """Scratch from the pool, or new where all of it is in use."""
        try:
            return self.pool.pop() if self.pool is not None else ()
        except IndexError:
            return self.allocate()

    def _out_of_range(self, number: int) -> IndexRangeError:
        check = self.checks[number - 1] if number <= len(self.checks) else "an index"
        sizes = ", ".join(f"{name}={size}" for name, size in self.workload.extents)
        message = f"{self.workload.kernel.name}: {check} is out of range ({sizes}); negative indices do not wrap around"
        return IndexRangeError(message)


def empty_plan(workload: Workload) -> Plan:
    """For workloads with an extent of 0.

    There is nothing to compute but the epilogue of empty sums, which the reference does.
    """
    kernel = workload.kernel
    names = [spec.name for spec in kernel.inputs]

    def call(*given: Any) -> int:
        results = evaluate(kernel, dict(zip(names, given, strict=False)))
        for output, array in zip(kernel.outputs, given[len(names) :], strict=True):
            array[...] = results[output.name]
        return 0

    return Plan(workload, call, results_of(workload), 0, None, None, None)


def compiled_plan(workload: Workload, choice: Choice, machine: Machine) -> Plan:
    """Run the schedule of `choice`."""
    compiled = _compiled(choice, machine)
    checks = tuple(getattr(compiled.module, "CHECKS", ()))
    pool: list[tuple[Array, ...]] | None = [] if compiled.scratch else None
    return Plan(
        workload,
        compiled.call,
        results_of(workload),
        compiled.scratch,
        pool,
        choice,
        compiled.path,
        checks,
        compiled.module.kernel,
    )


def results_of(workload: Workload) -> tuple[Result, ...]:
    """The outputs as a caller gets them."""
    kernel, extents, real = workload.kernel, dict(workload.extents), np.dtype(workload.dtype)
    return tuple(
        Result(output.name, kernel.call_shape_of(output.name, extents), INTEGER if output.integer else real)
        for output in kernel.outputs
    )


_compiling = Lock()


def _compiled(choice: Choice, machine: Machine) -> "Compiled":
    directory = settings.cache_directory() / "kernels"
    path = _written(choice.made_for, tuple(choice.config.items()), machine, directory)
    with _compiling:  # so that two threads do not compile the same module twice
        return _loaded(path)


@lru_cache(maxsize=1024)
def _written(made_for: Workload, config: tuple[tuple[str, Value], ...], machine: Machine, directory: Path) -> Path:
    """The module on disk. Generating its text takes milliseconds, and many shapes share one."""
    from autotune.codegen import generate, write

    return write(generate(made_for, dict(config), machine), directory)


@cache
def _loaded(path: Path) -> "Compiled":
    """The module at `path`, once a process. A compile, which takes seconds, is said through logging."""
    from autotune.codegen import load

    compiled = load(path)
    if compiled.compiled_in is not None:
        logger.info("compiled a kernel in %.1f s; it is kept in %s", compiled.compiled_in, path)
    return compiled


def workload_of(kernel: Kernel, inputs: tuple[Any, ...], dtype: str, threads: int) -> Workload:
    """The workload of a call; raises ShapeError where shapes do not fit."""
    shapes = {spec.name: np.shape(value) for spec, value in zip(kernel.inputs, inputs, strict=True)}
    return Workload.of(kernel, kernel.infer_extents(shapes), dtype, threads)


def is_empty(workload: Workload) -> bool:
    """Whether an extent is 0, one that follows from others included."""
    return prod(workload.kernel.complete(dict(workload.extents)).values()) == 0
