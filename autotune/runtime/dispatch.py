"""The function behind a kernel: from the arguments of a call to the plan that serves it, in about a microsecond."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

import numpy as np

from autotune import settings
from autotune.errors import ShapeError
from autotune.lang import Kernel
from autotune.machine import detect
from autotune.runtime.arguments import DTYPES, INTEGER, as_array, converted, dtype_of
from autotune.runtime.choice import Choice, Origin
from autotune.runtime.explanation import Explanation, explained
from autotune.runtime.fast_path import entry_of, key_of
from autotune.runtime.plan import Array, Plan, Result, compiled_plan, empty_plan, is_empty, workload_of
from autotune.runtime.recording import recording
from autotune.runtime.scope import Scope
from autotune.schedule import Workload
from autotune.schedule.sharing import shares_work
from autotune.templates import TemplatedKernel

if TYPE_CHECKING:
    from autotune.runtime.kernel import TunedKernel

logger = logging.getLogger("autotune")


class Forgetful(Protocol):
    """What serves calls by plans that it has kept."""

    def forget(self) -> None:
        """Ask for them again at the next call."""


class Dispatch:
    """Calls of one kernel in one direction, by the kernel `owner` as a user holds it. Threads may call at once."""

    def __init__(self, kernel: Kernel, owner: "TunedKernel | None" = None) -> None:
        self.kernel = kernel
        self.owner = owner
        self.forgetting: set[Forgetful] = set()
        """What else serves calls by plans, and is to forget them with this."""
        self._said: set[tuple[str, int]] = set()
        self._scopes = {settings.Options(): Scope(kernel, self._other, self._into)}
        _dispatches.add(self)

    @cached_property
    def shares_work(self) -> bool:
        """Whether its outputs had better be computed together."""
        return shares_work(self.kernel)

    def method(self) -> Callable[..., Any]:
        """The `__call__` of a kernel: a function of `self`, a TunedKernel, the kernel's inputs, `out` and options."""
        return self._scopes[settings.Options()].method(settings.options_in_use, self._within)

    def refresh(self) -> None:
        """Forget all plans, so that the next call reads the database again."""
        for scope in tuple(self._scopes.values()):
            scope.refresh()
        for each in tuple(self.forgetting):
            each.forget()

    def results(self, given: Mapping[str, Any]) -> dict[str, Array]:
        """All outputs by name, for inputs by name; names that are no inputs are ignored."""
        inputs = converted(self.kernel, [given[spec.name] for spec in self.kernel.inputs])
        return dict(zip([output.name for output in self.kernel.outputs], self._computed(inputs), strict=True))

    def plan(self, given: Sequence[Any]) -> Plan:
        """The plan for these inputs, made now if there is none yet."""
        return self._plan(converted(self.kernel, given))

    def explain(self, given: Sequence[Any]) -> Explanation:
        """Which schedule serves these inputs, and why."""
        plan = self.plan(given)
        return explained(plan, self._scope().known(plan.workload))

    def choice(self, workload: Workload) -> Choice:
        """Which config serves `workload`. That a kernel is untuned is said once, through logging."""
        choice = self._scope().known(workload).choose(workload)
        key = workload.dtype, workload.threads
        if choice.origin in {Origin.DEFAULT, Origin.SHIPPED} and key not in self._said:
            self._said.add(key)
            runs = (
                "its default schedule"
                if choice.origin is Origin.DEFAULT
                else "what was tuned on another one of its CPU"
            )
            logger.warning(
                "%s is not tuned on this machine and runs %s; to tune it: %s",
                workload.describe(),
                runs,
                _command(workload),
            )
        return choice

    def _scope(self) -> Scope:
        """That of the options in force."""
        options = settings.current_options()
        found = self._scopes.get(options)
        return found or self._scopes.setdefault(options, Scope(self.kernel, self._other, self._into))

    def _within(self, given: Sequence[Any], out: Any) -> Any:
        """A call in a process that uses options."""
        return self._scope().call(None, *given, out=out)

    def _other(self, given: Sequence[Any]) -> Any:
        """A call whose shapes are new, or whose arguments are not NumPy arrays of one supported dtype."""
        return self._returned(self._computed(converted(self.kernel, given)))

    def _into(self, out: Any, given: Sequence[Any]) -> Any:
        """A call with arrays for the results, which may overlap the inputs and each other."""
        inputs = converted(self.kernel, given)
        plan = self._plan(inputs)
        outputs = self._checked(out, plan.results)
        arrays = [value for value in inputs if isinstance(value, np.ndarray)]
        others = [[*arrays, *outputs[:position]] for position in range(len(outputs))]
        if any(np.may_share_memory(one, other) for one, some in zip(outputs, others, strict=True) for other in some):
            for one, computed in zip(outputs, self._computed(inputs), strict=True):
                one[...] = computed
        else:
            plan.run(inputs, outputs)
        return out if len(outputs) == 1 else tuple(out)

    def _checked(self, out: Any, results: Sequence[Result]) -> tuple[Array, ...]:
        """`out` as one array a result; raises ShapeError where it does not fit."""
        if len(results) == 1:
            outputs = (out,)
        elif isinstance(out, tuple | list) and len(out) == len(results):
            outputs = tuple(out)
        else:
            names = ", ".join(result.name for result in results)
            got = f"{len(out)} of them" if isinstance(out, tuple | list) else type(out).__name__
            message = f"{self.kernel.name}: out must be a tuple of the {len(results)} arrays {names}, not {got}"
            raise ShapeError(message)
        prefix, several = f"{self.kernel.name}: out", len(results) > 1
        called = [f"{prefix} for {result.name}" if several else prefix for result in results]
        arrays = [self._shared(given, each) for given, each in zip(outputs, called, strict=True)]
        for array, result, each in zip(arrays, results, called, strict=True):
            self._check_out(array, result, each)
        return tuple(arrays)

    def _shared(self, given: Any, called: str) -> Any:
        """What is given as `out` as an array in its own memory; itself where it does not say where that is."""
        if isinstance(given, np.ndarray) or not (hasattr(given, "__array_interface__") or hasattr(given, "__dlpack__")):
            return given
        return as_array(given, called, self.kernel.name)

    def _check_out(self, array: Any, result: Result, called: str) -> None:
        if not isinstance(array, np.ndarray) or array.shape != result.shape or array.dtype != result.dtype:
            got = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            wanted = f"{'an' if result.dtype == INTEGER else 'a'} {result.dtype} array of shape {result.shape}"
            message = f"{called} must be {wanted}, not {got}"
            raise ShapeError(message)
        if not array.flags.writeable:
            message = f"{called} is read-only"
            raise ShapeError(message)

    def _computed(self, inputs: tuple[Any, ...]) -> tuple[Array, ...]:
        plan = self._plan(inputs)
        outputs = plan.empty()
        plan.run(inputs, outputs)
        return outputs

    def _returned(self, outputs: tuple[Array, ...]) -> Any:
        """What a call gives: the array of the only output, or a tuple of all."""
        return outputs[0] if len(outputs) == 1 else outputs

    def _plan(self, inputs: tuple[Any, ...]) -> Plan:
        dtype = dtype_of(self.kernel, inputs)
        scope, key = self._scope(), key_of(self.kernel, inputs)
        entry = scope.find(dtype, key)
        if entry is None:
            entry = entry_of(self._make(inputs, dtype), DTYPES[dtype], inputs)
            scope.keep(dtype, key, entry)
        found: Plan = entry[0].plan
        return found  # not looked up again: another thread may have cleared the plans

    def _make(self, inputs: tuple[Any, ...], dtype: str) -> Plan:
        workload = workload_of(self.kernel, inputs, dtype, settings.thread_count())
        if is_empty(workload):
            return empty_plan(workload)
        plan = compiled_plan(workload, self.choice(workload), detect())
        recorder = recording()
        if recorder is not None and self.owner is not None:
            return recorder.recorded(plan, self.owner)
        self._scope().learn(plan)
        return plan


_dispatches: "WeakSet[Dispatch]" = WeakSet()


def refresh() -> None:
    """Pick up winners that were found since kernels were first called, in this process or another; of all kernels."""
    for dispatch in tuple(_dispatches):
        dispatch.refresh()


def _command(workload: Workload) -> str:
    """What tunes a workload."""
    kernel = workload.kernel
    sizes = ",".join(f"{name}={size}" for name, size in workload.extents)
    options = ",".join(f"{name}={value}" for name, value in kernel.options)
    name = f"{kernel.own.origin.file}:{kernel.name}" if isinstance(kernel, TemplatedKernel) else kernel.name
    words = ["autotune run", name, "--size", sizes, *(["--option", options] if options else [])]
    words += ["--direction", kernel.direction, "--dtype", workload.dtype, "--threads", str(workload.threads)]
    return " ".join(words)
