"""Values of expressions in NumPy float64, straight from their structure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from autotune.errors import ShapeError
from autotune.lang.axes import Axis
from autotune.lang.expressions import Apply, Constant, Expr, Extent, Parameter, Read, Reduce
from autotune.lang.functions import FUNCTIONS, Array
from autotune.lang.graph import subexpressions
from autotune.lang.kernel import Kernel
from autotune.lang.traverse import factors, summands

Values: TypeAlias = dict[Expr, Array]

# NumPy's function of two numbers and what it gives of none.
_REDUCTIONS: Mapping[str, tuple[np.ufunc, float]] = {
    "max": (np.maximum, -np.inf),
    "min": (np.minimum, np.inf),
    "prod": (np.multiply, 1.0),
}


@dataclass(frozen=True)
class NamedArray:
    """An array with the axes of its dimensions."""

    axes: tuple[Axis, ...]
    array: Array


@dataclass(frozen=True)
class Arguments:
    """The arguments of a kernel as float64 arrays (rank 0 for scalars) and the extents of its dimensions."""

    arrays: Mapping[str, Array]
    extents: Mapping[str, int]

    @staticmethod
    def of(kernel: Kernel, arguments: Mapping[str, ArrayLike]) -> "Arguments":
        """Raises ShapeError where `arguments` are not those of `kernel`."""
        arrays = {name: np.asarray(argument, dtype=np.float64) for name, argument in arguments.items()}
        extents = kernel.infer_extents({name: array.shape for name, array in arrays.items()})
        for spec in kernel.inputs:
            if spec.name not in arrays:
                message = f"kernel {kernel.name}: scalar {spec} is missing; the inputs are {kernel.signature()}"
                raise ShapeError(message)
        return Arguments(arrays, extents)


def values(expr: Expr, arguments: Arguments) -> Values:
    """The value of `expr` and of all nodes that it is computed from, each over its free axes in their order.

    The body of a sum of products is no such node: NumPy's einsum takes the sum in one step, at BLAS speed.
    """
    known: Values = {}
    with np.errstate(all="ignore"):
        for node in subexpressions(expr, summands):
            known[node] = _value(node, known, arguments)
    return known


def _value(node: Expr, known: Values, arguments: Arguments) -> Array:
    match node:
        case Constant(value):
            return np.asarray(value)
        case Extent(name):
            return np.asarray(float(arguments.extents[name]))
        case Parameter(name) | Read(name):
            return arguments.arrays[name]
        case Apply(function, operands):
            return pointwise(function, [NamedArray(operand.axes, known[operand]) for operand in operands], node.axes)
        case Reduce("sum", body, _):
            parts = [NamedArray(part.axes, known[part]) for part in factors(body)]
            return contract(parts, node.axes, arguments.extents)
        case Reduce(reduction, body, bound):
            return reduced(reduction, NamedArray(body.axes, known[body]), bound)
        case _:
            message = f"no evaluation of {type(node).__name__} nodes"
            raise NotImplementedError(message)


def pointwise(function: str, operands: Sequence[NamedArray], axes: tuple[Axis, ...]) -> Array:
    """The function called `function` of operands broadcast over `axes`."""
    result = FUNCTIONS[function].evaluate(*(align(operand, axes) for operand in operands))
    return np.asarray(result, dtype=np.float64)


def align(tensor: NamedArray, axes: tuple[Axis, ...]) -> Array:
    """The tensor's array as one that broadcasts over `axes`, in their order, of length 1 where it lacks the axis."""
    present = [axis for axis in axes if axis in tensor.axes]
    ordered = tensor.array.transpose([tensor.axes.index(axis) for axis in present])
    return np.expand_dims(ordered, [position for position, axis in enumerate(axes) if axis not in tensor.axes])


def contract(parts: Sequence[NamedArray], axes: tuple[Axis, ...], extents: Mapping[str, int]) -> Array:
    """The sum over all axes but `axes` of the product of `parts`, as an array over `axes`."""
    labels = {axis: label for label, axis in enumerate(dict.fromkeys(axis for part in parts for axis in part.axes))}
    if 0 in (extents[axis.extent] for axis in labels):
        return np.zeros([extents[axis.extent] for axis in axes])
    # Factors without axes stay outside, so that a product of two tensors and a number is still a call of BLAS.
    number = prod((float(part.array) for part in parts if not part.axes), start=1.0)
    labelled = [(part.array, [labels[axis] for axis in part.axes]) for part in parts if part.axes]
    operands: list[Any] = list(chain.from_iterable(labelled))
    return np.asarray(number * np.einsum(*operands, [labels[axis] for axis in axes], optimize=True))


def reduced(reduction: str, tensor: NamedArray, bound: tuple[Axis, ...]) -> Array:
    """The largest, the smallest or the product over the axes `bound`: -inf, inf or 1 of none, NaN where any is NaN."""
    function, start = _REDUCTIONS[reduction]
    positions = tuple(tensor.axes.index(axis) for axis in bound)
    return np.asarray(function.reduce(tensor.array, axis=positions, initial=start))


def over(axes: tuple[Axis, ...], tensor: NamedArray, extents: Mapping[str, int]) -> Array:
    """The tensor as a new array over `axes`, repeated along those that it lacks."""
    return np.array(np.broadcast_to(align(tensor, axes), [extents[axis.extent] for axis in axes]), order="C")
