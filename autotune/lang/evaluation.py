"""Values of expressions in NumPy float64, straight from their structure.

Whole numbers stay int64 where `indexing.is_integer` says that an expression is of that kind. Where an argument is
complex, what depends on it is: derivatives of smooth kernels can be had by a complex step.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from autotune.errors import DtypeError, ShapeError
from autotune.lang.accesses import Source, Space, read, scatter
from autotune.lang.arrays import NamedArray, align, contract, over, pointwise, real, reduced
from autotune.lang.axes import Axis
from autotune.lang.computed import Computed
from autotune.lang.constructs import Reindex, Scan, Scatter
from autotune.lang.expressions import Apply, Constant, Expr, Extent, Parameter, Position, Read, Reduce, computed
from autotune.lang.functions import Numbers
from autotune.lang.graph import subexpressions
from autotune.lang.indexing import is_integer
from autotune.lang.kernel import Kernel
from autotune.lang.specs import TensorSpec
from autotune.lang.traverse import factors, scan_inputs, step_nodes, summands

Values: TypeAlias = dict[Expr, Numbers]


@dataclass(frozen=True)
class Arguments:
    """The arguments of a kernel (rank 0 for scalars) and all extents.

    Floating-point ones are float64 or complex128, whole numbers int64.
    """

    arrays: Mapping[str, Numbers]
    space: Space

    @staticmethod
    def of(kernel: Kernel, arguments: Mapping[str, ArrayLike]) -> "Arguments":
        """Raises ShapeError or DtypeError where `arguments` are not those of `kernel`."""
        arrays = {name: np.asarray(argument) for name, argument in arguments.items()}
        extents = kernel.infer_extents({name: array.shape for name, array in arrays.items()}, split=True)
        for spec in kernel.inputs:
            if spec.name not in arrays:
                message = f"kernel {kernel.name}: scalar {spec} is missing; the inputs are {kernel.signature()}"
                raise ShapeError(message)
            whole = isinstance(spec, TensorSpec) and spec.integer
            arrays[spec.name] = _whole(kernel, spec.name, arrays[spec.name]) if whole else _real(arrays[spec.name])
        return Arguments(arrays, Space(kernel.name, kernel.complete(extents)))


def _real(array: Numbers) -> Numbers:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64, copy=False)


def _whole(kernel: Kernel, name: str, array: Numbers) -> Numbers:
    if array.dtype.kind not in "iub" and array.size:
        message = f"kernel {kernel.name}: {name} holds whole numbers, but has dtype {array.dtype}; give it int64"
        raise DtypeError(message)
    return array.astype(np.int64, copy=False)


def values(roots: Expr | Sequence[Expr], arguments: Arguments) -> Values:
    """The values of `roots` and of all nodes that they are computed from, each over its free axes in their order.

    The body of a sum of products is no such node: NumPy's einsum takes the sum in one step, at BLAS speed. Nor is a
    part of a scan's steps that depends on what it carries: it has another value at each step.
    """
    known: Values = {}
    with np.errstate(all="ignore"):
        for node in subexpressions(roots, evaluated):
            if isinstance(node, Scan):
                if node not in known:
                    for which, array in enumerate(scanned(node, known, arguments)):
                        known[node.result(which)] = array
            elif isinstance(node, Computed):
                if node not in known:
                    given = [known[operand] for operand in node.operands]
                    for which, array in enumerate(node.evaluate(given, arguments.space)):
                        known[node.result(which)] = array
            else:
                known[node] = value(node, known, arguments, arguments.space)
    return known


def evaluated(node: Expr) -> tuple[Expr, ...]:
    """The nodes whose values that of `node` is computed from."""
    match node:
        case Scan():
            return scan_inputs(node)
        case Scatter(body, _, _, indices):
            return (*factors(body), *computed(indices))
        case _:
            return summands(node)


def value(node: Expr, known: Values, arguments: Arguments, space: Space) -> Numbers:
    """The value of a node that is no scan, from those it is computed from, over its axes that are not fixed."""
    match node:
        case Constant(number):
            return np.asarray(int(number) if is_integer(node) else number)
        case Extent(name):
            return np.asarray(space.extents[name], dtype=np.int64)
        case Position(axis):
            return space.positions(axis)
        case Parameter(name):
            return arguments.arrays[name]
        case Read(tensor, indices, pad):
            return read(Source(tensor, arguments.arrays[tensor], pad), indices, node.axes, space, known)
        case Apply(function, operands):
            parts = [named(operand, known, space) for operand in operands]
            return pointwise(function, parts, space.free(node.axes))
        case Reduce("sum", body, _):
            parts = [named(part, known, space) for part in factors(body)]
            return contract(parts, space.free(node.axes), space.sizes(body.axes))
        case Reduce(reduction, body, bound):
            return reduced(reduction, named(body, known, space), bound)
        case Reindex():
            return reindexed(node, known[node.body], known, space, node.pad)
        case Scatter(body):
            return scatter(node, [named(part, known, space) for part in factors(body)], space, known)
        case _:
            message = f"no evaluation of {type(node).__name__} nodes"
            raise NotImplementedError(message)


def named(node: Expr, known: Values, space: Space) -> NamedArray:
    """The value of a node with its axes."""
    return NamedArray(space.free(node.axes), known[node])


def reindexed(node: Reindex, body: Numbers, known: Values, space: Space, pad: float | None) -> Numbers:
    """An array over the axes of the body of `node`, read at its indices; `pad` is outside."""
    kept = tuple(axis for axis in space.free(node.body.axes) if axis not in node.bound)
    dimensions = (*kept, *node.bound)
    array = real(over(dimensions, NamedArray(space.free(node.body.axes), body), space.shape(dimensions)))
    source = Source(node.body, array, pad)
    return read(source, (*kept, *node.indices), node.axes, space, known)


@dataclass(frozen=True)
class Step:
    """One step of a scan: the index of its axis, and the values of all that its steps are computed from."""

    index: int
    space: Space
    known: Values


def scanned(scan: Scan, known: Values, arguments: Arguments) -> tuple[Numbers, ...]:
    """All carried values of the recurrence after each of its steps, over its free axes."""
    shape = arguments.space.shape(scan.axes)
    dtype = np.result_type(np.float64, *(known[node].dtype for node in scan_inputs(scan)))
    results = tuple(np.empty(shape, dtype) for _ in scan.steps)
    for step in steps_of(scan, known, arguments):
        for result, after in zip(results, carried(scan, scan.steps, step.known, step.space), strict=True):
            result[..., step.index] = after
    return results


def steps_of(scan: Scan, known: Values, arguments: Arguments) -> Iterator[Step]:
    """The steps of a scan in their order."""
    length = arguments.space.extents[scan.axis.extent]
    outside = {node: _along(scan.axis, node, known[node]) for node in scan_inputs(scan)}
    inner = [node for node in step_nodes(scan) if node not in scan.carries]
    before = carried(scan, scan.starts, known, arguments.space)
    for index in reversed(range(length)) if scan.reverse else range(length):
        space = arguments.space.at(scan.axis, index)
        frame: Values = {node: array[index] if scan.axis in node.axes else array for node, array in outside.items()}
        for carry, array in zip(scan.carries, before, strict=True):
            frame[carry] = align(NamedArray(scan.lanes, array), carry.lanes)
        for node in inner:
            frame[node] = value(node, frame, arguments, space)
        yield Step(index, space, frame)
        before = carried(scan, scan.steps, frame, space)


def carried(scan: Scan, nodes: Sequence[Expr], known: Values, space: Space) -> tuple[Numbers, ...]:
    """The values of starts or steps of a scan, each over all of its lanes."""
    shape = space.shape(scan.lanes)
    return tuple(real(over(scan.lanes, named(node, known, space), shape)) for node in nodes)


def _along(axis: Axis, node: Expr, array: Numbers) -> Numbers:
    """The array with `axis`, if it has it, as its first dimension."""
    return np.ascontiguousarray(np.moveaxis(array, node.axes.index(axis), 0)) if axis in node.axes else array
