"""One stage of a workload as contractions see it: which axes run as one, and how far each group of axes reaches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from autotune.lang import Axis, Read
from autotune.schedule import Stage, Workload
from autotune.templates.contraction_form import Contraction, contraction_of, runs_of

NOT_BLOCKED: Mapping[Axis, int] = MappingProxyType({})


@dataclass(frozen=True)
class Problem:
    """One stage as the template sees it: its normal form and how far each group reaches."""

    stage: Stage
    contraction: Contraction
    extents: dict[str, int]
    """Elements along each axis after fusing, by axis name."""
    itemsize: int
    threads: int

    @property
    def tiled(self) -> bool:
        """Whether there are register tiles at all: not for a single number, nor where nothing is summed."""
        return bool(self.stage.axes and self.stage.factors) and self.stage.reduction == "sum"

    def extent(self, group: str) -> int:
        """Elements along the blocked axis of a group; 1 for a group without axes."""
        axes = self.contraction.groups.get(group)
        return self.extents[axes[-1].name] if axes else 1


def walked(stage: Stage, contraction: Contraction) -> tuple[Read, ...]:
    """The tensors that code walks through with one stride an axis: all but those gathered place by place."""
    apart = {*contraction.left, *contraction.right} if contraction.gathered else set()
    return tuple(read for read in stage.reads if read not in apart)


def fusible(reads: Iterable[Read], outer: Axis, inner: Axis) -> bool:
    """Whether `outer` directly encloses `inner` in every tensor that has either.

    A dense tensor can then run them as one.
    """
    for indices in (read.axes for read in reads):
        if (outer in indices) != (inner in indices):
            return False
        if outer in indices and indices.index(outer) + 1 != indices.index(inner):
            return False
    return True


def fused_groups(stage: Stage, contraction: Contraction) -> Iterable[tuple[Axis, Axis, tuple[Axis, ...]]]:
    """(outer, inner, between): an outer axis that runs as part of its group's blocked axis once those between do."""
    reads = walked(stage, contraction)
    for axes in contraction.groups.values():
        for position in range(len(axes) - 2, -1, -1):
            if not fusible(reads, axes[position], axes[position + 1]):
                break
            yield axes[position], axes[-1], axes[position + 1 : -1]


def problem_of(stage: Stage, workload: Workload, within: Mapping[Axis, int] = NOT_BLOCKED) -> Problem:
    """A stage of `workload`, its dense axes fused; for a block of it that reaches only so far `within` some axes."""
    contraction = contraction_of(stage)
    if contraction.gathered:
        contraction = _with_runs(contraction, workload)
    extents = {axis.name: workload.extent(axis.extent) for axis in stage.all_axes}
    extents |= {axis.name: min(size, extents[axis.name]) for axis, size in within.items() if axis in stage.all_axes}
    for outer, inner, _ in fused_groups(stage, contraction):
        extents[inner.name] *= extents[outer.name]
        extents[outer.name] = 1
    return Problem(stage, contraction, extents, workload.itemsize, workload.threads)


def _with_runs(contraction: Contraction, workload: Workload) -> Contraction:
    """How to gather each operand."""
    (left,), (right,) = contraction.left, contraction.right
    return replace(
        contraction,
        left_runs=runs_of(left, contraction.rows, contraction.depth, workload.sizes),
        right_runs=runs_of(right, contraction.columns, contraction.depth, workload.sizes),
    )
