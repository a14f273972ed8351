"""Extents that are part of a kernel's structure: small and the same from call to call, as a window of 3 by 3 is.

They are constants in generated code, whose loops over them are written out. Code made for one such size refuses
others, so that each has code of its own.
"""

from collections.abc import Iterable, Iterator, Mapping

from autotune.lang import Affine, Expr, Kernel, Read, Reduce, Reindex
from autotune.lang.graph import subexpressions
from autotune.lang.sizes import evaluate_size, extents_in
from autotune.lang.traverse import erase
from autotune.schedule.lowering import stages_of
from autotune.schedule.stages import Stage
from autotune.schedule.workload import Workload

LARGEST_WINDOW = 8  # along one side
LARGEST_POINT = 4  # coordinates
MOST_WRITTEN_OUT = 32  # iterations of loops that are written out


def constant_sizes(kernel: Kernel) -> dict[str, int]:
    """The extents that are the same for all arguments."""
    return {name: int(evaluate_size(size, {})) for name, size in kernel.sizes.items() if not extents_in(size)}


def structural_extents(workload: Workload) -> dict[str, int]:
    """Windows that are reduced over, and coordinates that are summed at a point.

    The size of a result depends on that of a window, or an array is read along the window and a longer axis at once.
    """
    if workload.kernel.opaque:
        return {}
    stages, extents = stages_of(workload), dict(workload.extents)
    nodes = subexpressions([root for stage in stages for root in stage.roots])
    at_a_point = {axis.extent for node in nodes if isinstance(node, Reduce) for axis in node.over}
    reduced = at_a_point | {axis.extent for stage in stages if isinstance(stage, Stage) for axis in stage.over}
    sources = {name for size in workload.kernel.sizes.values() for name in extents_in(size)}
    windows = sources | set(_slid_along(nodes, extents))
    return {
        name: size
        for name, size in extents.items()
        if (name in reduced & windows and 0 < size <= LARGEST_WINDOW)
        or (name in at_a_point and 0 < size <= LARGEST_POINT)
    }


def _slid_along(nodes: Iterable[Expr], extents: Mapping[str, int]) -> Iterator[str]:
    """The extents of axes that stand in one affine index with a longer one than a window has."""
    indices = [index for node in nodes if isinstance(node, Read | Reindex) for index in node.indices]
    for affine in (Affine.of(index) for index in indices if not isinstance(index, Expr)):
        for axis in affine.axes:
            if any(other != axis and extents.get(other.extent, 0) > LARGEST_WINDOW for other in affine.axes):
                yield axis.extent


def deciding_extents(kernel: Kernel) -> frozenset[str]:
    """The extents whose sizes decide what is structural: of what is reduced over, and of axes in one affine index.

    Sizes beyond `LARGEST_WINDOW` decide alike.
    """
    nodes = subexpressions([erase(output.expr) for output in kernel.outputs])
    reduced = {axis.extent for node in nodes if isinstance(node, Reduce) for axis in node.over}
    indices = [index for node in nodes if isinstance(node, Read | Reindex) for index in node.indices]
    affine = [Affine.of(index).axes for index in indices if not isinstance(index, Expr)]
    return frozenset(reduced | {axis.extent for axes in affine if len(axes) > 1 for axis in axes})
