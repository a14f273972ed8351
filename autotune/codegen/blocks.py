"""Code of stages that share a block: loops over a few indices of their common axes, around the loops of each stage."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from autotune.codegen.frame import Frame
from autotune.codegen.names import array
from autotune.codegen.plain import write_end, write_start, write_terms
from autotune.codegen.text import Lines
from autotune.lang import Axis, Parameter
from autotune.lang.graph import subexpressions
from autotune.schedule import ReplayStage, Result, Stage
from autotune.schedule.blocks import Block
from autotune.schedule.stages import equations, tensors_read
from autotune.templates import Schedule, Scheduled

WriteStage = Callable[[Lines, Scheduled, Frame], None]
"""Writes the code of a stage, its declarations left out."""
Allocate = Callable[[Lines, Scheduled, Collection[Result], Callable[[Result], Sequence[str]]], None]
"""Makes room for some results of a stage, of these shapes."""


@dataclass(frozen=True)
class Blocked:
    """Stages that run in one block, and which of their results nothing else reads: these are as small as the block.

    Those of one lane at a time are so in any case.
    """

    block: Block
    members: tuple[Scheduled, ...]
    local: tuple[Result, ...]

    @classmethod
    def of(
        cls, block: Block, members: tuple[Scheduled, ...], schedule: Schedule, outputs: Collection[str]
    ) -> "Blocked":
        """The block of `members` in a whole schedule."""
        others = [scheduled.stage for scheduled in schedule if scheduled not in members]
        read = {read.tensor for stage in others for read in tensors_read(stage)}
        made = [result for s in members if not block.gathers(s.stage) for result in s.stage.results]
        lanes = {r for s in members if isinstance(s.stage, ReplayStage) for r in s.stage.buffers}
        local = tuple(r for r in made if (block.size or r in lanes) and r.name not in read and r.name not in outputs)
        return cls(block, members, local)

    @property
    def gathering(self) -> tuple[tuple[Scheduled, Stage], ...]:
        """The sums whose results have a part from each block and each task."""
        stages = [(scheduled, scheduled.stage) for scheduled in self.members]
        return tuple((scheduled, stage) for scheduled, stage in stages if self.block.gathers(stage))

    @property
    def name(self) -> str:
        """The function that computes one task's share."""
        return f"compute_block_{self.block.number}"

    @property
    def unit(self) -> int:
        """Indices of the first axis that a share is a multiple of."""
        first = self.block.axes[0]
        vectors = [s.plan.lanes * s.plan.copies for s in self.members if s.plan.vector == first]
        return max([1, *vectors, self.block.size if len(self.block.axes) == 1 else 1])

    def shape(self, result: Result, frame: Frame) -> list[str]:
        """Elements along each dimension of a result: no more than the block has, where that is all it is for."""
        *ones, last = self.block.axes
        sizes = dict.fromkeys(ones, "1") | {last: str(self.block.size)}
        small = result in self.local
        return [sizes[axis] if small and axis in sizes else frame.extent(axis.extent) for axis in result.axes]


def write_block(lines: Lines, frame: Frame, blocked: Blocked, write: WriteStage, allocate: Allocate) -> None:
    """The block in the function of `frame`, all of it."""
    for scheduled in blocked.members:
        allocate(lines, scheduled, scheduled.stage.results, lambda result: blocked.shape(result, frame))
    _write_loops(lines, frame, blocked, ("0", frame.extent(blocked.block.axes[0].extent)), write)
    write_ends(lines, frame, blocked)


def write_block_function(
    lines: Lines, frame: Frame, blocked: Blocked, write: WriteStage, allocate: Allocate, more: Sequence[str]
) -> list[str]:
    """A function that computes the share of one task, with `frame` its own.

    Gives its arguments up to those in `more` and the task.
    """
    code, first = Lines(), blocked.block.axes[0]
    size, whole = frame.extent(first.extent), blocked.block.tasks * blocked.unit
    unit = f" * {blocked.unit}" if blocked.unit > 1 else ""
    begin, end = frame.name(f"{first.name}_first"), frame.name(f"{first.name}_last")
    code.add(
        f"share = ({size} + {whole - 1}) // {whole}{unit}",
        f"{begin} = min({size}, task * share)",
        f"{end} = min({size}, {begin} + share)",
    )
    for scheduled in blocked.members:
        allocate(code, scheduled, blocked.local, lambda result: blocked.shape(result, frame))
    _write_loops(code, frame, blocked, (begin, end), write)
    if "stream(" in str(code):
        code.add("fence()")
    frame.keep(code)
    code.add("return 0")
    given = _arguments(frame, blocked)
    lines.add("", "", "@njit(**OPTIONS)")
    with lines.block(f"def {blocked.name}({', '.join([*given, *more, 'task'])}):"):
        lines.add(*code.lines)
    return given


def _arguments(frame: Frame, blocked: Blocked) -> list[str]:
    own = {result.name for result in blocked.local}
    nodes = subexpressions([root for scheduled in blocked.members for root in scheduled.stage.roots])
    scalars = [f"{node.name}_scalar" for node in nodes if isinstance(node, Parameter)]
    arrays = [array(tensor) for tensor in frame.arrays if tensor not in own]
    return [*arrays, *dict.fromkeys(scalars), *(f"{name}_extent" for name in frame.sizes)]


def _write_loops(lines: Lines, frame: Frame, blocked: Blocked, bounds: tuple[str, str], write: WriteStage) -> None:
    """The loops over blocks, and the stages inside, in the part of the first axis that `bounds` are."""
    block, code = blocked.block, Lines()
    first, *_ = block.axes
    for scheduled, stage in blocked.gathering:
        write_start(code, frame, stage, scheduled.plan)
    if not block.size:
        frame.ranges[first] = bounds
        _write_stages(code, frame, blocked, write)
    else:
        with ExitStack() as nest:
            for axis in block.axes:
                start, end = bounds if axis == first else ("0", frame.extent(axis.extent))
                step = block.size if axis == block.axes[-1] else 1
                _open(code, nest, frame, axis, (start, end), step)
            for result in blocked.local:
                for dimension, axis in enumerate(result.axes):
                    if axis in block.axes:
                        frame.origins[result.name, dimension] = frame.ranges[axis][0]
            _write_stages(code, frame, blocked, write)
    for axis in block.axes:
        frame.ranges.pop(axis, None)
    lines.add(*frame.declarations(), *code.lines)


def _open(lines: Lines, nest: ExitStack, frame: Frame, axis: Axis, bounds: tuple[str, str], step: int) -> None:
    """One loop over blocks, and where the block ends."""
    name, end = frame.name(f"{axis.name}_block"), frame.name(f"{axis.name}_end")
    start, last = bounds
    nest.enter_context(lines.block(f"for {name} in range({start}, {last}{f', {step}' if step > 1 else ''}):"))
    lines.add(f"{end} = {f'{name} + 1' if step == 1 else f'min({name} + {step}, {last})'}")
    frame.ranges[axis] = name, end


def _write_stages(lines: Lines, frame: Frame, blocked: Blocked, write: WriteStage) -> None:
    for scheduled in blocked.members:
        stage = scheduled.stage
        lines.add("", *(f"# {equation}" for equation in equations(stage)))
        if blocked.block.gathers(stage):
            write_terms(lines, frame, stage, scheduled.plan)
        else:
            write(lines, scheduled, frame)


def write_ends(lines: Lines, frame: Frame, blocked: Blocked) -> None:
    """What is done to the sums whose terms the blocks have added."""
    code = Lines()
    for scheduled, stage in blocked.gathering:
        write_end(code, frame, stage, scheduled.plan)
    lines.add(*frame.declarations(), *code.lines)


def sliced(frame: Frame, blocked: Blocked, tensor: str, axes: Sequence[Axis | None]) -> str:
    """The part of an array that belongs to the block; `axes` are those of its dimensions."""
    local = tensor in {result.name for result in blocked.local}
    parts = []
    for axis in axes:
        if axis is None or axis not in frame.ranges:
            parts.append(":")
        else:
            first, last = frame.ranges[axis]
            parts.append(f"0:{last} - {first}" if local else f"{first}:{last}")
    return array(tensor) if all(part == ":" for part in parts) else f"{array(tensor)}[{', '.join(parts)}]"
