"""Kernels as functions of JAX's arrays."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from autotune.errors import DeviceError, DtypeError, OptionError, ShapeError
from autotune.jax.derivatives import forward, reverse
from autotune.lang import Kernel, ScalarSpec
from autotune.lang.specs import Input
from autotune.runtime.arguments import bound
from autotune.runtime.family import Option
from autotune.runtime.kernel import TunedKernel
from autotune.runtime.operation import Operation

Mode = Literal["reverse", "forward"]
_MODES = {"reverse": reverse, "forward": forward}


def function(kernel: TunedKernel, /, *, mode: Mode = "reverse", **options: Option) -> Callable[..., Any]:
    """`kernel` as a function of JAX's arrays that `jit`, `grad` and `vmap` transform.

    It takes the kernel's inputs by position or by name, arrays that are all float32 or all float64 (which JAX has where
    `jax_enable_x64` is set), arrays of whole numbers where the kernel has such inputs, and for scalars numbers or
    arrays of rank 0. It returns an array, or a tuple of several. XLA calls the kernel with its own memory; nothing is
    copied.

    With the mode "reverse" it has a `jax.custom_vjp`, to any order, whose gradients are kernels, computed only where
    they are needed: those that share work in one, and with a result that is one number along with it. With "forward" it
    has a `jax.custom_jvp` instead, for `jax.jvp` and `jax.jacfwd`. JAX has functions with one of the two. `options` are
    the structural constants of the kernel: `function(conv2d, stride=2)`.

    Raises OptionError for an option or a mode that there is not. A call raises DeviceError, DtypeError or ShapeError
    for arrays that do not fit; what depends on their elements, such as an index that is out of range, fails when XLA
    runs the program, with JAX's own error and the text of ours.
    """
    if mode not in _MODES:
        message = f"mode must be {' or '.join(map(repr, _MODES))}, not {mode!r}"
        raise OptionError(message)
    operation = Operation(kernel.specialized(**options))
    definition = operation.definition
    names = tuple(spec.name for spec in definition.inputs)
    differentiable = _MODES[mode](operation)

    def call(*inputs: Any, **named: Any) -> Any:
        found = differentiable(*_converted(definition, bound(definition.name, names, inputs, named)))
        return found[0] if len(found) == 1 else found

    call.__name__ = call.__qualname__ = definition.name
    call.__doc__ = definition.doc
    call.__module__ = kernel.__module__
    return call


def _converted(kernel: Kernel, given: Sequence[Any]) -> list[jax.Array]:
    """The arguments as arrays; raises DeviceError or DtypeError, or ShapeError for a scalar that is no number."""
    values: list[jax.Array] = []
    real: Any = None
    for spec, value in zip(kernel.inputs, given, strict=True):
        if isinstance(spec, ScalarSpec):
            values.append(value)
            continue
        array = jnp.asarray(value)
        values.append(array)
        _check(kernel, spec, array)
        if not spec.integer:
            real = real or array.dtype
            if array.dtype != real:
                message = (
                    f"{kernel.name}: all floating arrays must have one dtype, but {spec.name} is {array.dtype} and "
                    f"another {real}; convert them with .astype({str(real)!r})"
                )
                raise DtypeError(message)
    real = real or jax.dtypes.canonicalize_dtype("float64")
    return [
        _number(kernel, spec, value, real) if isinstance(spec, ScalarSpec) else value
        for spec, value in zip(kernel.inputs, values, strict=True)
    ]


def _check(kernel: Kernel, spec: Input, array: jax.Array) -> None:
    called = f"{kernel.name}: {spec.name}"
    _check_device(called, array)
    integer = getattr(spec, "integer", False)
    if integer and not (jnp.issubdtype(array.dtype, jnp.integer) or array.dtype == jnp.bool_):
        message = f"{called} holds whole numbers, but is {array.dtype}; convert it with .astype(int)"
        raise DtypeError(message)
    if not integer and array.dtype not in (jnp.float32, jnp.float64):
        message = (
            f"{called} is {array.dtype}, but kernels compute in float32 or float64; convert it with .astype('float32')"
        )
        raise DtypeError(message)


def _check_device(called: str, array: jax.Array) -> None:
    if isinstance(array, jax.core.Tracer):  # of which nobody knows where it will be
        return
    elsewhere = [device for device in array.devices() if device.platform != "cpu"]
    if elsewhere:
        message = (
            f"{called} is on {elsewhere[0]}, but kernels run on the CPU; move it with "
            f"jax.device_put(x, jax.devices('cpu')[0])"
        )
        raise DeviceError(message)


def _number(kernel: Kernel, spec: Input, value: Any, real: Any) -> jax.Array:
    array = jnp.asarray(value)
    called = f"{kernel.name}: {spec.name}"
    _check_device(called, array)
    if array.ndim:
        message = f"{called} must be a number or an array of rank 0, not one of shape {array.shape}"
        raise ShapeError(message)
    if not jnp.issubdtype(array.dtype, jnp.number) or jnp.issubdtype(array.dtype, jnp.complexfloating):
        message = f"{called} must be a real number, not {array.dtype}"
        raise DtypeError(message)
    return array.astype(real)
