"""Python functions as handlers of XLA's foreign function interface, on the memory of its own buffers.

`jax.pure_callback` puts every argument on a device again before it calls back, which copies, takes five times as long
(616 µs instead of 108 for a product of 64 x 48 x 32, Zen 4) and can wait for ever where XLA has no thread to spare. A
handler of the interface is given the buffers themselves. The structures below are those of xla/ffi/api/c_api.h, version
0.3, as far as they are read; their sizes stand in their first field, and later versions add to their ends only.
"""
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

import ctypes
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Compute = Callable[[list[Array], list[Array]], None]
"""Fills arrays for the results from arrays of the arguments."""

_ELEMENTS = {
    1: np.bool_, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 6: np.uint8, 7: np.uint16, 8: np.uint32,
    9: np.uint64, 11: np.float32, 12: np.float64,
}  # fmt: skip
_ITEMS: dict[int, np.dtype[Any]] = {number: np.dtype(kind) for number, kind in _ELEMENTS.items()}
_METADATA = 1  # the type of an extension that asks for the version
_INTERNAL = 13  # the code of an error


class _Extension(ctypes.Structure):
    _fields_ = (("size", ctypes.c_size_t), ("type", ctypes.c_int), ("next", ctypes.c_void_p))


class _Version(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
    )


class _Metadata(ctypes.Structure):
    _fields_ = (("size", ctypes.c_size_t), ("version", _Version), ("traits", ctypes.c_uint32))


class _MetadataExtension(ctypes.Structure):
    _fields_ = (("base", _Extension), ("metadata", ctypes.POINTER(_Metadata)))


class _ErrorArguments(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("message", ctypes.c_char_p),
        ("code", ctypes.c_int),
    )


_CreateError = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_ErrorArguments))


class _Api(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("version", _Version),
        ("internal", ctypes.c_void_p),
        ("create_error", _CreateError),
    )


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("element", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("rank", ctypes.c_int64),
        ("dimensions", ctypes.POINTER(ctypes.c_int64)),
    )


class _Buffers(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("types", ctypes.c_void_p),
        ("buffers", ctypes.POINTER(ctypes.POINTER(_Buffer))),
    )


class _CallFrame(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("extension", ctypes.POINTER(_Extension)),
        ("api", ctypes.POINTER(_Api)),
        ("context", ctypes.c_void_p),
        ("stage", ctypes.c_int),
        ("arguments", _Buffers),
        ("results", _Buffers),
    )


_Handler = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_CallFrame))
_handlers: dict[str, Any] = {}  # XLA knows a name for as long as the process lives, and calls what is behind it
_lock = Lock()


def register(name: str, compute: Compute) -> None:
    """Let XLA's CPU programs call `compute` as the custom call `name`; the first one of that name stays."""
    with _lock:
        if name in _handlers:
            return
        _handlers[name] = _handler(compute)
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(_handlers[name]), platform="cpu")


def _handler(compute: Compute) -> Any:
    @_Handler
    def handler(pointer: Any) -> int | None:
        frame = pointer.contents
        if frame.extension and frame.extension.contents.type == _METADATA:
            _answer(frame)
            return None
        try:
            compute(_arrays(frame.arguments), _arrays(frame.results))
        except Exception as error:  # goes on as an error of XLA's
            return _error(frame, f"{type(error).__name__}: {error}")
        return None

    return handler


def _answer(frame: Any) -> None:
    """Say that the handler is of the version that XLA has, whose parts that are read here are the same in all."""
    extension = ctypes.cast(frame.extension, ctypes.POINTER(_MetadataExtension)).contents
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
    arguments = _ErrorArguments(ctypes.sizeof(_ErrorArguments), None, message, _INTERNAL)
    found: int | None = frame.api.contents.create_error(ctypes.byref(arguments))
    return found
