"""Arrays along the steps of a recurrence whose lanes run over vectors: turned so that lanes are neighbours.

A path's numbers z[path, step] are neighbours along the steps, while a vector needs those of its paths at one step. So
the steps run in blocks, before which the part of each such array that the block reads is transposed into a buffer that
stays in the first cache, and after which what it has written is transposed back::

    for block of steps:
        z_turned[step, lane] = z[lane, step]
        for step of the block:
            state = step(state, z_turned[step]); out_turned[step] = state
        out[lane, step] = out_turned[step, lane]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from autotune.codegen.environment import Env, Place
from autotune.codegen.points import Points
from autotune.codegen.scopes import Scope, Value
from autotune.lang import Affine, Axis, Expr, Read
from autotune.schedule import ScanStage
from autotune.schedule.conditions import Variable
from autotune.schedule.vectors import turned_reads, turned_results

STEPS = 128  # of a block: long rows are read ahead by the processor, and a buffer for 16 lanes of float32 takes 8 KB


@dataclass(frozen=True)
class Block:
    """A block of steps: where its first step is, and how many there are."""

    first: Place
    count: str


@dataclass(frozen=True)
class BlockStep:
    """A step of a block: its place among all steps, and within the block."""

    whole: Place
    within: Place

    @property
    def name(self) -> str:
        """The variable that counts the steps of the block."""
        (axis,) = self.within.index.axes
        return axis.name


class LaneSquares:
    """The buffers for what a scan reads and writes along its steps, one for each of the vectors that are at once."""

    def __init__(self, points: Points, stage: ScanStage) -> None:
        self.points, self.stage = points, stage
        self.vector = points.plan.vector
        self._buffers: dict[tuple[str, int], str] = {}

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """What is transposed before a block."""
        return () if self.vector is None else turned_reads(self.stage, self.vector)

    @cached_property
    def written(self) -> tuple[Read, ...]:
        """What is transposed after it."""
        return () if self.vector is None else tuple(r.read for r in turned_results(self.stage, self.vector))

    def __bool__(self) -> bool:
        return bool(self.reads or self.written)

    def read(self, env: Env, copy: int, step: BlockStep, scope: Scope) -> Env:
        """The environment of a step in which what has been transposed is known."""
        found: dict[Expr, Value] = {}
        for read in self.reads:
            name = self.points.frame.numbered(read.tensor)
            scope.add(f"{name} = load({self._buffer(read, copy)}, {step.name} * LANES)")
            found[read] = Value(name, scope, atomic=True, wide=True)
        return env.knowing(found)

    def write(self, read: Read, copy: int, step: BlockStep, value: Value) -> str:
        """The statement that puts a value where the block's end will find it."""
        text = value.text if value.wide else f"splat({value.text})"
        return f"store({self._buffer(read, copy)}, {step.name} * LANES, {text})"

    def gather(self, envs: Sequence[Env], block: Block, scope: Scope) -> None:
        """Transpose what the block reads."""
        for copy, env in enumerate(envs):
            for read in self.reads:
                array, step = self._rows(read, env, block)
                turned = self._buffer(read, copy)
                scope.add(f"transpose({array}, {step}, {turned}, LANES, {self._lanes(env)}, {block.count})")

    def scatter(self, envs: Sequence[Env], block: Block, scope: Scope) -> None:
        """Transpose what the block has written."""
        for copy, env in enumerate(envs):
            for read in self.written:
                array, step = self._rows(read, env, block)
                turned = self._buffer(read, copy)
                scope.add(f"transpose({turned}, LANES, {array}, {step}, {block.count}, {self._lanes(env)})")

    def _lanes(self, env: Env) -> str:
        assert env.wide is not None
        return "LANES" if env.wide.count is None else f"min(LANES, {env.wide.count})"

    def _rows(self, read: Read, env: Env, block: Block) -> tuple[str, str]:
        """Where the rows of a block begin in an array, and how far it is from one to the next."""
        frame, places = self.points.frame, {**env.places, self.stage.axis: block.first}
        assert self.vector is not None
        frame.neighbours(read.tensor)
        at = frame.offset(read.tensor, [frame.affine(places[axis].index) for axis in read.axes])
        return f"shift({frame.start(read.tensor)}, {at})", frame.stride(read.tensor, read.axes.index(self.vector))

    def _buffer(self, read: Read, copy: int) -> str:
        key = read.tensor, copy
        if key not in self._buffers:
            self._buffers[key] = self.points.frame.buffer(f"{read.tensor}_turned", f"{STEPS} * LANES")
        return self._buffers[key]


def blocks(
    points: Points, scope: Scope, axis: Axis, size: int = STEPS, *, reverse: bool
) -> Iterator[tuple[Scope, Block]]:
    """A loop over blocks of `size` steps, from the last to the first if `reverse`."""
    frame, extent = points.frame, points.frame.extent(axis.extent)
    name, count = frame.name(f"{axis.name}_block"), frame.name(f"{axis.name}_count")
    bounds = f"({extent} - 1) // {size} * {size}, -1, -{size}" if reverse else f"0, {extent}, {size}"
    with scope.block(f"for {name} in range({bounds}):") as inner:
        inner.add(f"{count} = min({size}, {extent} - {name})")
        yield inner, Block(points.variables.enter(Variable(Axis(name, axis.extent)), inner), count)
    frame.release(name)
    frame.release(count)


def steps(
    points: Points, scope: Scope, axis: Axis, block: Block, *, reverse: bool
) -> Iterator[tuple[Scope, BlockStep]]:
    """A loop over the steps of a block."""
    name = points.frame.name(f"{axis.name}_step")
    bounds = f"{block.count} - 1, -1, -1" if reverse else block.count
    with scope.block(f"for {name} in range({bounds}):") as inner:
        within = points.variables.enter(Variable(Axis(name, axis.extent)), inner)
        parts = [(place.index.axes[0], 1) for place in (block.first, within)]
        yield inner, BlockStep(Place(Affine.total(parts, 0), inner), within)
    points.frame.release(name)
