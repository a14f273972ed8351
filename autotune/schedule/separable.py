"""Reductions over windows, one axis after the other.

    max[r, s](x[p + r, q + s])  is  max[s](t[p, q + s])  with  t[p, w] = max[r](x[p + r, w])

The partial reductions t are made once for all windows that have them in common, from rows as they lie in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from autotune.lang import Affine, Axis, Read, Reduce
from autotune.lang.traverse import fresh_axis
from autotune.schedule.conditions import NEUTRAL
from autotune.schedule.vectors import Movement

STORED = 1.0  # cost of storing a vector of partial reductions, in loads of neighbours


@dataclass(frozen=True)
class Separated:
    """A reduction in two: first `partial`, kept as a tensor over `axes`, then that over `last` at `window` of a row."""

    partial: Reduce
    axes: tuple[Axis, ...]
    row: Axis
    window: Affine
    last: Axis
    pad: float | None

    def rest(self, tensor: str) -> Reduce:
        """The reduction of the partial ones, which `tensor` holds."""
        indices = tuple(self.window if axis == self.row else axis for axis in self.axes)
        return Reduce(self.partial.reduction, Read(tensor, indices, self.pad), (self.last,))


def separated(
    node: Reduce, axes: tuple[Axis, ...], extents: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int]
) -> Separated | None:
    """`node`, whose result is over `axes`, in two where that takes fewer accesses to memory.

    It must reduce one tensor, whose last index is a sum of the last of `axes` and one that is reduced over, neither of
    which stands in another index; outside of the tensor is what changes nothing, if anything is read there.
    """
    body = node.body
    if not isinstance(body, Read) or body.integer or len(node.over) < 2 or node.reduction not in NEUTRAL or not axes:
        return None
    if body.pad not in (None, NEUTRAL[node.reduction]) or any(not isinstance(i, Axis | Affine) for i in body.indices):
        return None
    *others, window = (Affine.of(index) for index in body.indices if isinstance(index, Axis | Affine))
    inside = [axis for axis in window.axes if axis in node.over]
    if len(inside) != 1 or set(window.axes) != {inside[0], axes[-1]} or window.divisor != 1 or window.extents:
        return None
    if any(axis in index.axes for index in others for axis in window.axes):
        return None
    extent = extents[body.tensor][-1]
    row = fresh_axis(Axis(extent, extent), {axis.name for axis in (*axes, *node.over)})
    first = tuple(axis for axis in node.over if axis != inside[0])
    found = Separated(
        Reduce(node.reduction, Read(body.tensor, (*body.indices[:-1], row), body.pad), first),
        (*axes[:-1], row), row, window, inside[0], body.pad,
    )  # fmt: skip
    return found if set(found.partial.axes) == set(found.axes) and _pays(found, axes[-1], sizes) else None


def _pays(found: Separated, along: Axis, sizes: Mapping[str, int]) -> bool:
    """Whether vectors along the last axis cost less: those of windows may have their lanes apart."""
    access = Movement((found.window.coefficient(along),)).cost
    terms, last = prod(sizes[axis.extent] for axis in found.partial.over), sizes[found.last.extent]
    whole = sizes[along.extent] * terms * last * access
    return sizes[found.row.extent] * (terms + STORED) + sizes[along.extent] * last * access < whole
