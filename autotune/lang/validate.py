"""What makes inputs and outputs a kernel."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from autotune.errors import DefinitionError
from autotune.lang.affine import Affine
from autotune.lang.axes import Axis
from autotune.lang.constructs import Carry, Reindex, Scan, Scatter
from autotune.lang.expressions import Expr, Extent, Index, Parameter, Position, Read, Reduce
from autotune.lang.graph import subexpressions
from autotune.lang.shapes import unknown_extents
from autotune.lang.sizes import extents_in
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
    _check_distinct([*inputs, *outputs])
    if not outputs:
        message = "there is no output; return output[i, j](expression)"
        raise DefinitionError(message)
    specs = {spec.name: spec for spec in inputs}
    sized = sizes_of(outputs)
    for node in subexpressions([output.expr for output in outputs]):
        _check_leaf(node, specs, sized)
    _check_names(inputs, outputs)
    _check_carries(outputs)
    for output in outputs:
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
    nodes = subexpressions([output.expr for output in outputs])
    tensors = (node.tensor for node in nodes if isinstance(node, Read))
    return frozenset([*tensors, *(node.name for node in nodes if isinstance(node, Parameter))])


def all_axes(outputs: Sequence[Output]) -> tuple[Axis, ...]:
    """Every axis of the outputs and of what they are computed from, once; one with a size before one without."""
    found: dict[Axis, Axis] = {}
    for axis in _every_axis(outputs):
        if axis not in found or axis.size is not None:
            found[axis] = axis
    return tuple(found.values())


def _every_axis(outputs: Sequence[Output]) -> Iterator[Axis]:
    for output in outputs:
        yield from output.axes
    for node in subexpressions([output.expr for output in outputs]):
        yield from (*node.axes, *bound_axes(node))


def bound_axes(node: Expr) -> tuple[Axis, ...]:
    """The axes that a node binds in what it is computed from."""
    match node:
        case Reindex():
            return node.bound
        case Scatter():
            return node.over
        case Reduce():
            return node.over
        case _:
            return ()


def needed_extents(outputs: Sequence[Output]) -> frozenset[str]:
    """Names of the extents that must be known to compute the outputs."""
    nodes = subexpressions([output.expr for output in outputs])
    values = [node.name for node in nodes if isinstance(node, Extent)]
    indices = [index for node in nodes if isinstance(node, Read | Reindex | Scatter) for index in node.indices]
    values += [name for index in indices if isinstance(index, Affine) for name in index.extents]
    sizes = sizes_of(outputs)
    pending = {*values, *(axis.extent for axis in all_axes(outputs))}
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name in sizes:
            pending |= set(extents_in(sizes[name]))
        else:
            found.add(name)
    return frozenset(found)


def sizes_of(outputs: Sequence[Output]) -> dict[str, Expr]:
    """The extents that are given by a size, and their sizes, those that a size rests on before it.

    Raises DefinitionError where an extent has two sizes, or a size rests on itself.
    """
    sizes: dict[str, Expr] = {}
    for axis in _every_axis(outputs):
        if axis.size is not None and sizes.setdefault(axis.extent, axis.size) != axis.size:
            message = (
                f"axis {axis} is used over two extents, {sizes[axis.extent]} and {axis.size}; give one another name"
            )
            raise DefinitionError(message)
    ordered: dict[str, Expr] = {}
    while len(ordered) < len(sizes):
        ready = [name for name in sizes if name not in ordered and not _resting(sizes, name) - set(ordered)]
        if not ready:
            name = next(name for name in sizes if name not in ordered)
            message = (
                f"axis {name} has {sizes[name]} indices, a number that rests on itself; give the axis another name"
            )
            raise DefinitionError(message)
        ordered |= {name: sizes[name] for name in ready}
    return ordered


def _resting(sizes: Mapping[str, Expr], name: str) -> set[str]:
    """The extents with sizes that the size of `name` is computed from."""
    return set(extents_in(sizes[name])) & set(sizes)


def check_access(spec: TensorSpec, indices: Sequence[Index], *, padded: bool, sized: Collection[str] = ()) -> None:
    """Raise DefinitionError unless there is one index for each extent of `spec`, an axis being over this extent.

    A padded tensor may be read along any axis, and any tensor along one of a size of its own, or of a `sized` extent.
    """
    if len(indices) != len(spec.extents):
        message = (
            f"{spec} has {len(spec.extents)} dimensions but is indexed with {len(indices)}: "
            f"{spec.name}[{', '.join(map(str, indices))}]; give one index per dimension"
        )
        raise DefinitionError(message)
    if not padded:
        check_axes(str(spec), spec.extents, indices, sized)


def check_axes(owner: str, extents: Sequence[str], indices: Sequence[Index], sized: Collection[str] = ()) -> None:
    """Raise DefinitionError where an index is an axis over another extent than that of the dimension it indexes."""
    for dimension, (extent, axis) in enumerate(zip(extents, indices, strict=True), start=1):
        if not isinstance(axis, Axis) or axis.size is not None or axis.extent in (extent, *sized):
            continue
        message = (
            f"dimension {dimension} of {owner} ranges over {extent}, but axis {axis} over {axis.extent}; "
            f"use an axis over {extent}, or say what is outside: .pad(0)[…]"
        )
        raise DefinitionError(message)


def _check_distinct(specs: Sequence[Input | Output]) -> None:
    names = [spec.name for spec in specs]
    for position, name in enumerate(names):
        if name in names[:position]:
            message = f"two inputs or outputs are called {name}; give one of them another name"
            raise DefinitionError(message)


def _check_leaf(node: Expr, specs: dict[str, Input], sized: Collection[str]) -> None:
    match node:
        case Read(tensor, indices, pad, integer):
            spec = specs.get(tensor)
            if not isinstance(spec, TensorSpec) or spec.integer != integer:
                kind = "a tensor input of whole numbers" if integer else "a tensor input"
                message = f"{node!r} reads {tensor}, which is not {kind}; the inputs are {_listing(specs)}"
                raise DefinitionError(message)
            check_access(spec, indices, padded=pad is not None, sized=sized)
        case Parameter(name) if not isinstance(specs.get(name), ScalarSpec):
            message = f"{name} is not a scalar input; the inputs are {_listing(specs)}"
            raise DefinitionError(message)
        case _:
            pass


def _check_names(inputs: Sequence[Input], outputs: Sequence[Output]) -> None:
    """Raise DefinitionError where a scalar has the name of an axis or a carried value that is a value too."""
    scalars = {spec.name for spec in inputs if isinstance(spec, ScalarSpec)}
    for node in subexpressions([output.expr for output in outputs]):
        match node:
            case Carry(name) if name in scalars:
                message = f"a scan carries {name}, which is the name of an input; rename the parameter of its step"
                raise DefinitionError(message)
            case Position(axis) if axis.name in scalars:
                message = f"axis {axis} is used as a value, but {axis} is the name of an input; rename one of them"
                raise DefinitionError(message)
            case _:
                pass


def _check_carries(outputs: Sequence[Output]) -> None:
    """Raise DefinitionError for a carried value outside its scan, or where a step couples the lanes of one."""
    free: dict[Expr, frozenset[str]] = {}
    for node in subexpressions([output.expr for output in outputs]):
        below = frozenset[str]().union(*(free[child] for child in node.children))
        match node:
            case Carry(name):
                free[node] = frozenset([name])
            case Scan() if below - {carry.name for carry in node.carries}:
                inner = ", ".join(sorted(below - {carry.name for carry in node.carries}))
                message = (
                    f"a scan over {node.axis} depends on {inner}, which another scan around it carries; carry both in "
                    f"one scan, or compute the inner one from the outer one's result"
                )
                raise DefinitionError(message)
            case Scan():
                free[node] = frozenset()
            case Reduce() | Reindex() | Scatter() if below:
                message = (
                    f"{node!r} combines the carried value {', '.join(sorted(below))} of a scan along an axis; the "
                    f"steps of a scan are pointwise in what they carry as yet"
                )
                raise DefinitionError(message)
            case _:
                free[node] = below
    for output in outputs:
        if free[output.expr]:
            message = f"{', '.join(sorted(free[output.expr]))} is carried by a scan and cannot be used outside its step"
            raise DefinitionError(message)


def _check_known(output: Output, specs: dict[str, Input]) -> None:
    inputs = list(specs.values())
    unknown = unknown_extents(inputs)
    if unknown:
        extent = min(unknown)
        products = ", ".join(str(spec) for spec in inputs if extent in spec.extents)
        message = f"extent {extent} cannot be told from the shape of {products}; let an input have it as a dimension"
        raise DefinitionError(message)
    known = {extent for spec in inputs for extent in spec.extents}
    for extent in sorted(needed_extents([output]) - known):
        axes = ", ".join(axis.name for axis in output.axes if axis.extent == extent)
        place = f"extent {extent} of output axis {axes}" if axes else f"extent {extent}"
        message = f"{place} is not known: no input has it (the inputs: {_listing(specs)}); use an axis of an input"
        raise DefinitionError(message)


def _listing(specs: dict[str, Input]) -> str:
    return ", ".join(map(str, specs.values())) or "none"
