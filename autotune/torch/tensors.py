"""Tensors as arrays of the same memory, and what is wrong with those that are none."""

from collections.abc import Sequence
from typing import Any

import torch

from autotune.errors import DeviceError, DtypeError, ShapeError
from autotune.lang import Kernel, ScalarSpec
from autotune.lang.specs import Input

FLOATING = (torch.float32, torch.float64)


def array_of(value: Any) -> Any:
    """The array that shares a tensor's memory; a number as it is."""
    return value.detach().numpy() if isinstance(value, torch.Tensor) else value


def number_of(value: Any) -> Any:
    """The number in a tensor of rank 0; a number as it is."""
    return value.item() if isinstance(value, torch.Tensor) else value


def real_dtype(kernel: Kernel, values: Sequence[Any]) -> torch.dtype:
    """The one dtype of all floating tensors, float64 where there is none, as of arrays."""
    pairs = zip(kernel.inputs, values, strict=True)
    found = (value.dtype for spec, value in pairs if not (isinstance(spec, ScalarSpec) or spec.integer))
    return next(found, torch.float64)


def check(kernel: Kernel, values: Sequence[Any]) -> None:
    """Raise DeviceError, DtypeError or ShapeError for what the kernel cannot take; shapes are not looked at."""
    for spec, value in zip(kernel.inputs, values, strict=True):
        if isinstance(value, torch.Tensor):
            _check_tensor(kernel, spec, value)
        elif not isinstance(spec, ScalarSpec):
            message = f"{kernel.name}: {spec.name} must be a tensor, not {type(value).__name__}"
            raise DtypeError(message)
    real = real_dtype(kernel, values)
    for spec, value in zip(kernel.inputs, values, strict=True):
        if not (isinstance(spec, ScalarSpec) or spec.integer or value.dtype == real):
            message = (
                f"{kernel.name}: all floating tensors must have one dtype, but {spec.name} is {value.dtype} and "
                f"another {real}; convert them with .to({real})"
            )
            raise DtypeError(message)


def _check_tensor(kernel: Kernel, spec: Input, value: torch.Tensor) -> None:
    called = f"{kernel.name}: {spec.name}"
    if value.device.type != "cpu":
        message = f"{called} is on {value.device}, but kernels run on the CPU; move it with .cpu()"
        raise DeviceError(message)
    if value.layout is not torch.strided:
        message = f"{called} has the layout {value.layout}, but kernels take dense tensors; convert it with .to_dense()"
        raise DtypeError(message)
    if isinstance(spec, ScalarSpec):
        if value.ndim:
            message = f"{called} must be a number or a tensor of rank 0, not one of shape {tuple(value.shape)}"
            raise ShapeError(message)
        if value.dtype.is_complex:
            message = f"{called} must be a real number, not {value.dtype}"
            raise DtypeError(message)
    elif spec.integer:
        if value.dtype.is_floating_point or value.dtype.is_complex:
            message = f"{called} holds whole numbers, but is {value.dtype}; convert it with .long()"
            raise DtypeError(message)
    elif value.dtype not in FLOATING:
        message = f"{called} is {value.dtype}, but kernels compute in float32 or float64; convert it with .float()"
        raise DtypeError(message)
