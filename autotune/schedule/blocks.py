"""Stages that share a block: run together for a few indices of axes that all of their results have, then for the next.

What they hand on is then small and stays in a cache nearby, and each block is read from memory once. The same slices
are what several threads share. A sum over the shared axes runs along with them, and adds the part of each block to its
result.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from autotune.lang import Affine, Axis, Read, Reduce
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

    def gathers(self, stage: AnyStage) -> TypeGuard[Stage]:
        """Whether a stage of the block sums over its axes: each block and each task then has a part of its result."""
        return isinstance(stage, Stage) and set(self.axes) <= set(stage.over)


def sliced_axes(stage: AnyStage, extents: Mapping[str, tuple[str, ...]]) -> tuple[Axis, ...]:
    """The axes by which a stage can be cut into slices that do not depend on each other, outermost first.

    `extents` are the names of the extents of each tensor.
    """
    inside = _reduced_inside(stage)
    return tuple(axis for axis in _independent_axes(stage, extents) if axis not in inside)


def _reduced_inside(stage: AnyStage) -> set[Axis]:
    """The axes of reductions within the expressions of a stage."""
    nodes = subexpressions(stage.roots)
    return {axis for node in nodes if isinstance(node, Reduce) for axis in node.over}


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


def gathered_axes(stage: AnyStage, extents: Mapping[str, tuple[str, ...]]) -> tuple[Axis, ...]:
    """The axes along which the result of a stage can be added up part by part, whatever is done to the sum."""
    if not isinstance(stage, Stage) or stage.reduction != "sum" or stage.integer or residue_classes(stage, extents):
        return ()
    inside = _reduced_inside(stage)
    return tuple(axis for axis in stage.over if axis not in inside)


def groups(
    stages: Sequence[AnyStage],
    extents: Mapping[str, tuple[str, ...]],
    tiled: Collection[AnyStage] = (),
) -> list[tuple[tuple[AnyStage, ...], tuple[Axis, ...]]]:
    """Neighbouring stages, as many as share an axis, with the axes that they share; one alone with all of its own.

    A sum of everything has none of its own, but those that it sums over: threads have parts of it.

    A sum that shares none, but whose terms do, joins those that run block by block along the axes that it sums over,
    unless it is one of the `tiled`, which read their operands several times and had better have all of them.
    """
    found: list[tuple[tuple[AnyStage, ...], tuple[Axis, ...]]] = []
    for stage in stages:
        own = sliced_axes(stage, extents)
        summed = () if stage in tiled else gathered_axes(stage, extents)
        if found:
            before, axes = found[-1]
            shared = tuple(axis for axis in axes if axis in own and _handed_on(before, stage, axis))
            shared = shared or tuple(axis for axis in axes if axis in summed and _added_up(before, stage, axis))
            if shared:
                found[-1] = (*before, stage), shared
                continue
        found.append(((stage,), own or summed))
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


def _added_up(before: Sequence[AnyStage], stage: AnyStage, axis: Axis) -> bool:
    """Whether the terms of a sum read the stages before at the same index of `axis`.

    What is done to the sum is done after all blocks, and may read other sums of which that is so.
    """
    assert isinstance(stage, Stage)  # as it has axes to be added up along
    others = [earlier for earlier in before if not (isinstance(earlier, Stage) and axis in earlier.over)]
    unfinished = {result.name for earlier in others for result in earlier.results}
    done_to_it = {node.tensor for node in subexpressions(stage.epilogue) if isinstance(node, Read)}
    return done_to_it.isdisjoint(unfinished) and _handed_on(before, replace(stage, epilogue=stage.total), axis)
