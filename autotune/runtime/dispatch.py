"""The function behind a kernel: from the arguments of a call to the plan that serves it, in about a microsecond."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autotune import settings
from autotune.errors import DtypeError, ShapeError
from autotune.lang import Kernel, ScalarSpec
from autotune.machine import detect
from autotune.runtime.choice import Choice, Origin, choose, read_winners
from autotune.runtime.plan import Array, Plan, compiled_plan, empty_plan, is_empty, workload_of
from autotune.schedule import Workload, check_dtype

if TYPE_CHECKING:
    from autotune.database import Record

logger = logging.getLogger("autotune")

DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
MAX_PLANS = 4096  # shapes remembered for each kernel and dtype; beyond that all are forgotten, and found again

# The common case written out for the kernel's own parameters: dtypes are compared by identity and shapes looked up. A
# loop over the arguments, hashing dtypes or making tuples of strides would each cost more than entering the machine
# code, which looks at the strides itself. Names begin with call_, which TunedKernel refuses for a kernel's inputs.
_FAST_PATH = """
def call(call_self, {arguments}, *, out=None):
    if out is not None:
        return call_into(out, ({arguments},))
    try:
        call_dtype = {first}.dtype
        call_plans = (
            call_float32_plans if call_dtype is call_float32
            else call_float64_plans if call_dtype is call_float64 else call_no_plans
        )
        call_plan, call_compute, call_shape, call_pool = ({same}call_plans or call_no_plans)[{shapes}]
    except (KeyError, AttributeError):
        return call_other(({arguments},))
    call_result = call_empty(call_shape, call_dtype)
    try:
        call_scratch = call_pool.pop()
    except IndexError:
        call_scratch = call_plan.allocate()
    if call_compute({arguments}, call_result, call_scratch):
        call_plan.run(({arguments},), call_result)
    call_pool.append(call_scratch)
    return call_result
"""

Entry = tuple[Plan, Callable[..., int], tuple[int, ...], list[Array]]
Shapes = tuple[tuple[int, ...], ...] | tuple[int, ...]


class Dispatch:
    """Calls of one kernel in one direction. Threads may call at the same time."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._arrays = [index for index, spec in enumerate(kernel.inputs) if not isinstance(spec, ScalarSpec)]
        self._plans: dict[str, dict[Shapes, Entry]] = {dtype: {} for dtype in DTYPES}
        self._winners: dict[tuple[str, int], tuple[Record, ...]] = {}
        self._said: set[tuple[str, int]] = set()

    def method(self) -> Callable[..., Array]:
        """A function of `self` (any object), the kernel's inputs and `out`: the `__call__` of a kernel."""
        names = [spec.name for spec in self.kernel.inputs]
        arrays = [names[index] for index in self._arrays]
        if not arrays:
            return lambda _self, *inputs, out=None: self._other(inputs) if out is None else self._into(out, inputs)
        text = _FAST_PATH.format(
            arguments=", ".join(names),
            first=arrays[0],
            same="".join(f"{name}.dtype is call_dtype and " for name in arrays[1:]),
            shapes=", ".join(f"{name}.shape" for name in arrays),
        )
        scope: dict[str, Any] = {f"call_{dtype}_plans": plans for dtype, plans in self._plans.items()}
        scope |= {f"call_{name}": dtype for name, dtype in DTYPES.items()}
        scope |= {"call_no_plans": {}, "call_empty": np.empty, "call_other": self._other, "call_into": self._into}
        exec(compile(text, f"<call of {self.kernel.name}>", "exec"), scope)
        call: Callable[..., Array] = scope["call"]
        return call

    def refresh(self) -> None:
        """Forget all plans, so that the next call reads the database again."""
        self._winners.clear()
        for plans in self._plans.values():
            plans.clear()

    def run(self, given: tuple[Any, ...], out: Array | None = None) -> Array:
        """The result for these inputs, in the kernel's order."""
        return self._other(given) if out is None else self._into(out, given)

    def plan(self, given: tuple[Any, ...]) -> Plan:
        """The plan for these inputs, made now if there is none yet."""
        return self._plan(self._converted(given))

    def _plan(self, inputs: tuple[Any, ...]) -> Plan:
        dtype = self._dtype(inputs)
        plans, shapes = self._plans[dtype], self._shapes(inputs)
        entry = plans.get(shapes)
        if entry is None:
            plan = self._make(inputs, dtype)
            if len(plans) >= MAX_PLANS:
                plans.clear()
            entry = plans[shapes] = (plan, plan.call, plan.shape, plan.pool)
        return entry[0]  # not looked up again: another thread may have cleared the plans

    def choice(self, workload: Workload) -> Choice:
        """Which config serves `workload`. That a kernel is untuned is said once, through logging."""
        key, machine = (workload.dtype, workload.threads), detect()
        if key not in self._winners:
            self._winners[key] = read_winners(
                settings.database_url(), self.kernel, dtype=workload.dtype, threads=workload.threads, machine=machine
            )
        choice = choose(workload, self._winners[key], machine)
        if choice.origin is Origin.DEFAULT and key not in self._said:
            self._said.add(key)
            sizes = ",".join(f"{name}={size}" for name, size in workload.extents)
            logger.warning(
                "%s is not tuned on this machine and runs its default schedule; to tune it: "
                "autotune run %s --size %s --direction %s --dtype %s --threads %d",
                workload.describe(), self.kernel.name, sizes, self.kernel.direction, workload.dtype, workload.threads,
            )  # fmt: skip
        return choice

    def _shapes(self, inputs: tuple[Any, ...]) -> Shapes:
        """The key of a plan, as the fast path writes it: the shape of the only array, or a tuple of shapes."""
        shapes = tuple(inputs[index].shape for index in self._arrays)
        return shapes[0] if len(shapes) == 1 else shapes

    def _other(self, given: tuple[Any, ...]) -> Array:
        """A call whose shapes are new, or whose arguments are not NumPy arrays of one supported dtype."""
        inputs = self._converted(given)
        plan = self._plan(inputs)
        return plan.run(inputs, np.empty(plan.shape, plan.dtype))

    def _into(self, out: Array, given: tuple[Any, ...]) -> Array:
        """A call with an array for the result, which may overlap the inputs."""
        inputs = self._converted(given)
        plan = self._plan(inputs)
        if not isinstance(out, np.ndarray) or out.shape != plan.shape or out.dtype != plan.dtype:
            got = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
            message = f"{self.kernel.name}: out must be a {plan.dtype} array of shape {plan.shape}, not {got}"
            raise ShapeError(message)
        if not out.flags.writeable:
            message = f"{self.kernel.name}: out is read-only"
            raise ShapeError(message)
        if any(isinstance(value, np.ndarray) and np.may_share_memory(out, value) for value in inputs):
            out[...] = plan.run(inputs, np.empty(plan.shape, plan.dtype))
            return out
        return plan.run(inputs, out)

    def _converted(self, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Arguments as arrays and floats; raises DtypeError where a scalar is none."""
        inputs: list[Any] = []
        for spec, value in zip(self.kernel.inputs, given, strict=True):
            if isinstance(spec, ScalarSpec):
                inputs.append(self._number(spec.name, value))
            else:
                inputs.append(value if isinstance(value, np.ndarray) else np.asarray(value))
        return tuple(inputs)

    def _number(self, name: str, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            message = f"{self.kernel.name}: scalar {name} must be a number, not {type(value).__name__}"
            raise DtypeError(message) from None

    def _make(self, inputs: tuple[Any, ...], dtype: str) -> Plan:
        workload = workload_of(self.kernel, inputs, dtype, settings.thread_count())
        if is_empty(workload):
            return empty_plan(workload)
        return compiled_plan(workload, self.choice(workload), detect())

    def _dtype(self, inputs: tuple[Any, ...]) -> str:
        """The one dtype of all tensors; raises DtypeError where there are several or no kernel is generated for it."""
        arrays = {self.kernel.inputs[index].name: inputs[index] for index in self._arrays}
        kinds = {value.dtype for value in arrays.values()}
        if len(kinds) > 1:
            each = ", ".join(f"{name} is {value.dtype}" for name, value in arrays.items())
            message = f"{self.kernel.name}: all tensors must have one dtype, but {each}; convert them with astype"
            raise DtypeError(message)
        dtype = kinds.pop() if kinds else DTYPES["float64"]
        if not dtype.isnative:
            message = f"{self.kernel.name}: arrays must be in native byte order, not {dtype}; convert them with astype"
            raise DtypeError(message)
        check_dtype(dtype.name)
        return str(dtype.name)
