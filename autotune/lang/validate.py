"""What makes inputs and outputs a kernel."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from autotune.errors import DefinitionError
from autotune.lang.axes import Axis
from autotune.lang.expressions import Expr, Extent, Parameter, Read
from autotune.lang.graph import subexpressions
from autotune.lang.specs import Input, Output, ScalarSpec, TensorSpec


@contextmanager
def naming(kernel: str) -> Iterator[None]:
    """Put the kernel's name in front of the text of DefinitionErrors raised inside."""
    try:
        yield
    except DefinitionError as error:
        message = f"kernel {kernel}: {error}"
        raise DefinitionError(message).with_traceback(error.__traceback__) from None


def check_kernel(inputs: Sequence[Input], outputs: Sequence[Output]) -> None:
    """Raise DefinitionError unless names are distinct, reads fit the inputs, and every extent is known from them."""
    if len(outputs) != 1:
        message = f"{len(outputs)} outputs, but exactly one is supported yet; define one kernel for each"
        raise DefinitionError(message)
    _check_distinct([*inputs, *outputs])
    specs = {spec.name: spec for spec in inputs}
    for output in outputs:
        for node in subexpressions(output.expr):
            _check_leaf(node, specs)
        _check_known(output, specs)


def check_used(inputs: Sequence[Input], outputs: Sequence[Output]) -> None:
    """Raise DefinitionError for an input that no output reads and that gives no extent the outputs need."""
    unread = [spec for spec in inputs if spec.name not in names_read(outputs)]
    for spec in unread:
        others = {extent for other in inputs if other is not spec for extent in other.extents}
        if not (needed_extents(outputs) & set(spec.extents)) - others:
            message = f"input {spec} is not used; read it or leave it out"
            raise DefinitionError(message)


def names_read(outputs: Sequence[Output]) -> frozenset[str]:
    """Names of the tensors and scalars that the outputs' expressions read."""
    nodes = [node for output in outputs for node in subexpressions(output.expr)]
    tensors = (node.tensor for node in nodes if isinstance(node, Read))
    return frozenset([*tensors, *(node.name for node in nodes if isinstance(node, Parameter))])


def needed_extents(outputs: Sequence[Output]) -> frozenset[str]:
    """Names of the extents that must be known to compute the outputs."""
    nodes = [node for output in outputs for node in subexpressions(output.expr)]
    values = (node.name for node in nodes if isinstance(node, Extent))
    axes = (axis.extent for node in nodes for axis in node.axes)
    return frozenset([*values, *axes, *(axis.extent for output in outputs for axis in output.axes)])


def check_access(spec: TensorSpec, indices: Sequence[Axis]) -> None:
    """Raise DefinitionError unless `indices` are one axis of the right extent for each dimension of `spec`."""
    if len(indices) != len(spec.extents):
        message = (
            f"{spec} has {len(spec.extents)} dimensions but is indexed with {len(indices)}: "
            f"{spec.name}[{', '.join(map(str, indices))}]; give one axis per dimension"
        )
        raise DefinitionError(message)
    for dimension, (extent, axis) in enumerate(zip(spec.extents, indices, strict=True), start=1):
        if axis.extent != extent:
            message = (
                f"dimension {dimension} of {spec} ranges over {extent}, but axis {axis} over {axis.extent}; "
                f"use an axis over {extent}"
            )
            raise DefinitionError(message)


def _check_distinct(specs: Sequence[Input | Output]) -> None:
    names = [spec.name for spec in specs]
    for position, name in enumerate(names):
        if name in names[:position]:
            message = f"two inputs or outputs are called {name}; give one of them another name"
            raise DefinitionError(message)


def _check_leaf(node: Expr, specs: dict[str, Input]) -> None:
    match node:
        case Read(tensor, indices):
            spec = specs.get(tensor)
            if not isinstance(spec, TensorSpec):
                message = f"{node} reads {tensor}, which is not a tensor input; the inputs are {_listing(specs)}"
                raise DefinitionError(message)
            check_access(spec, indices)
        case Parameter(name) if not isinstance(specs.get(name), ScalarSpec):
            message = f"{name} is not a scalar input; the inputs are {_listing(specs)}"
            raise DefinitionError(message)
        case _:
            pass


def _check_known(output: Output, specs: dict[str, Input]) -> None:
    known = {extent for spec in specs.values() for extent in spec.extents}
    for extent in sorted(needed_extents([output]) - known):
        axes = ", ".join(axis.name for axis in output.axes if axis.extent == extent)
        place = f"extent {extent} of output axis {axes}" if axes else f"extent {extent}"
        message = f"{place} is not known: no input has it (the inputs: {_listing(specs)}); use an axis of an input"
        raise DefinitionError(message)


def _listing(specs: dict[str, Input]) -> str:
    return ", ".join(map(str, specs.values())) or "none"
