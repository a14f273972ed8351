"""Kernels as functions of tensors."""

from collections.abc import Callable
from typing import Any

import torch

from autotune.runtime.arguments import bound
from autotune.runtime.family import Option
from autotune.runtime.kernel import TunedKernel
from autotune.runtime.operation import Operation
from autotune.torch.operators import operator
from autotune.torch.recorded import applied


def function(kernel: TunedKernel, /, **options: Option) -> Callable[..., Any]:
    """`kernel` as a function of tensors that autograd differentiates, to any order.

    It takes the kernel's inputs by position or by name, CPU tensors that are all float32 or all float64, tensors of
    whole numbers where the kernel has such inputs, and for scalars numbers or tensors of rank 0. It returns a tensor,
    or a tuple of several. Nothing is copied between tensors and arrays. Gradients are kernels, tuned and looked up as
    any other, and computed only where PyTorch needs them: those that share work in one, and those of a result that is
    one number along with it. Under `torch.compile` and `torch.export` it is one operator of the namespace `autotune`.

    `options` are the structural constants of the kernel: `function(conv2d, stride=2)`. Raises OptionError for one that
    it does not have. A call raises DeviceError for tensors on another device, DtypeError and ShapeError for such as do
    not fit, and DifferentiationError where a gradient is needed that cannot be derived.
    """
    operation = Operation(kernel.specialized(**options))
    overload = operator(operation)
    definition = operation.definition
    names = tuple(spec.name for spec in definition.inputs)
    scalars = operation.scalars

    def call(*inputs: Any, **named: Any) -> Any:
        values = bound(definition.name, names, inputs, named)
        if _traced():
            return overload(*map(_tensor, values, scalars))
        # Without an operator: 8 µs instead of 22 where a gradient is recorded, 3 instead of 12 else (Zen 4).
        return applied(operation, values)

    call.__name__ = call.__qualname__ = definition.name
    call.__doc__ = definition.doc
    call.__module__ = kernel.__module__
    return call


def _traced() -> bool:
    """Whether PyTorch writes down what is called: then it must see an operator that it knows by name."""
    return torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0


def _tensor(value: Any, scalar: bool) -> Any:
    """A number as a tensor, which is what operators take."""
    return torch.tensor(value, dtype=torch.float64) if scalar and not isinstance(value, torch.Tensor) else value
