"""Operations as operators that PyTorch knows by name, for `torch.compile`, `torch.export` and other tracers."""
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import torch

from autotune.lang import Kernel
from autotune.lang.specs import Input
from autotune.runtime.operation import Operation
from autotune.torch.recorded import computed, keep, pulled_back
from autotune.torch.tensors import check, real_dtype

NAMESPACE = "autotune"

_lock = Lock()
_known: dict[str, Any] = {}  # PyTorch's table of operators is one for the process, and so is this


def operator(operation: Operation) -> Callable[..., Any]:
    """The operator of an operation, which takes and gives tensors; made when first asked for.

    Its name has the digest of what is computed, so a graph that was traced in one process means the same in another.
    """
    name = f"{NAMESPACE}::{operation.identifier}"
    with _lock:
        if name not in _known:
            _known[name] = _registered(name, operation)
        found: Callable[..., Any] = _known[name]
        return found


def _shapes(definition: Kernel, values: tuple[torch.Tensor, ...]) -> list[tuple[int, ...]]:
    """The shape of every output for tensors of these shapes; raises ShapeError where they do not fit."""
    shapes = {spec.name: tuple(value.shape) for spec, value in zip(definition.inputs, values, strict=True)}
    extents = definition.infer_extents(shapes)
    return [definition.call_shape_of(output.name, extents) for output in definition.outputs]


def _registered(name: str, operation: Operation) -> Callable[..., Any]:
    definition = operation.definition

    def run(*values: Any) -> Any:
        return computed(operation, values)

    made = torch.library.custom_op(name, run, mutates_args=(), device_types="cpu", schema=_schema(definition))

    def fake(*values: torch.Tensor) -> Any:
        check(definition, values)
        real = real_dtype(definition, values)
        each = zip(definition.outputs, _shapes(definition, values), strict=True)
        found = [
            torch.empty(shape, dtype=torch.int64 if output.integer else real, device=values[0].device)
            for output, shape in each
        ]
        return tuple(found) if len(found) > 1 else found[0]

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        keep(ctx, operation, inputs, ctx.needs_input_grad[: len(inputs)])

    def backward(ctx: Any, *cotangents: Any) -> Any:
        return tuple(pulled_back(ctx, operation, cotangents, ctx.needs_input_grad, _applied))

    made.register_fake(fake)
    made.register_autograd(backward, setup_context=setup_context)
    overload: Callable[..., Any] = getattr(getattr(torch.ops, NAMESPACE), operation.identifier).default
    return overload


def _applied(operation: Operation, values: Sequence[torch.Tensor]) -> Any:
    return operator(operation)(*values)


def _schema(definition: Kernel) -> str:
    inputs = ", ".join(f"Tensor {_argument(spec)}" for spec in definition.inputs)
    outputs = ", ".join("Tensor" for _ in definition.outputs)
    return f"({inputs}) -> {outputs if len(definition.outputs) == 1 else f'({outputs})'}"


def _argument(spec: Input) -> str:
    return f"{spec.name}_"  # a name of Python's that is none of the schema's: self, out
