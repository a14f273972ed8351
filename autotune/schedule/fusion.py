"""Stages made one where one loop nest can do the work of two."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from autotune.lang import Apply, Axis, Constant, Expr, Extent, Parameter, Read
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import substitute
from autotune.schedule.scan_fusion import along_scans
from autotune.schedule.stages import AnyStage, PointStage, Stage, moved_tensors, tensors_read, total_of


def fused(stages: Sequence[AnyStage], outputs: Collection[str]) -> tuple[AnyStage, ...]:
    """The stages with pointwise ones as epilogues of reductions, or joined, where that spares reading an array again.

    What is then read only where it is computed is no array any more.
    """
    done = _joined(_epilogues(along_scans(stages, outputs), outputs))
    needed = {*outputs, *(read.tensor for stage in done for read in tensors_read(stage))}
    kept = [_without_own(stage, needed) if isinstance(stage, PointStage) else stage for stage in done]
    return tuple(stage for stage in kept if stage.results)  # of a carried value that is not asked for, none


def printable(epilogue: Expr, axes: tuple[Axis, ...]) -> bool:
    """Whether the code of a tiled stage over `axes` can compute `epilogue`: pointwise, of tensors as they are."""
    return all(
        isinstance(node, Apply | Constant | Extent | Parameter)
        or (isinstance(node, Read) and node.plain and not node.integer and set(node.axes) <= set(axes))
        for node in subexpressions(epilogue)
    )


def _epilogues(stages: Sequence[AnyStage], outputs: Collection[str]) -> list[AnyStage]:
    """The stages with each reduction that a single pointwise one reads made one with it."""
    readers = Counter(name for stage in stages for name in {read.tensor for read in tensors_read(stage)})
    done: list[AnyStage] = []
    for stage in stages:
        merged = _with_reduction(stage, done, readers, outputs) if isinstance(stage, PointStage) else None
        if merged:
            first, last = merged
            done.remove(first)
            done.append(last)
        else:
            done.append(stage)
    return done


def _with_reduction(
    stage: PointStage, done: Sequence[AnyStage], readers: Counter[str], outputs: Collection[str]
) -> tuple[Stage, Stage] | None:
    """A reduction that only `stage` reads, at the point that it computes, and the two as one stage."""
    (result,), (expr,) = stage.results, stage.exprs
    for first in reversed(done):
        if not isinstance(first, Stage) or first.name in outputs or readers[first.name] > 1 or first.integer:
            continue
        own = first.results[0].read
        reads = [read for read in tensors_read(stage) if read.tensor == first.name]
        if reads != [own] or set(own.axes) != set(result.axes) or first.name in moved_tensors(stage):
            continue
        total = total_of(result.name, result.axes, first.reduction)
        whole = substitute(expr, {own: substitute(first.epilogue, {first.total: total})})
        last = replace(first, name=result.name, axes=result.axes, epilogue=whole, integer=result.integer)
        if not first.factors or (printable(whole, result.axes) and not result.integer):
            return first, last
    return None


def _joined(stages: Sequence[AnyStage]) -> list[AnyStage]:
    """The stages with each pointwise one in the last that runs the same loops and reads nothing written later."""
    done: list[AnyStage] = []
    for stage in stages:
        place = _place(stage, done) if isinstance(stage, PointStage) else None
        first = None if place is None else done[place]
        if place is not None and isinstance(first, PointStage) and isinstance(stage, PointStage):
            results, exprs = (*first.results, *stage.results), (*first.exprs, *stage.exprs)
            done[place] = replace(first, results=results, exprs=exprs)
        else:
            done.append(stage)
    return done


def _place(stage: PointStage, done: Sequence[AnyStage]) -> int | None:
    """The position of the stage that `stage` may join: it reads nothing written later, and that one's only here."""
    reads, moved = tensors_read(stage), moved_tensors(stage)
    names = {read.tensor for read in reads}
    for position in range(len(done) - 1, -1, -1):
        candidate = done[position]
        written = {result.name for result in candidate.results}
        if isinstance(candidate, PointStage) and candidate.axes == stage.axes:
            here = [read for read in reads if read.tensor in written]
            if written.isdisjoint(moved) and all(read.indices == candidate.axes for read in here):
                return position
        if written & names:
            return None
    return None


def _without_own(stage: PointStage, needed: Collection[str]) -> PointStage:
    """The stage without the arrays that nothing but itself reads."""
    own: dict[Expr, Expr] = {}
    kept = []
    for result, expr in zip(stage.results, stage.exprs, strict=True):
        found = substitute(expr, own)
        if result.name in needed:
            kept.append((result, found))
        else:
            own[result.read] = found
    return PointStage(stage.axes, tuple(result for result, _ in kept), tuple(expr for _, expr in kept))
