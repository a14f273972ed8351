"""Arguments to measure a workload with: the same in every process, exact in its dtype, and in its kernel's domain."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autotune.errors import IndexRangeError
from autotune.lang import Kernel, Read, Reindex, ScalarSpec, Scatter, TensorSpec, reference
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import erase

if TYPE_CHECKING:
    from autotune.schedule import Workload

Array: TypeAlias = NDArray[Any]
Arguments: TypeAlias = "dict[str, Array | float]"
Results: TypeAlias = Mapping[str, Array]
Draw: TypeAlias = "Callable[[np.random.Generator, tuple[int, ...]], Array]"

LOW, HIGH = 0.5, 1.5  # scalars, and tensors where a kernel needs positive numbers


def arguments_of(workload: "Workload") -> tuple[Arguments, Results]:
    """Inputs by name in the kernel's order, and the reference's results for them.

    Tensors are standard normal and scalars near 1. Where that gives results that are not finite, as logarithms and
    roots of negative numbers, and positive tensors give fewer of them, tensors are positive. Whole numbers are drawn
    from the valid indices where they are indices, else below the least extent.
    """
    first = _evaluated(workload, _normal)
    if not _nonfinite(first[1]):
        return first
    return min(first, _evaluated(workload, _positive), key=lambda found: _nonfinite(found[1]))


def index_limits(kernel: Kernel, extents: Mapping[str, int]) -> dict[str, int]:
    """For each integer input, the number below which its elements must stay: the least of the extents they index."""
    limits: dict[str, int] = {}
    known = kernel.complete(extents)
    for tensor, extent in _indexed(kernel):
        limits[tensor] = min(limits.get(tensor, known[extent]), known[extent])
    return limits


def _evaluated(workload: "Workload", draw: Draw) -> tuple[Arguments, Results]:
    arguments = _drawn(workload, draw)
    try:
        return arguments, reference.evaluate(workload.kernel, arguments)
    except IndexRangeError:  # an index computed in some other way: that of the first element is most likely in range
        whole = {spec.name for spec in workload.kernel.inputs if isinstance(spec, TensorSpec) and spec.integer}
        zeros = {name: np.zeros_like(value) if name in whole else value for name, value in arguments.items()}
        return zeros, reference.evaluate(workload.kernel, zeros)


def _drawn(workload: "Workload", draw: Draw) -> Arguments:
    rng = np.random.default_rng(0)
    extents = dict(workload.extents)
    limits = index_limits(workload.kernel, extents)
    least = max(1, min(extents.values(), default=1))
    arguments: Arguments = {}
    for spec in workload.kernel.inputs:
        shape = workload.shapes[spec.name]
        if isinstance(spec, ScalarSpec):
            arguments[spec.name] = float(np.dtype(workload.dtype).type(rng.uniform(LOW, HIGH)))
        elif spec.integer:
            arguments[spec.name] = np.asarray(rng.integers(max(1, limits.get(spec.name, least)), size=shape))
        else:
            arguments[spec.name] = draw(rng, shape).astype(workload.dtype)
    return arguments


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def _positive(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.uniform(LOW, HIGH, shape)


def _nonfinite(results: Results) -> int:
    return sum(int(np.count_nonzero(~np.isfinite(result))) for result in results.values())


def _indexed(kernel: Kernel) -> Iterator[tuple[str, str]]:
    """Integer inputs whose elements are indices, each with the extent of a dimension that they index."""
    specs = {spec.name: spec for spec in kernel.inputs}
    for node in subexpressions([erase(output.expr) for output in kernel.outputs]):
        extents: tuple[str, ...]
        match node:
            case Read(tensor, indices):
                extents = specs[tensor].extents
            case Reindex(_, bound, indices):
                extents = tuple(axis.extent for axis in bound)
            case Scatter(_, _, onto, indices):
                extents = tuple(axis.extent for axis in onto)
            case _:
                continue
        for index, extent in zip(indices, extents, strict=True):
            if isinstance(index, Read) and index.integer:
                yield index.tensor, extent
