"""Where an expression is evaluated: at which indices of which loops, with what known, in which lanes of a vector."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeAlias

from autotune.codegen.interior import Interior
from autotune.codegen.lanes import Interval
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.lang import Affine, Axis, Expr
from autotune.schedule.conditions import Inside

_labels = count()


@dataclass(frozen=True)
class Place:
    """The index at which an axis stands: affine in loop variables, valid in `scope`."""

    index: Affine
    scope: Scope


Places: TypeAlias = Mapping[Axis, Place]


@dataclass(frozen=True)
class Wide:
    """A vector loop that code stands in: its variable is the index of the first lane, the next lanes follow.

    `count` is how many lanes there are up to the end of the loop, where that may be fewer than a vector has; `copy`
    which of the vectors it is that are at once. What has to hold in every lane can be asked of the `interior`.
    """

    variable: Axis
    count: str | None = None
    copy: int = 0
    interior: Interior | None = None


@dataclass(frozen=True)
class Rows:
    """A loop that takes several of its indices at once, of which `variable` is the first, where all are inside."""

    variable: Axis
    interior: Interior


@dataclass(frozen=True)
class Env:
    """Where an expression is evaluated: at which indices, and with which values for some nodes.

    `inside` are conditions that need no test, and the block in which each holds. In a vector loop, `wide`, only the
    lanes that are in all of `intervals` and `masks` are where an index is inside. Of the `rows` that are computed at
    once, this is one.
    """

    places: Places
    values: Mapping[Expr, Value] = field(default_factory=dict)
    inside: Mapping[Inside, Scope] = field(default_factory=dict)
    label: int = field(default_factory=lambda: next(_labels))
    wide: Wide | None = None
    intervals: tuple[Interval, ...] = ()
    masks: tuple[str, ...] = ()
    among_in: tuple[Scope, ...] = ()
    """The block in which the intervals and masks are known, where there are any."""
    rows: Rows | None = None

    def at(self, places: Places, inside: Mapping[Inside, Scope] | None = None) -> "Env":
        """The same at other indices, where further conditions hold."""
        return replace(self, places={**self.places, **places}, inside={**self.inside, **(inside or {})})

    def knowing(self, values: Mapping[Expr, Value]) -> "Env":
        """The same with the values of further nodes."""
        return replace(self, values={**self.values, **values}, label=next(_labels))

    def binding(self, axes: Sequence[Axis]) -> "Env":
        """The same without what is known of nodes that depend on `axes`, which are other axes from here on."""
        values = {node: value for node, value in self.values.items() if not set(axes) & set(node.axes)}
        return self if len(values) == len(self.values) else replace(self, values=values, label=next(_labels))

    def beside(self, other: "Env", axes: Sequence[Axis]) -> "Env":
        """The same at the indices of `other` along `axes`, and under its conditions."""
        return self.at({axis: other.places[axis] for axis in axes}, other.inside)

    def lanes(self, index: Affine) -> int:
        """How far an index, its divisor left out, moves from one lane to the next."""
        return index.coefficient(self.wide.variable) if self.wide else 0

    def over(self, wide: Wide) -> "Env":
        """The same in a vector loop."""
        return replace(self, wide=wide)

    def among(self, intervals: Sequence[Interval], masks: Sequence[str], scope: Scope) -> "Env":
        """The same in some of the lanes only, which are known in block `scope`."""
        found = (*self.intervals, *intervals), (*self.masks, *masks)
        among = deepest([scope, *self.among_in])
        return replace(self, intervals=found[0], masks=found[1], among_in=(among,), label=next(_labels))

    def outside(self, scope: Scope) -> "Env":
        """What is still so in a block opened in `scope`, which may lie further out than where this is."""
        inside = {condition: at for condition, at in self.inside.items() if at.depth <= scope.depth}
        return replace(self, inside=inside)

    def affine(self) -> dict[Axis, Affine]:
        """The index of each axis."""
        return {axis: place.index for axis, place in self.places.items()}

    def key(self, node: Expr) -> Hashable:
        """Equal for equal values."""
        return node, tuple(self.places[axis].index for axis in node.axes if axis in self.places), self.label
