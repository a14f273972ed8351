"""Kernels inside functions that Numba compiles: `matmul(a, b)` in a user's own `@njit` function."""
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import njit, types
from numba.extending import overload

from autotune import settings
from autotune.codegen.symbols import distinct
from autotune.errors import AutotuneError, ShapeError
from autotune.lang import FORWARD, Kernel, ScalarSpec
from autotune.machine import detect
from autotune.machine.lines import LINE_BYTES
from autotune.runtime.choice import read_winners
from autotune.runtime.dispatch import Dispatch
from autotune.runtime.nopython_text import Passed, function_text
from autotune.runtime.plan import compiled_plan
from autotune.schedule import Workload

if TYPE_CHECKING:
    from autotune.runtime.kernel import TunedKernel

LARGE = 1024  # of every extent, for a kernel of which nothing is tuned and no example is given
_DTYPES = {types.float32: np.float32, types.float64: np.float64}


def numba_type(kernel: "TunedKernel") -> types.Type:
    """What Numba takes a kernel for that a compiled function mentions."""
    return types.Dispatcher(compiled(kernel, FORWARD, None, settings.thread_count()))


@cache
def compiled(kernel: "TunedKernel", direction: str, extents: tuple[tuple[str, int], ...] | None, threads: int) -> Any:
    """A function compiled by Numba, for any shapes, of the schedule that serves these extents.

    Without extents it is the winner with most operations, else the default for large ones. The schedule is chosen when
    a call is compiled for its types.
    """
    dispatch = kernel.dispatch(direction)
    definition = dispatch.kernel

    def implementation(*given: Any) -> Any:
        raise NotImplementedError  # in compiled code only

    names = [spec.name for spec in definition.inputs]
    listed = ", ".join(f"{name}_given" for name in names)
    scope: dict[str, Any] = {}
    exec(f"def typed({listed}, out_given): return choose({listed}, out_given)", scope)
    scope["choose"] = lambda *kinds: _typed(dispatch, extents, threads, kinds)
    overload(implementation, strict=False)(scope["typed"])
    scope["implementation"] = implementation
    exec(f"def {definition.name}({', '.join(names)}, out=None): return implementation({', '.join(names)}, out)", scope)
    function = scope[definition.name]
    function.__doc__ = definition.doc
    return njit(nogil=True)(distinct(function, definition.digest, extents, threads))


def _typed(
    dispatch: Dispatch, extents: tuple[tuple[str, int], ...] | None, threads: int, kinds: tuple[Any, ...]
) -> Callable[..., Any]:
    """The function for arguments of these types; raises Numba's TypingError where there is none."""
    definition = dispatch.kernel
    *inputs, out = kinds
    try:
        dtype = _checked(definition, inputs, out)
        workload = _workload(definition, dict(extents) if extents else None, np.dtype(dtype).name, threads)
        plan = compiled_plan(workload, dispatch.choice(workload), detect())
    except AutotuneError as error:
        raise numba.core.errors.TypingError(str(error)) from error
    given = not isinstance(out, types.NoneType | types.Omitted)
    scope: dict[str, Any] = {
        "np": np,
        "REAL": dtype,
        "compute": plan.function,
        "in_c_order": np.ascontiguousarray,
        "whole": _whole,
        "aligned": _aligned(dtype),
    }
    text = function_text(definition, Passed(out=given, scratch=plan.scratch, checks=plan.checks))
    exec(compile(text, f"<{definition.name} for compiled callers>", "exec"), scope)
    made: Callable[..., Any] = distinct(scope["call"], definition.digest, plan.path, given)
    return made


def _checked(kernel: Kernel, inputs: list[Any], out: Any) -> Any:
    """The dtype of the call; raises TypingError for types that the kernel does not take."""
    real: Any = None
    for spec, kind in zip(kernel.inputs, inputs, strict=True):
        called = f"{kernel.name}: {spec.name}"
        if isinstance(spec, ScalarSpec):
            _require(
                isinstance(kind, types.Number | types.Boolean | types.Literal), f"{called} must be a number, not {kind}"
            )
            continue
        rank = len(spec.groups)
        _require(
            isinstance(kind, types.Array) and kind.ndim == rank, f"{called} must be an array of rank {rank}, not {kind}"
        )
        if spec.integer:
            _require(
                isinstance(kind.dtype, types.Integer | types.Boolean), f"{called} holds whole numbers, but is {kind}"
            )
            continue
        _require(kind.dtype in _DTYPES, f"{called} must hold float32 or float64, not {kind.dtype}")
        real = real or kind.dtype
        _require(
            kind.dtype == real, f"{kernel.name}: all floating arrays must have one dtype, but {spec.name} is {kind}"
        )
    real = real or types.float64
    if not isinstance(out, types.NoneType | types.Omitted):
        _check_out(kernel, out, real)
    return _DTYPES[real]


def _check_out(kernel: Kernel, out: Any, real: Any) -> None:
    several = len(kernel.outputs) > 1
    found: tuple[Any, ...] = tuple(out.types) if several and isinstance(out, types.BaseTuple) else (out,)  # type: ignore[attr-defined]
    names = ", ".join(map(str, kernel.outputs))
    _require(len(found) == len(kernel.outputs), f"{kernel.name}: out must be a tuple of arrays for {names}, not {out}")
    for output, kind in zip(kernel.outputs, found, strict=True):
        dtype, merged = types.int64 if output.integer else real, any(count != 1 for count in output.groups)
        fits = (
            isinstance(kind, types.Array) and kind.ndim == len(output.groups) and kind.dtype == dtype and kind.mutable
        )
        order = " in C order" if merged else ""
        fits = fits and (kind.layout == "C" or not merged)
        _require(fits, f"{kernel.name}: out for {output} must be a writable array of {dtype}{order}, not {kind}")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise numba.core.errors.TypingError(message)


def _workload(definition: Kernel, extents: Mapping[str, int] | None, dtype: str, threads: int) -> Workload:
    """What a schedule is chosen for."""
    if extents is None:
        winners = read_winners(settings.database_url(), definition, dtype=dtype, threads=threads, machine=detect())
        extents = max((record.extents for record in winners), key=definition.flops, default=None)
    if extents is None:
        extents = dict.fromkeys(definition.extent_names, LARGE)
        try:
            definition.complete(extents)
        except ShapeError as error:
            message = (
                f"{definition.name}: nothing is tuned, and no sizes can be taken for granted; name some by arrays, "
                f"{definition.name}.compiled(…), and call that ({error})"
            )
            raise ShapeError(message) from error
    return Workload.of(definition, dict(extents), dtype, threads)


@njit
def _whole(array: Any) -> Any:
    """Whole numbers of any kind as int64."""
    return array.astype(np.int64)


@cache
def _aligned(dtype: Any) -> Callable[[int], Any]:
    """What allocates scratch that begins on a line of the cache."""
    itemsize = np.dtype(dtype).itemsize

    def allocate(count: int) -> Any:
        memory = np.empty(count + LINE_BYTES // itemsize, dtype)
        start = (-memory.ctypes.data % LINE_BYTES) // itemsize
        return memory[start : start + count]

    made: Callable[[int], Any] = njit(distinct(allocate, np.dtype(dtype).name))
    return made
