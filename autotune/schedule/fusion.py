"""Pointwise stages over the same axes as one: one loop nest, in which nothing is computed twice at a point."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autotune.lang.traverse import substitute
from autotune.schedule.stages import AnyStage, PointStage, tensors_read

if TYPE_CHECKING:
    from autotune.lang import Expr


def fused(stages: Sequence[AnyStage], outputs: Collection[str]) -> tuple[AnyStage, ...]:
    """The stages with each pointwise one in the last that runs the same loops and reads nothing written later.

    What is then read only where it is computed is no array any more.
    """
    done = _joined(stages)
    needed = {*outputs, *(read.tensor for stage in done for read in tensors_read(stage))}
    return tuple(_without_own(stage, needed) if isinstance(stage, PointStage) else stage for stage in done)


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


def _joined(stages: Sequence[AnyStage]) -> list[AnyStage]:
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
    reads = tensors_read(stage)
    names = {read.tensor for read in reads}
    for position in range(len(done) - 1, -1, -1):
        candidate = done[position]
        written = {result.name for result in candidate.results}
        if isinstance(candidate, PointStage) and candidate.axes == stage.axes:
            here = [read for read in reads if read.tensor in written]
            if all(read.plain and read.indices in [result.axes for result in candidate.results] for read in here):
                return position
        if written & names:
            return None
    return None
