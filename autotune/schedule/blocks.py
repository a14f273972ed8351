"""Stages that share a block: run together for a few indices of axes that all of their results have, then for the next.

What they hand on is then small and stays in a cache nearby, and each block is read from memory once. The same slices
are what several threads share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotune.lang import Affine, Axis, Reduce
from autotune.lang.graph import subexpressions
from autotune.schedule.conditions import guards, periods
from autotune.schedule.stages import (
    AnyStage,
    PointStage,
    ReplayStage,
    ScanStage,
    ScatterStage,
    Stage,
    moved_tensors,
    tensors_read,
)


@dataclass(frozen=True)
class Block:
    """Neighbouring stages that run together: for each index of all `axes` but the last, and `size` of that.

    With size 0, for all of it. The first of the axes is shared among `tasks` threads.
    """

    number: int
    axes: tuple[Axis, ...]
    size: int = 0
    tasks: int = 1


def sliced_axes(stage: AnyStage, extents: Mapping[str, tuple[str, ...]]) -> tuple[Axis, ...]:
    """The axes by which a stage can be cut into slices that do not depend on each other, outermost first.

    `extents` are the names of the extents of each tensor.
    """
    nodes = subexpressions(stage.roots)
    inside = {axis for node in nodes if isinstance(node, Reduce) for axis in node.over}
    return tuple(axis for axis in _independent_axes(stage, extents) if axis not in inside)


def residue_classes(stage: AnyStage, extents: Mapping[str, tuple[str, ...]]) -> dict[Axis, int]:
    """The axes whose loops are run in residue classes, and in how many."""
    if not isinstance(stage, Stage):
        return {}
    places = {axis: Affine.of(axis) for axis in stage.all_axes}
    found = guards(stage.reduction, stage.body, places, extents)
    return periods([condition for guard in found for condition in guard.conditions], stage.axes)


def _independent_axes(stage: AnyStage, extents: Mapping[str, tuple[str, ...]]) -> tuple[Axis, ...]:
    match stage:
        case Stage():
            classes = residue_classes(stage, extents)
            return tuple(axis for axis in stage.axes if axis not in classes)
        case PointStage():
            return stage.axes
        case ScatterStage():
            found = guards("sum", stage.body, {axis: Affine.of(axis) for axis in stage.loops}, extents)
            divided = {term for guard in found for condition in guard.conditions for term, _ in condition.remainder}
            return tuple(axis for axis in stage.axes if axis not in {*stage.onto, *divided} and axis in stage.loops)
        case ScanStage() | ReplayStage():
            return stage.lanes


def groups(
    stages: Sequence[AnyStage], extents: Mapping[str, tuple[str, ...]]
) -> list[tuple[tuple[AnyStage, ...], tuple[Axis, ...]]]:
    """Neighbouring stages, as many as share an axis, with the axes that they share; one alone with all of its own."""
    found: list[tuple[tuple[AnyStage, ...], tuple[Axis, ...]]] = []
    for stage in stages:
        own = sliced_axes(stage, extents)
        if found:
            before, axes = found[-1]
            shared = tuple(axis for axis in axes if axis in own and _handed_on(before, stage, axis))
            if shared:
                found[-1] = (*before, stage), shared
                continue
        found.append(((stage,), own))
    return found


def _handed_on(before: Sequence[AnyStage], stage: AnyStage, axis: Axis) -> bool:
    """Whether what `stage` reads of the stages before is at the same index of `axis`."""
    written = {result.name: result for earlier in before for result in earlier.results}
    if not written.keys().isdisjoint(moved_tensors(stage)):
        return False
    return all(
        axis in written[read.tensor].axes and read.indices[written[read.tensor].axes.index(axis)] == axis
        for read in tensors_read(stage)
        if read.tensor in written
    )
