"""How the loops of a stage without register tiles run: which of them runs over vectors, and how many at once."""

from dataclasses import dataclass

from autotune.lang import Axis, Read


@dataclass(frozen=True)
class Ahead:
    """What the next block will read first: `read`, which has the axes of the loops only, `distance` further on."""

    read: Read
    axis: Axis
    distance: int


@dataclass(frozen=True)
class LoopPlan:
    """Decisions about the loops of one stage.

    The loop over `vector` advances by `copies` vectors of `lanes` elements, and runs inside the stage's other loops
    over its result, or, where it is reduced over, innermost of all; with None every loop advances by elements. The loop
    around it, over `jammed`, takes `jam` indices at once, whose windows share what they have in common (unroll and
    jam), those that are inside of what is read apart from the others. `stream` writes results past the caches. What
    `ahead` says is asked for while the stage runs. Where vectors do not fill an axis, or lie partly outside what is
    read, they have code of their own; or, if `masked`, all are masked: less code.
    """

    vector: Axis | None = None
    lanes: int = 1
    copies: int = 1
    stream: bool = False
    ahead: tuple[Ahead, ...] = ()
    masked: bool = False
    jammed: Axis | None = None
    jam: int = 1


SCALAR = LoopPlan()
"""One element at a time."""
