"""Arguments to measure a workload with: the same in every process, exact in its dtype, and in its kernel's domain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autotune.errors import IndexRangeError, ShapeError
from autotune.lang import Kernel, Read, Reindex, ScalarSpec, Scatter, TensorSpec, reference
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import erase

if TYPE_CHECKING:
    from autotune.schedule import Workload

Array: TypeAlias = NDArray[Any]
Arguments: TypeAlias = dict[str, Array | float]

SMALL_BYTES, SMALL_FLOPS = 1 << 18, 1 << 24  # of a workload whose reference takes no time
LOOSEST = 1e-2  # the largest error bound, relative to the largest result, with which a result still tells something


@dataclass(frozen=True)
class Case:
    """Inputs by name in the kernel's order, the reference's results for them, and how far others may be from these."""

    arguments: Arguments
    expected: Mapping[str, Array]
    bound: Mapping[str, Array]

    def unusable(self, dtype: str) -> int:
        """How many results tell nothing: those that are not finite in `dtype`, or that rounding alone may change."""
        return sum(_unusable(result, self.bound[name], dtype) for name, result in self.expected.items())

    def finite(self, dtype: str) -> bool:
        """Whether all results are finite in `dtype`."""
        return all(bool((np.abs(result) <= np.finfo(dtype).max).all()) for result in self.expected.values())


def case_of(workload: "Workload") -> Case:
    """What a workload is measured and verified with.

    Tensors are standard normal and scalars near 1. Where that gives results that tell nothing, as logarithms of
    negative numbers do, or recurrences that grow without bound, tensors are positive: near 1, or else near 0.1,
    whichever gives the fewest of them. Whole numbers are drawn from the valid indices where they are indices, else
    below the least extent. Of a large workload, a smaller one says which numbers are worth a try: a bound of 8 million
    gradients of a layer norm takes 3 s (Zen 3).
    """
    if (given := workload.kernel.draw(np.random.default_rng(0), dict(workload.extents))) is not None:
        return _given(workload, given)
    smaller = _smaller(workload)
    draws = DRAWS if smaller == workload else _by_use(smaller)
    cases = []
    for draw in draws:
        case = _case(workload, draw)
        cases.append(case)
        if not case.unusable(workload.dtype) or (draws is not DRAWS and case.finite(workload.dtype)):
            return case
    return min(cases, key=lambda case: case.unusable(workload.dtype))


def _smaller(workload: "Workload") -> "Workload":
    """The workload with its largest extents halved until it is small; as it is where that cannot be."""
    small = workload
    while small.bytes > SMALL_BYTES or small.flops > SMALL_FLOPS:
        extents = dict(small.extents)
        largest = max(extents, key=extents.__getitem__)
        try:
            small = replace(small, extents=tuple((extents | {largest: extents[largest] // 2}).items()))
        except ShapeError:  # the extents do not fit together any more
            return workload
    return small


def _by_use(workload: "Workload") -> Sequence["_Draw"]:
    """The draws, those that give the fewest results that tell nothing first."""
    return sorted(DRAWS, key=lambda draw: _case(workload, draw).unusable(workload.dtype))


def index_limits(kernel: Kernel, extents: Mapping[str, int]) -> dict[str, int]:
    """For each integer input that is an index, the number below which its elements must stay."""
    limits: dict[str, int] = {}
    known = kernel.complete(extents)
    for tensor, extent in _indexed(kernel):
        limits[tensor] = min(limits.get(tensor, known[extent]), known[extent])
    return limits


class _Draw(Protocol):
    def __call__(self, rng: np.random.Generator, /, *, size: tuple[int, ...]) -> Any: ...


def _uniform(low: float, high: float) -> _Draw:
    return partial(_between, low, high)


def _between(low: float, high: float, rng: np.random.Generator, *, size: tuple[int, ...]) -> Array:
    return rng.uniform(low, high, size)


DRAWS: Sequence[_Draw] = (np.random.Generator.standard_normal, _uniform(0.5, 1.5), _uniform(0.05, 0.15))


def _given(workload: "Workload", given: Mapping[str, ArrayLike]) -> Case:
    """What the kernel's own definition draws, in the dtype of the workload."""
    kernel = workload.kernel
    arguments: Arguments = {}
    for spec in kernel.inputs:
        if isinstance(spec, ScalarSpec):
            arguments[spec.name] = float(np.dtype(workload.dtype).type(given[spec.name]))
        else:
            dtype = np.int64 if spec.integer else workload.dtype
            arguments[spec.name] = np.ascontiguousarray(given[spec.name], dtype=dtype)
    expected = reference.evaluate(kernel, arguments)
    return Case(arguments, expected, reference.error_bound(kernel, arguments, workload.dtype))


def _case(workload: "Workload", draw: _Draw) -> Case:
    kernel, arguments = workload.kernel, _drawn(workload, draw)
    try:
        expected = reference.evaluate(kernel, arguments)
    except IndexRangeError:  # an index computed in some other way: that of the first element is most likely in range
        whole = {spec.name for spec in kernel.inputs if isinstance(spec, TensorSpec) and spec.integer}
        arguments = {name: np.zeros_like(value) if name in whole else value for name, value in arguments.items()}
        expected = reference.evaluate(kernel, arguments)
    return Case(arguments, expected, reference.error_bound(kernel, arguments, workload.dtype))


def _drawn(workload: "Workload", draw: _Draw) -> Arguments:
    rng = np.random.default_rng(0)
    extents = dict(workload.extents)
    limits = index_limits(workload.kernel, extents)
    least = min(extents.values(), default=1)
    arguments: Arguments = {}
    for spec in workload.kernel.inputs:
        shape = workload.shapes[spec.name]
        if isinstance(spec, ScalarSpec):
            arguments[spec.name] = float(np.dtype(workload.dtype).type(rng.uniform(0.5, 1.5)))
        elif spec.integer:
            limit = max(1, limits.get(spec.name, least))
            arguments[spec.name] = np.asarray(rng.integers(limit, size=shape), dtype=np.int64)
        else:
            arguments[spec.name] = np.asarray(draw(rng, size=shape), dtype=workload.dtype)
    return arguments


def _unusable(result: Array, bound: Array, dtype: str) -> int:
    limits = np.finfo(dtype)
    size = np.abs(result.astype(np.float64))
    fine = size <= limits.max
    largest = size[fine].max(initial=limits.smallest_normal)
    return int(np.count_nonzero(~(fine & (bound <= LOOSEST * largest))))


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
