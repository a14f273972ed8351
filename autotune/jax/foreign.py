"""Python functions as handlers of XLA's foreign function interface, on the memory of its own buffers.

`jax.pure_callback` puts every argument on a device again before it calls back, which copies, takes five times as long
(616 µs instead of 108 for a product of 64 x 48 x 32, Zen 4) and can wait for ever where XLA has no thread to spare. A
handler of the interface is given the buffers themselves.
"""
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

import ctypes
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from autotune.jax.frame import INTERNAL, METADATA, ErrorArguments, Handler, MetadataExtension
from autotune.jax.native import Trampoline
from autotune.runtime.plan import Plan

Array = NDArray[Any]
Compute = Callable[[list[Array], list[Array]], Plan | None]
"""Fills arrays for the results from arrays of the arguments; gives the plan that serves all calls like this one."""

_ELEMENTS = {
    1: np.bool_, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 6: np.uint8, 7: np.uint16, 8: np.uint32,
    9: np.uint64, 11: np.float32, 12: np.float64,
}  # fmt: skip
_ITEMS: dict[int, np.dtype[Any]] = {number: np.dtype(kind) for number, kind in _ELEMENTS.items()}
_trampolines: dict[str, Trampoline] = {}  # XLA knows a name for as long as the process lives, and calls what it is
_lock = Lock()


def register(name: str, compute: Compute) -> Trampoline:
    """Let XLA's CPU programs call `compute` as the custom call `name`; the first one of that name stays."""
    with _lock:
        if name not in _trampolines:
            trampoline = _trampolines[name] = Trampoline(_handler(name, compute))
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(Handler(trampoline.address)), platform="cpu")
        return _trampolines[name]


def _handler(name: str, compute: Compute) -> Any:
    @Handler
    def handler(pointer: Any) -> int | None:
        frame = pointer.contents
        if frame.extension and frame.extension.contents.type == METADATA:
            _answer(frame)
            return None
        try:
            plan = compute(_arrays(frame.arguments), _arrays(frame.results))
            if plan is not None:
                _trampolines[name].serve(plan)
        except Exception as error:  # goes on as an error of XLA's
            return _error(frame, f"{type(error).__name__}: {error}")
        return None

    return handler


def _answer(frame: Any) -> None:
    """Say that the handler is of the version that XLA has, whose parts that are read here are the same in all."""
    extension = ctypes.cast(frame.extension, ctypes.POINTER(MetadataExtension)).contents
    version = extension.metadata.contents.version
    version.major, version.minor = frame.api.contents.version.major, frame.api.contents.version.minor
    extension.metadata.contents.traits = 0


def _arrays(buffers: Any) -> list[Array]:
    return [_array(buffers.buffers[position].contents) for position in range(buffers.count)]


def _array(buffer: Any) -> Array:
    """The memory of a buffer as an array."""
    dtype = _ITEMS[buffer.element]
    shape: Sequence[int] = buffer.dimensions[: buffer.rank]
    count = 1
    for size in shape:
        count *= size
    if not count:
        return np.empty(shape, dtype)
    memory: Any = (ctypes.c_char * (count * dtype.itemsize)).from_address(buffer.data)
    return np.ndarray(shape, dtype, memory)


def _error(frame: Any, text: str) -> int | None:
    message = text.encode()
    arguments = ErrorArguments(ctypes.sizeof(ErrorArguments), None, message, INTERNAL)
    found: int | None = frame.api.contents.create_error(ctypes.byref(arguments))
    return found
