"""Operations on tensors: run on their arrays, and recorded for autograd where a gradient is needed."""
# mypy: disable-error-code="no-untyped-call, misc"

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from autotune.errors import AutotuneError, DifferentiationError
from autotune.runtime.operation import Operation
from autotune.torch.tensors import array_of, check, number_of

Apply: TypeAlias = Callable[[Operation, Sequence[Any]], Any]


def applied(operation: Operation, values: Sequence[Any]) -> Any:
    """The outputs of an operation on tensors and numbers: a tensor, or a tuple of several."""
    recorded = torch.is_grad_enabled() and any(
        isinstance(value, torch.Tensor) and value.requires_grad for value in values
    )
    if recorded or torch._C._are_functorch_transforms_active():
        return _Recorded.apply(operation, *values)
    return computed(operation, values)


def computed(operation: Operation, values: Sequence[Any]) -> Any:
    """The outputs as new tensors, in the memory of the arrays that the kernel returns."""
    try:
        arrays = [
            number_of(value) if scalar else array_of(value)
            for scalar, value in zip(operation.scalars, values, strict=True)
        ]
        found = operation.compute(*arrays)
    except (TypeError, RuntimeError, AutotuneError):
        check(operation.definition, values)  # says in PyTorch's words what is wrong with a tensor, if that is it
        raise
    return tuple(map(torch.from_numpy, found)) if isinstance(found, tuple) else torch.from_numpy(found)


class _Recorded(torch.autograd.Function):
    """An operation in the graph of autograd. Its backward is made of operations, so it can be recorded as well."""

    @staticmethod
    def forward(operation: Operation, *values: Any) -> Any:
        return computed(operation, values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        ctx.operation, *values = inputs
        keep(ctx, ctx.operation, values, ctx.needs_input_grad[1:])

    @staticmethod
    def vmap(info: Any, dimensions: tuple[int | None, ...], operation: Operation, *values: Any) -> Any:
        """One after another, for `torch.func.vmap`."""
        dims = dimensions[1:]
        found = [
            applied(operation, [_at(value, dim, index) for value, dim in zip(values, dims, strict=True)])
            for index in range(info.batch_size)
        ]
        if isinstance(found[0], tuple):
            return tuple(map(torch.stack, zip(*found, strict=True))), (0,) * len(found[0])
        return torch.stack(found), 0

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> tuple[Any, ...]:
        return None, *pulled_back(ctx, ctx.operation, cotangents, ctx.needs_input_grad[1:], applied)


def keep(ctx: Any, operation: Operation, values: Sequence[Any], needed: Sequence[bool]) -> None:
    """Keep what the gradients that are needed read."""
    read: set[int] = set()
    for position in _positions(operation, needed):
        try:
            read.update(operation.gradient(position).sources)
        except DifferentiationError:  # which `pulled_back` raises, if it comes to that
            continue
    kept = [value if position in read else None for position, value in enumerate(values)]
    ctx.save_for_backward(*(value if isinstance(value, torch.Tensor) else None for value in kept))
    ctx.numbers = [None if isinstance(value, torch.Tensor) else value for value in kept]


def pulled_back(
    ctx: Any, operation: Operation, cotangents: Sequence[Any], needed: Sequence[bool], apply: "Apply"
) -> list[Any]:
    """The gradient by each input that needs one, by operations that `apply` applies; None for the others."""
    pairs = zip(ctx.saved_tensors, ctx.numbers, strict=True)
    known = [number if tensor is None else tensor for tensor, number in pairs]
    known += cotangents
    gradients: list[Any] = [None] * len(needed)
    for position in _positions(operation, needed):
        gradient = operation.gradient(position)
        gradients[position] = apply(gradient.operation, [known[source] for source in gradient.sources])
    return gradients


def _positions(operation: Operation, needed: Sequence[bool]) -> list[int]:
    pairs = enumerate(zip(needed, operation.differentiable, strict=True))
    return [position for position, both in pairs if all(both)]


def _at(value: Any, dimension: int | None, index: int) -> Any:
    return value if dimension is None else value.select(dimension, index)
