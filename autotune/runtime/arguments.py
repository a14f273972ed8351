"""The arguments of a call as its kernel takes them: arrays of one floating dtype, of int64, and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.errors import DeviceError, DifferentiationError, DtypeError
from autotune.lang import Kernel, ScalarSpec
from autotune.schedule import check_dtype

Array = NDArray[Any]
INTEGER = np.dtype(np.int64)
HOST = (1, 3, 11)  # DLPack's kDLCPU, and kDLCUDAHost and kDLROCMHost, which are pinned
DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def bound(kernel: str, names: Sequence[str], given: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a call in the order of the inputs `names`; raises TypeError as Python does."""
    if not named and len(given) == len(names):
        return given
    left = dict(named)
    rest = [left.pop(name) for name in names[len(given) :] if name in left]
    if left or len(given) + len(rest) != len(names):
        got = f"{len(given)} by position" + "".join(f", {name}=" for name in named)
        message = (
            f"{kernel}() takes the inputs {', '.join(names)}, each once, by position or by name, but was given {got}"
        )
        raise TypeError(message)
    return (*given, *rest)


def converted(kernel: Kernel, given: Sequence[Any]) -> tuple[Any, ...]:
    """Arguments as arrays and floats.

    Raises DtypeError where a scalar is no number or an integer tensor has floats, and what `as_array` does.
    """
    inputs: list[Any] = []
    for spec, value in zip(kernel.inputs, given, strict=True):
        if isinstance(spec, ScalarSpec):
            inputs.append(_number(kernel, spec.name, value))
        else:
            array = as_array(value, f"{kernel.name}: {spec.name}", kernel.name)
            inputs.append(_whole(kernel, spec.name, value, array) if spec.integer else array)
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


def as_array(value: Any, called: str, kernel: str) -> Array:
    """`value` as an array: in its own memory where it says where that is, by DLPack or NumPy's own protocols.

    Raises DeviceError where that is no memory of the processor, DifferentiationError where somebody wants to know what
    is computed with it, and DtypeError where it cannot be an array.
    """
    if isinstance(value, np.ndarray):
        return value
    _check_unwatched(value, called, kernel)
    try:
        array = np.asarray(value)
        return np.from_dlpack(value) if array.dtype.hasobject and hasattr(value, "__dlpack__") else array
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        message = f"{called} is a {type(value).__name__}, which cannot be read as an array: {error}"
        raise DtypeError(message) from error


def _check_unwatched(value: Any, called: str, kernel: str) -> None:
    """Raise where an array of a framework is elsewhere, or has to be given to a function of that framework."""
    if getattr(value, "requires_grad", False) is True:
        message = (
            f"{called} requires a gradient, which a call on arrays does not record; call at.torch.function({kernel}), "
            f"or give it with .detach()"
        )
        raise DifferentiationError(message)
    module, name = type(value).__module__, type(value).__name__
    if module.partition(".")[0] == "jax" and name.endswith("Tracer"):
        message = f"{called} is traced by JAX, which a call on arrays cannot be; call at.jax.function({kernel})"
        raise DifferentiationError(message)
    if hasattr(value, "__dlpack_device__") and not _here(value):
        place = getattr(value, "device", "another device")
        message = f"{called} is on {place}, but kernels run on the CPU; move it there, in PyTorch with .cpu()"
        raise DeviceError(message)


def _here(value: Any) -> bool:
    """Whether an array of a framework is in memory that the processor reads."""
    try:
        kind, _ = value.__dlpack_device__()
    except (TypeError, ValueError, BufferError):  # a device that DLPack does not know
        return False
    return kind in HOST


def _number(kernel: Kernel, name: str, value: Any) -> float:
    _check_unwatched(value, f"{kernel.name}: {name}", kernel.name)
    try:
        return float(value)
    except (TypeError, ValueError):
        message = f"{kernel.name}: scalar {name} must be a number, not {type(value).__name__}"
        raise DtypeError(message) from None


def _whole(kernel: Kernel, name: str, value: Any, array: Array) -> Array:
    """Whole numbers of any kind, given as `value`, as int64; truth values are 0 and 1."""
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
