"""Kernels from Python functions: annotations say what the inputs are, the body says what is computed."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeAlias, TypeVarTuple

from autotune.errors import DefinitionError
from autotune.lang.arithmetic import Arithmetic, Operand
from autotune.lang.axes import Axis, own_axes
from autotune.lang.constructs import Reindex
from autotune.lang.expressions import Expr, Parameter, Read, as_expr
from autotune.lang.indexing import as_indices, counts
from autotune.lang.kernel import Kernel, Option
from autotune.lang.specs import Input, Output, ScalarSpec, TensorSpec
from autotune.lang.validate import check_access, check_axes, naming

Dimensions = TypeVarTuple("Dimensions")

Scalar: TypeAlias = Parameter
"""Annotates a scalar input, which the body gets as a Parameter."""


@dataclass(frozen=True)
class TensorAnnotation:
    """What `Tensor["m", "k"]` evaluates to: the names of the extents, and whether the elements are whole numbers."""

    extents: tuple[str, ...]
    integer: bool = False
    groups: tuple[int, ...] = ()

    @staticmethod
    def of(written: object, *, integer: bool = False) -> "TensorAnnotation":
        """From what stands in brackets: names of extents, or products of them ("g*c")."""
        dimensions: tuple[Any, ...] = written if isinstance(written, tuple) else (written,)
        groups = [
            # What is no name is refused with the kernel's own when it is defined.
            [extent.strip() for extent in dimension.split("*")] if isinstance(dimension, str) else [dimension]
            for dimension in dimensions
        ]
        return TensorAnnotation(tuple(chain.from_iterable(groups)), integer, tuple(map(len, groups)))


class Tensor(Arithmetic, Generic[*Dimensions]):
    """A tensor input: `Tensor["m", "k"]` annotates it, and the body indexes it with axes to read it."""

    def __init__(self, spec: TensorSpec, axes: tuple[Axis, ...]) -> None:
        self.spec = spec
        self.axes = axes

    def __class_getitem__(cls, extents: str | tuple[str, ...]) -> TensorAnnotation:
        return TensorAnnotation.of(extents)

    def __getitem__(self, indices: object) -> Read:
        return self._read(indices, None)

    def __iter__(self) -> Iterator[Expr]:
        message = f"tensor {self.spec} cannot be looped over; index it with axes, and reduce with sum(…, over=…)"
        raise DefinitionError(message)

    def __str__(self) -> str:
        return str(self.spec)

    def __repr__(self) -> str:
        return f"tensor {self}"

    def pad(self, value: float) -> "Padded":
        """The tensor with `value` everywhere around it: `x.pad(0)[i - 1]` reads 0 before the first element."""
        return Padded(lambda indices: self._read(indices, value))

    def _read(self, written: object, pad: float | None) -> Read:
        indices = as_indices(self.spec.name, written)
        check_access(self.spec, indices, padded=pad is not None)
        return Read(self.spec.name, indices, pad, self.spec.integer)

    def as_expr(self) -> Expr:
        """Raises DefinitionError: a tensor is read at indices."""
        own = ", ".join(axis.name for axis in self.axes)
        message = f"tensor {self.spec} stands without indices; read it at axes: {self.spec.name}[{own}]"
        raise DefinitionError(message)


class Integers(Tensor, Generic[*Dimensions]):  # type: ignore[type-arg]  # Tensor[…] is an annotation, not a type
    """A tensor of whole numbers (int64): `Integers["t"]` annotates it. Its elements may be indices; no gradient."""

    def __class_getitem__(cls, extents: str | tuple[str, ...]) -> TensorAnnotation:
        return TensorAnnotation.of(extents, integer=True)


@dataclass(frozen=True)
class Padded:
    """Something that may be read outside its bounds, by indexing it."""

    read: Callable[[object], Expr]

    def __getitem__(self, indices: object) -> Expr:
        return self.read(indices)


AnyTensor: TypeAlias = "Tensor[*tuple[Any, ...]]"


def axes(tensor: AnyTensor) -> tuple[Axis, ...]:
    """One axis per dimension of `tensor`, named after its extent; a repeated extent gives n, n_2, …"""
    return tensor.axes


@dataclass(frozen=True)
class Intermediate:
    """A named intermediate, made by `let[i, j](expression)`: `t[i + 1, j]` reads it at other indices."""

    axes: tuple[Axis, ...]
    expr: Expr

    def __iter__(self) -> Iterator[Expr]:
        message = "an intermediate cannot be looped over; index it with axes, and reduce with sum(…, over=…)"
        raise DefinitionError(message)

    def __getitem__(self, indices: object) -> Expr:
        return self._read(indices, None)

    def pad(self, value: float) -> Padded:
        """The intermediate with `value` everywhere around it."""
        return Padded(lambda indices: self._read(indices, value))

    def _read(self, written: object, pad: float | None) -> Expr:
        indices = as_indices("the intermediate", written)
        if len(indices) != len(self.axes):
            listing = ", ".join(map(str, self.axes))
            message = f"the intermediate {self.expr!r} has the axes {listing}, but is read at {len(indices)} indices"
            raise DefinitionError(message)
        if pad is None:
            check_axes("the intermediate", [axis.extent for axis in self.axes], indices)
        return self.expr if indices == self.axes else Reindex(self.expr, self.axes, indices, pad)


class IntermediateFactory:
    """`let[i, j](expr)` names an intermediate over i and j, to be read at shifted indices."""

    def __getitem__(self, axes: Axis | tuple[Axis, ...]) -> Callable[[Operand], Intermediate]:
        bound = _plain_axes("let", axes)

        def declare(expr: Operand) -> Intermediate:
            node = as_expr(expr)
            missing = [axis for axis in bound if axis not in node.axes]
            if missing:
                message = f"let[{', '.join(map(str, bound))}]: {node!r} has no axis {missing[0]}; leave it out"
                raise DefinitionError(message)
            return Intermediate(bound, node)

        return declare


let = IntermediateFactory()


@dataclass(frozen=True)
class Declaration:
    """`output[i, j]`, still without the expression that it is called with."""

    axes: tuple[Axis, ...]
    groups: tuple[int, ...]

    def __call__(self, expr: Operand, *, name: str = "out") -> Output:
        """The output called `name`: `expr`, or a number, at every index."""
        node = as_expr(expr)
        return Output(name, self.axes, node, counts(node), self.groups)


class OutputFactory:
    """`output[i, j](expr)` declares an output of the kernel: `expr` at every i, j.

    Axes in parentheses, `output[n, (g, k)]`, make one dimension of the caller's array, outermost first.
    """

    def __getitem__(self, indices: "Axis | tuple[Axis | tuple[Axis, ...], ...]") -> Declaration:
        written = indices if isinstance(indices, tuple) else (indices,)
        groups = [group if isinstance(group, tuple) and group else (group,) for group in written]
        return Declaration(_plain_axes("output", tuple(chain.from_iterable(groups))), tuple(map(len, groups)))


output = OutputFactory()


def _plain_axes(name: str, written: object) -> tuple[Axis, ...]:
    axes: tuple[object, ...] = written if isinstance(written, tuple) else (written,)
    for position, axis in enumerate(axes, start=1):
        if not isinstance(axis, Axis):
            message = f"index {position} of {name} is {axis!r}, not an axis; {name} takes axes, each once"
            raise DefinitionError(message)
    return tuple(axis for axis in axes if isinstance(axis, Axis))


Function: TypeAlias = "Callable[..., Output | tuple[Output, ...]]"


def define(function: Function, name: str | None = None, options: Mapping[str, Option] | None = None) -> Kernel:
    """The kernel that `function` describes, named like the function unless `name` is given.

    Every parameter is annotated `Tensor["m", "k"]` (names of the extents), `Integers["t"]` or `Scalar`, but for those
    that can be given by keyword only: these are options, structural constants such as a stride, whose values are in
    `options` or else their defaults. The function is run once, with a handle for each input, and returns
    `output[i, j](expr)`, or several of these. Raises DefinitionError naming the kernel and what is wrong.
    """
    name = name or function.__name__
    with naming(name):
        chosen = _options(function, options or {})
        inputs = inputs_of(function)
        result: object = function(**_handles(inputs), **chosen)
        outputs = result if isinstance(result, tuple) and result else (result,)
        for output in outputs:
            if not isinstance(output, Output):
                message = f"the function returned {output!r} ({type(output).__name__}); return output[i, j](expression)"
                raise DefinitionError(message)
    doc = inspect.getdoc(function) or ""
    return Kernel(name, inputs, outputs, doc=doc, options=tuple(chosen.items()))


def _options(function: Function, given: Mapping[str, Option]) -> dict[str, Option]:
    """The structural constants, those given before the defaults."""
    parameters = inspect.signature(function).parameters.values()
    known = {parameter.name: parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    for name in given:
        if name not in known:
            message = f"there is no option {name!r}; the options are {', '.join(known) or 'none'}"
            raise DefinitionError(message)
    missing = [name for name, option in known.items() if option.default is option.empty and name not in given]
    if missing:
        message = f"option {missing[0]} has no default; give it a value"
        raise DefinitionError(message)
    return {name: _option(name, given.get(name, option.default)) for name, option in known.items()}


def _option(name: str, value: object) -> Option:
    if not isinstance(value, bool | int | float):
        message = f"option {name} must be a number or a truth value, not {value!r}"
        raise DefinitionError(message)
    return value


def inputs_of(function: "Callable[..., Any]") -> tuple[Input, ...]:
    """What a function's annotated parameters say its inputs are; raises DefinitionError."""
    try:
        annotations = inspect.get_annotations(function, eval_str=True)
    except Exception as error:
        message = f"the annotations cannot be evaluated ({error}); import Tensor and Scalar at module level"
        raise DefinitionError(message) from error
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            message = f"{parameter} stands for any number of inputs; name each of them"
            raise DefinitionError(message)
    return tuple(_input(p.name, annotations) for p in parameters if p.kind is not p.KEYWORD_ONLY)


def _input(parameter: str, annotations: Mapping[str, object]) -> Input:
    annotation = annotations.get(parameter)
    if isinstance(annotation, TensorAnnotation):
        return TensorSpec(parameter, annotation.extents, annotation.integer, annotation.groups)
    if annotation is Scalar:
        return ScalarSpec(parameter)
    found = "has no annotation" if parameter not in annotations else f"is annotated {annotation!r}"
    message = (
        f'parameter {parameter} {found}; annotate it Tensor["m", "k"] (the names of its extents), Integers or Scalar'
    )
    raise DefinitionError(message)


def _handles(inputs: tuple[Input, ...]) -> dict[str, "AnyTensor | Parameter"]:
    reserved = {extent: extent for spec in inputs for extent in spec.extents}
    return {spec.name: _handle(spec, reserved) for spec in inputs}


def _handle(spec: Input, reserved: Mapping[str, str]) -> "AnyTensor | Parameter":
    return Parameter(spec.name) if isinstance(spec, ScalarSpec) else Tensor(spec, own_axes(spec.extents, reserved))
