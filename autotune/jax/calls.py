"""Operations as calls that XLA makes, on its own buffers."""
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from autotune.jax.foreign import register
from autotune.lang import Kernel
from autotune.runtime.operation import Operation
from autotune.runtime.plan import Plan
from autotune.runtime.recording import recording

Array = NDArray[Any]


def call_of(operation: Operation) -> Callable[..., tuple[Any, ...]]:
    """A function of arrays that JAX traces: one call into the kernel. It has no derivatives."""
    dispatch = operation.kernel.dispatch(operation.direction)

    def compute(arguments: Sequence[Array], results: Sequence[Array]) -> Plan | None:
        return _fill(operation, arguments, results)

    def call(*values: Any) -> tuple[Any, ...]:
        shapes = _results(operation.definition, values)
        kinds = ["x".join(map(str, value.shape)) + value.dtype.kind + str(value.dtype.itemsize) for value in values]
        name = "_".join(["autotune", operation.identifier, *kinds])
        dispatch.forgetting.add(register(name, compute))
        # A batch comes as a further dimension in front, of size 1 where an argument is the same for all of it.
        found = jax.ffi.ffi_call(name, shapes, vmap_method="expand_dims")(*values)
        return tuple(found)

    return call


def _results(kernel: Kernel, values: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
    """The outputs for arguments of these shapes; raises ShapeError where they do not fit."""
    specs = kernel.inputs
    extents = kernel.infer_extents({spec.name: value.shape for spec, value in zip(specs, values, strict=True)})
    floating = (value.dtype for spec, value in zip(specs, values, strict=True) if not getattr(spec, "integer", False))
    real, whole = next(floating, np.float64), jax.dtypes.canonicalize_dtype(np.int64)
    return [
        jax.ShapeDtypeStruct(kernel.call_shape_of(output.name, extents), whole if output.integer else real)
        for output in kernel.outputs
    ]


def _fill(operation: Operation, arguments: Sequence[Array], results: Sequence[Array]) -> Plan | None:
    """Compute into `results`, for each index of a batch if there is one; gives the plan of calls that are plain."""
    kernel = operation.definition
    if arguments[0].ndim > len(getattr(kernel.inputs[0], "groups", ())):
        for index in range(results[0].shape[0]):
            one = [array[index if array.shape[0] > 1 else 0, ...] for array in arguments]
            _fill(operation, one, [array[index, ...] for array in results])
        return None
    pairs = zip(operation.scalars, arguments, strict=True)
    values = [array.item() if scalar else array for scalar, array in pairs]
    if any(output.integer and result.dtype != np.int64 for output, result in zip(kernel.outputs, results, strict=True)):
        found = operation.compute(*values)
        for result, computed in zip(results, found if isinstance(found, tuple) else (found,), strict=True):
            result[...] = computed
        return None
    operation.compute(*values, out=results[0] if len(results) == 1 else tuple(results))
    whole = [array for spec, array in zip(kernel.inputs, arguments, strict=True) if getattr(spec, "integer", False)]
    if recording() is not None or any(array.dtype != np.int64 for array in whole):
        return None
    return operation.kernel.dispatch(operation.direction).plan(values)
