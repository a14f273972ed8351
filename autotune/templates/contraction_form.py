"""The normal form of a sum of products: a matrix product over groups of axes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from autotune.lang import Affine, Axis, Expr, Read
from autotune.schedule import AnyStage, Stage, Workload, stages_of

WORTH_COPYING = 4  # times that an element of a window is used, from which on it is copied into a panel
MOST_APART = 4  # elements between neighbours that vectors are made of by shuffles


@dataclass(frozen=True)
class Runs:
    """Which way a window is copied: in runs of elements `step` apart, across panels or along the depth; "" for none."""

    direction: Literal["across", "along", ""] = ""
    step: int = 1


@dataclass(frozen=True)
class Contraction:
    """`out[batch, rows, columns] = sum over depth of left[batch, rows, depth] * right[batch, depth, columns]`.

    Each group holds any number of axes, outermost first; its last one is blocked and tiled, the others are loops
    around. `column` is the output's last axis: its elements are neighbours in memory, so vectors run along it. The
    factors that have it multiply into the right operand, the others into the left; an operand without factors is all
    ones.

    Where a factor is a window onto a tensor, read at sums of axes, both operands are gathered into panels element by
    element, so that all axes of a group that the output allows run as one, however the operands lie in memory.
    """

    left: tuple[Read, ...]
    right: tuple[Read, ...]
    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    depth: tuple[Axis, ...]
    left_runs: Runs = Runs()
    right_runs: Runs = Runs()

    @property
    def gathered(self) -> bool:
        """Whether a factor is a window."""
        return not all(factor.plain for factor in (*self.left, *self.right))

    @property
    def outer(self) -> tuple[Axis, ...]:
        """Axes that are plain loops around the blocked ones, those of the output first."""
        return (*self.batch, *self.rows[:-1], *self.columns[:-1], *self.depth[:-1])

    @property
    def groups(self) -> dict[str, tuple[Axis, ...]]:
        """The groups with an axis to block, by name."""
        groups = {"rows": self.rows, "columns": self.columns, "depth": self.depth}
        return {name: axes for name, axes in groups.items() if axes}


def contraction_of(stage: Stage) -> Contraction:
    """The normal form of a stage."""
    column = stage.axes[-1] if stage.axes else None
    right = tuple(factor for factor in stage.factors if column in factor.axes)
    left = tuple(factor for factor in stage.factors if column not in factor.axes)
    in_left = {axis for factor in left for axis in factor.axes}
    in_right = {axis for factor in right for axis in factor.axes}
    rows, columns, batch = [], [], []
    for axis in stage.axes:
        if axis == column or (axis in in_right and axis not in in_left):
            columns.append(axis)
        elif axis in in_right and axis in in_left:
            batch.append(axis)
        else:
            rows.append(axis)
    # Depth in the order in which one operand stores it, so that neighbouring axes can be run as one.
    order = [axis for factor in (*right, *left) for axis in factor.axes if axis in stage.over]
    return Contraction(left, right, tuple(batch), tuple(rows), tuple(columns), tuple(dict.fromkeys(order)))


def reuses(stage: AnyStage, workload: Workload) -> bool:
    """Whether a stage is a contraction that reads each element of its factors several times, as a product of matrices.

    A sum over a product of tensors that one of them spans is bound by reading that: plain loops are as fast or faster,
    2 to 30 times at 1000 x 1000 in float32 on a Zen 5 core, and compile in a quarter of the time. Windows cost a
    copy of each element that is read, so they must be read a few times more.
    """
    factors = stage.factors if isinstance(stage, Stage) else ()
    if not isinstance(stage, Stage) or not factors or any(len(factor.axes) == len(stage.loops) for factor in factors):
        return False
    form = contraction_of(stage)
    if not form.gathered:
        return True
    if len(form.left) != 1 or len(form.right) != 1 or not all(_covers(factor, workload) for factor in factors):
        return False
    return all(
        prod(workload.extent(axis.extent) for axis in axes) >= WORTH_COPYING for axes in (form.rows, form.columns)
    )


def _covers(factor: Read, workload: Workload) -> bool:
    """Whether the indices of a tensor that are axes go no further than its dimensions: only the others are checked."""
    extents = {spec.name: spec.extents for spec in workload.kernel.inputs}
    for stage in stages_of(workload):
        extents |= {result.name: tuple(axis.extent for axis in result.axes) for result in stage.results}
    pairs = zip(factor.indices, extents[factor.tensor], strict=True)
    return all(not isinstance(index, Axis) or index.extent == extent for index, extent in pairs)


def runs_of(factor: Read, across: tuple[Axis, ...], along: tuple[Axis, ...], extents: Mapping[str, int]) -> Runs:
    """The way in which the elements of a window come in longer runs; across if they have 8, for no transposition."""
    long_enough = 8
    ways = [_run(factor, across, "across", extents), _run(factor, along, "along", extents)]
    lengths = [min(length, long_enough) for length, _ in ways]
    return ways[lengths.index(max(lengths))][1]


def _run(
    factor: Read, axes: tuple[Axis, ...], direction: Literal["across", "along"], extents: Mapping[str, int]
) -> tuple[int, Runs]:
    """How many elements a run along the innermost of `axes` has, and the run.

    There is none where the axis does not move forward through the last dimension, and only that one.
    """
    axis = next((axis for axis in reversed(axes) if axis in factor.axes and extents[axis.extent] > 1), None)
    if axis is None:
        return 0, Runs()
    *others, last = (Affine.of(index) for index in factor.indices if not isinstance(index, Expr))
    step = last.coefficient(axis)
    if any(index.coefficient(axis) for index in others) or not 0 < step <= MOST_APART:
        return 0, Runs()
    return extents[axis.extent], Runs(direction, step)
