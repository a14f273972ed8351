"""The normal form of a sum of products: a matrix product over groups of axes."""

from dataclasses import dataclass

from autotune.lang import Axis, Read
from autotune.schedule import Stage


@dataclass(frozen=True)
class Contraction:
    """`out[batch, rows, columns] = sum over depth of left[batch, rows, depth] * right[batch, depth, columns]`.

    Each group holds any number of axes, outermost first; its last one is blocked and tiled, the others are loops
    around. `column` is the output's last axis: its elements are neighbours in memory, so vectors run along it. The
    factors that have it multiply into the right operand, the others into the left; an operand without factors is all
    ones.
    """

    left: tuple[Read, ...]
    right: tuple[Read, ...]
    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    depth: tuple[Axis, ...]

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
