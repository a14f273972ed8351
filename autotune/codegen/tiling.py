"""A tiled stage, and the numbers that its nest decides: what the code of it is written from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from autotune.codegen.names import Names
from autotune.codegen.simd import CACHE_LINE
from autotune.codegen.window_packing import REACH, Window
from autotune.lang import Axis, Read
from autotune.schedule import Kind, Loop, LoopNest, Stage
from autotune.templates import Contraction

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Tiled:
    """A tiled stage and the numbers its nest decides."""

    stage: Stage
    contraction: Contraction
    nest: LoopNest
    unroll: int
    label: str = ""
    """Ends the names of this stage's intrinsics, where a module has several stages."""
    local: bool = False
    """Whether its scratch is on the stack of its function."""

    @cached_property
    def names(self) -> Names:
        """Names of the stage."""
        return Names(self.stage)

    @property
    def column(self) -> Axis:
        """The axis that vectors run along."""
        return self.contraction.columns[-1]

    @property
    def row(self) -> Axis | None:
        """The blocked axis of the rows, if there is one."""
        return self.contraction.rows[-1] if self.contraction.rows else None

    @property
    def depth(self) -> Axis:
        """The blocked axis of the depth."""
        return self.contraction.depth[-1]

    def step(self, name: str) -> int:
        """Step of the loop called `name`."""
        return self.nest.loops[self.nest.position(name)].step

    @cached_property
    def rows(self) -> int:
        """Rows of the register tile."""
        return self.step(f"{self.row.name}_tile") if self.row else 1

    @cached_property
    def width(self) -> int:
        """Columns of the register tile."""
        return self.step(f"{self.column.name}_tile")

    @cached_property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.step(f"{self.column.name}_vector")

    @cached_property
    def depth_block(self) -> int:
        """Depth of a block."""
        return self.step(f"{self.depth.name}_block")

    @property
    def tasks(self) -> int:
        """Iterations of the parallel loops together."""
        count = 1
        for loop in self.parallel_loops:
            count *= loop.tasks or 1
        return count

    @property
    def parallel_loops(self) -> tuple[Loop, ...]:
        """The loops that run on several threads."""
        return tuple(loop for loop in self.nest.loops if loop.kind is Kind.PARALLEL)

    def factors(self, side: Side) -> tuple[Read, ...]:
        """Factors of an operand."""
        return self.contraction.left if side == "left" else self.contraction.right

    def axis(self, side: Side) -> Axis | None:
        """The blocked axis of an operand besides the depth, if there is one."""
        return self.row if side == "left" else self.column

    def packed(self, side: Side) -> bool:
        """Whether an operand is copied into panels."""
        return self.nest.pack_of(side) is not None

    def panel(self, side: Side) -> int:
        """Elements of a panel across the depth."""
        return self.rows if side == "left" else self.width

    def buffer(self, side: Side) -> int:
        """Elements of an operand's packing buffer, with room for the vector that overhangs its last panel."""
        panel = self.panel(side)
        if not self.factors(side):
            block = panel  # one panel of ones
        elif not self.packed(side):
            return 0
        else:
            axis = self.axis(side)
            block = self.step(f"{axis.name}_block") if axis else panel
        return _whole_lines(block * self.depth_block + self.lanes)

    @property
    def panels(self) -> int:
        """Elements of scratch that the panels of one task need."""
        return self.buffer("left") + self.buffer("right")

    @property
    def gathered(self) -> "tuple[Gathered, ...]":
        """The operands that are gathered: both or none."""
        return (Gathered(self, "right"), Gathered(self, "left")) if self.contraction.gathered else ()

    @property
    def scratch(self) -> int:
        """Elements of scratch that one task needs."""
        return self.panels + sum(size for operand in self.gathered for _, size, _ in operand.buffers)


@dataclass(frozen=True)
class Gathered:
    """An operand that is gathered, and the tables that say where its elements are."""

    tiled: Tiled
    side: Side

    @property
    def factor(self) -> Read:
        """What is read."""
        (factor,) = self.tiled.factors(self.side)
        return factor

    @property
    def checked(self) -> tuple[int, ...]:
        """The dimensions that indices may lead out of."""
        if self.factor.pad is None:
            return ()
        return tuple(place for place, index in enumerate(self.factor.indices) if not isinstance(index, Axis))

    @property
    def window(self) -> Window:
        """How it is copied."""
        runs = self.tiled.contraction.left_runs if self.side == "left" else self.tiled.contraction.right_runs
        last = len(self.factor.indices) - 1
        moving = self.checked.index(last) if last in self.checked else -1
        width = self.tiled.panel(self.side)
        return Window(width, self.tiled.lanes, len(self.checked), moving, runs.step, runs.direction)

    @property
    def buffers(self) -> list[tuple[str, int, bool]]:
        """(name, elements of scratch, whether these hold whole numbers): what it needs besides its panels."""
        axis, window, numbers = self.tiled.axis(self.side), self.window, 8 // self.tiled.nest.itemsize
        across = self.tiled.step(f"{axis.name}_block") if axis else 1
        tables = {
            "across": across * window.fields,
            "along": self.tiled.depth_block * window.fields,
            "reach": max(1, REACH * window.checked),
        }
        found = [(name, _whole_lines(entries * numbers), True) for name, entries in tables.items()]
        return [*found, ("square", _whole_lines(window.square), False)] if window.square else found


def _whole_lines(elements: int) -> int:
    return -(-elements // CACHE_LINE) * CACHE_LINE
