"""Kernels from Python functions: annotations say what the inputs are, the body says what is computed."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVarTuple

from autotune.errors import DefinitionError
from autotune.lang.axes import Axis, own_axes
from autotune.lang.expressions import Arithmetic, Expr, Operand, Parameter, Read, as_expr, check_indices
from autotune.lang.kernel import Kernel
from autotune.lang.specs import Input, Output, ScalarSpec, TensorSpec
from autotune.lang.validate import check_access, naming

Dimensions = TypeVarTuple("Dimensions")

Scalar: TypeAlias = Parameter
"""Annotates a scalar input, which the body gets as a Parameter."""


@dataclass(frozen=True)
class TensorAnnotation:
    """What `Tensor["m", "k"]` evaluates to: the names of the extents."""

    extents: tuple[str, ...]


class Tensor(Arithmetic, Generic[*Dimensions]):
    """A tensor input: `Tensor["m", "k"]` annotates it, and the body indexes it with axes to read it."""

    def __init__(self, spec: TensorSpec, axes: tuple[Axis, ...]) -> None:
        self.spec = spec
        self.axes = axes

    def __class_getitem__(cls, extents: str | tuple[str, ...]) -> TensorAnnotation:
        return TensorAnnotation(extents if isinstance(extents, tuple) else (extents,))

    def __getitem__(self, indices: Axis | tuple[Axis, ...]) -> Read:
        indices = indices if isinstance(indices, tuple) else (indices,)
        check_indices(self.spec.name, indices)
        check_access(self.spec, indices)
        return Read(self.spec.name, indices)

    def as_expr(self) -> Expr:
        """Raises DefinitionError: a tensor is read at indices."""
        own = ", ".join(axis.name for axis in self.axes)
        message = f"tensor {self.spec} stands without indices; read it at axes: {self.spec.name}[{own}]"
        raise DefinitionError(message)


AnyTensor: TypeAlias = "Tensor[*tuple[Any, ...]]"


def axes(tensor: AnyTensor) -> tuple[Axis, ...]:
    """One axis per dimension of `tensor`, named after its extent; a repeated extent gives n, n_2, …"""
    return tensor.axes


@dataclass(frozen=True)
class Declaration:
    """`output[i, j]`, still without the expression that it is called with."""

    axes: tuple[Axis, ...]

    def __call__(self, expr: Operand, *, name: str = "out") -> Output:
        """The output called `name`: `expr`, or a number, at every index."""
        return Output(name, self.axes, as_expr(expr))


class OutputFactory:
    """`output[i, j](expr)` declares the kernel's output: `expr` at every i, j."""

    def __getitem__(self, indices: Axis | tuple[Axis, ...]) -> Declaration:
        indices = indices if isinstance(indices, tuple) else (indices,)
        check_indices("output", indices)
        return Declaration(indices)


output = OutputFactory()


def define(function: Callable[..., Output], name: str | None = None) -> Kernel:
    """The kernel that `function` describes, named like the function unless `name` is given.

    Every parameter is annotated `Tensor["m", "k"]` (names of the extents) or `Scalar`; the function is run once, with
    a handle for each, and returns `output[i, j](expr)`. Raises DefinitionError naming the kernel and what is wrong.
    """
    name = name or function.__name__
    with naming(name):
        inputs = _inputs(function)
        handles = _handles(inputs)
        result: object = function(**handles)
        if not isinstance(result, Output):
            message = f"the function returned {result!r} ({type(result).__name__}); return output[i, j](expression)"
            raise DefinitionError(message)
    return Kernel(name, inputs, (result,), doc=inspect.getdoc(function) or "")


def _inputs(function: Callable[..., Output]) -> tuple[Input, ...]:
    try:
        annotations = inspect.get_annotations(function, eval_str=True)
    except Exception as error:
        message = f"the annotations cannot be evaluated ({error}); import Tensor and Scalar at module level"
        raise DefinitionError(message) from error
    return tuple(_input(parameter, annotations) for parameter in inspect.signature(function).parameters)


def _input(parameter: str, annotations: Mapping[str, object]) -> Input:
    annotation = annotations.get(parameter)
    if isinstance(annotation, TensorAnnotation):
        return TensorSpec(parameter, annotation.extents)
    if annotation is Scalar:
        return ScalarSpec(parameter)
    found = "has no annotation" if parameter not in annotations else f"is annotated {annotation!r}"
    message = f'parameter {parameter} {found}; annotate it Tensor["m", "k"] (the names of its extents) or Scalar'
    raise DefinitionError(message)


def _handles(inputs: tuple[Input, ...]) -> dict[str, "AnyTensor | Parameter"]:
    reserved = {extent: extent for spec in inputs for extent in spec.extents}
    return {spec.name: _handle(spec, reserved) for spec in inputs}


def _handle(spec: Input, reserved: Mapping[str, str]) -> "AnyTensor | Parameter":
    return Parameter(spec.name) if isinstance(spec, ScalarSpec) else Tensor(spec, own_axes(spec.extents, reserved))
