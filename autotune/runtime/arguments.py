"""The arguments of a call as its kernel takes them: arrays of one floating dtype, of int64, and numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.errors import DtypeError
from autotune.lang import Kernel, ScalarSpec
from autotune.schedule import check_dtype

Array = NDArray[Any]
INTEGER = np.dtype(np.int64)
DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def converted(kernel: Kernel, given: Sequence[Any]) -> tuple[Any, ...]:
    """Arguments as arrays and floats; raises DtypeError where a scalar is no number or an integer tensor has floats."""
    inputs: list[Any] = []
    for spec, value in zip(kernel.inputs, given, strict=True):
        if isinstance(spec, ScalarSpec):
            inputs.append(_number(kernel, spec.name, value))
        else:
            inputs.append(_whole(kernel, spec.name, value) if spec.integer else np.asarray(value))
    return tuple(inputs)


def dtype_of(kernel: Kernel, inputs: Sequence[Any]) -> str:
    """The one dtype of all floating tensors, float64 where there is none.

    Raises DtypeError where there are several or no kernel is generated for it.
    """
    pairs = zip(kernel.inputs, inputs, strict=True)
    floating = {spec.name: value.dtype for spec, value in pairs if not (isinstance(spec, ScalarSpec) or spec.integer)}
    dtypes = set(floating.values())
    if len(dtypes) > 1:
        each = ", ".join(f"{name} is {dtype}" for name, dtype in floating.items())
        message = f"{kernel.name}: all floating tensors must have one dtype, but {each}; convert them with astype"
        raise DtypeError(message)
    dtype = dtypes.pop() if dtypes else DTYPES["float64"]
    if dtype in _NAMES:  # `dtype.name` takes a microsecond
        return _NAMES[dtype]
    if not dtype.isnative:
        message = f"{kernel.name}: arrays must be in native byte order, not {dtype}; convert them with astype"
        raise DtypeError(message)
    check_dtype(dtype.name)
    return str(dtype.name)


def _number(kernel: Kernel, name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        message = f"{kernel.name}: scalar {name} must be a number, not {type(value).__name__}"
        raise DtypeError(message) from None


def _whole(kernel: Kernel, name: str, value: Any) -> Array:
    """Whole numbers of any kind as int64; truth values are 0 and 1."""
    array = np.asarray(value)
    if array.dtype == INTEGER:
        return array
    if array.size == 0 and not isinstance(value, np.ndarray):  # an empty list says nothing of its elements
        return array.astype(INTEGER)
    if array.dtype.kind not in "iub":
        message = f"{kernel.name}: {name} holds whole numbers, but is {array.dtype}; convert it with astype(np.int64)"
        raise DtypeError(message)
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        message = f"{kernel.name}: {name} has elements that no int64 holds, such as {array.max()}"
        raise DtypeError(message)
    return array.astype(INTEGER)
