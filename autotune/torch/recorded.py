"""Operations on tensors: run on their arrays, and recorded for autograd where a gradient is needed."""
# mypy: disable-error-code="no-untyped-call, misc"

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import torch

from autotune.errors import AutotuneError, DifferentiationError
from autotune.runtime.operation import Operation
from autotune.torch.tensors import array_of, check, number_of, real_dtype

Apply: TypeAlias = Callable[[Operation, Sequence[Any]], Any]


def applied(operation: Operation, values: Sequence[Any]) -> Any:
    """The outputs of an operation on tensors and numbers: a tensor, or a tuple of several."""
    recorded = torch.is_grad_enabled() and any(
        isinstance(value, torch.Tensor) and value.requires_grad for value in values
    )
    if torch._C._are_functorch_transforms_active():
        return _Recorded.apply(operation, *values)
    if recorded:
        joint = _joint(operation, values) if operation.definition.is_number else None
        return _Recorded.apply(operation, *values) if joint is None else _Joint.apply(operation, *joint, *values)
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


class _Joint(torch.autograd.Function):
    """An operation whose result is a number, with its gradients, which wait for the cotangent. They are given once."""

    @staticmethod
    def forward(ctx: Any, operation: Operation, joint: Operation, positions: tuple[int, ...], *values: Any) -> Any:
        one = torch.ones((), dtype=real_dtype(operation.definition, values))
        result, *gradients = computed(joint, (*values, one))
        ctx.operation, ctx.gradients = operation, dict(zip(positions, gradients, strict=True))
        keep(ctx, operation, values, ctx.needs_input_grad[3:])
        return result

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> tuple[Any, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        needed = ctx.needs_input_grad[3:]
        if gradients is None or torch.is_grad_enabled():  # a second time, or to be recorded: it is computed anew
            return None, None, None, *pulled_back(ctx, ctx.operation, cotangents, needed, applied)
        (cotangent,) = cotangents
        if cotangent.item() != 1:
            for gradient in gradients.values():
                gradient.mul_(cotangent)
        return None, None, None, *map(gradients.get, range(len(needed)))


def _joint(operation: Operation, values: Sequence[Any]) -> tuple[Operation, tuple[int, ...]] | None:
    """The operation that computes a number with the gradients that autograd will ask for, and these."""
    pairs = zip(values, operation.scalars, strict=True)
    if not all(scalar or isinstance(value, torch.Tensor) for value, scalar in pairs):
        return None  # what is wrong with it is said where it is computed
    positions = tuple(
        position
        for position, value in enumerate(values)
        if operation.differentiable[position] and isinstance(value, torch.Tensor) and value.requires_grad
    )
    joint = operation.joint(positions)
    return None if joint is None else (joint, positions)


def keep(ctx: Any, operation: Operation, values: Sequence[Any], needed: Sequence[bool]) -> None:
    """Keep what the gradients that are needed read."""
    read: set[int] = set()
    with suppress(DifferentiationError):  # which `pulled_back` raises, if it comes to that
        read.update(*(gradient.sources for gradient in operation.gradients(_positions(operation, needed))))
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
    for gradient in operation.gradients(_positions(operation, needed)):
        found = apply(gradient.operation, [known[source] for source in gradient.sources])
        several = found if isinstance(found, tuple | list) else (found,)
        for position, value in zip(gradient.positions, several, strict=True):
            gradients[position] = value
    return gradients


def _positions(operation: Operation, needed: Sequence[bool]) -> tuple[int, ...]:
    pairs = enumerate(zip(needed, operation.differentiable, strict=True))
    return tuple(position for position, both in pairs if all(both))


def _at(value: Any, dimension: int | None, index: int) -> Any:
    return value if dimension is None else value.select(dimension, index)
