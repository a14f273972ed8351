"""Loop nests as frozen values, and the rewrites that turn one into the next.

A `LoopNest` computes `out[...] += left[...] * right[...]` (any number of inputs) over a box of axes. It starts as one
plain loop an axis (`LoopNest.plain`) and becomes a schedule by rewrites: plain functions that take a nest and return a
new one, each legal or a `ScheduleError`. Nothing here generates code or measures; both read the finished nest.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autotune.errors import ScheduleError

Number = TypeVar("Number", int, NDArray[np.int64])


class Kind(StrEnum):
    """How the iterations of a loop are run."""

    SERIAL = "serial"
    PARALLEL = "parallel"
    UNROLL = "unroll"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop: it advances `axis` by `step` elements an iteration, over the span its outer loop of that axis leaves.

    A parallel loop always has `tasks` iterations, some of them empty where the axis is short; `step` is their share.
    """

    name: str
    axis: str
    step: int = 1
    kind: Kind = Kind.SERIAL
    tasks: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """A tensor of the nest and the axes that move through it, the last with unit stride in the layout tuned for."""

    name: str
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """A copy of what the loops inside `within` read of `tensor`, in panels of `panel` elements along `axis`."""

    tensor: str
    within: str
    axis: str
    panel: int


@dataclass(frozen=True)
class LoopNest:
    """Loops outermost first around one multiply-add, with the decisions taken about them.

    `accumulator` names the reduction loop around which the output tile stays in registers; `prefetch` is the distance
    in iterations of that loop, or of a block's, at which inputs are asked for ahead (0: not at all). Results that are
    `streamed` are written past the caches.
    """

    extents: tuple[tuple[str, int], ...]
    itemsize: int
    out: Access
    inputs: tuple[Access, ...]
    loops: tuple[Loop, ...]
    packs: tuple[Pack, ...] = ()
    accumulator: str | None = None
    prefetch: int = 0
    streamed: bool = False

    @classmethod
    def plain(
        cls, *, extents: tuple[tuple[str, int], ...], itemsize: int, out: Access, inputs: tuple[Access, ...]
    ) -> "LoopNest":
        """One serial loop an axis, in the order of `extents`."""
        loops = tuple(Loop(axis, axis) for axis, _ in extents)
        return cls(extents=extents, itemsize=itemsize, out=out, inputs=inputs, loops=loops)

    def extent(self, axis: str) -> int:
        """Elements along `axis`."""
        return dict(self.extents)[axis]

    @property
    def reduction_axes(self) -> tuple[str, ...]:
        """Axes the output does not have."""
        return tuple(axis for axis, _ in self.extents if axis not in self.out.axes)

    def position(self, name: str) -> int:
        """Depth of the loop called `name`; `ScheduleError` if there is none."""
        for depth, loop in enumerate(self.loops):
            if loop.name == name:
                return depth
        known = ", ".join(loop.name for loop in self.loops)
        message = f"no loop {name!r} in the nest; it has {known}"
        raise ScheduleError(message)

    def span(self, axis: str, depth: int) -> int:
        """Elements of `axis` that are still ahead inside the `depth` outermost loops (tails count as whole)."""
        steps = [loop.step for loop in self.loops[:depth] if loop.axis == axis]
        return min([self.extent(axis), *steps])

    def trips(self, depth: int) -> int:
        """Iterations of the loop at `depth`, for each iteration of the loops around it."""
        loop = self.loops[depth]
        return loop.tasks or max(1, -(-self.span(loop.axis, depth) // loop.step))

    def iterations(self, depth: int) -> int:
        """How often the body of the `depth` outermost loops runs."""
        return prod(self.trips(level) for level in range(depth))

    def footprint(self, tensor: Access, depth: int) -> int:
        """Elements of `tensor` that one run of the body of the `depth` outermost loops touches."""
        return prod(self.span(axis, depth) for axis in tensor.axes)

    def tensor(self, name: str) -> Access:
        """The access called `name`; `ScheduleError` if there is none."""
        for access in (self.out, *self.inputs):
            if access.name == name:
                return access
        message = f"no tensor {name!r} in the nest; it has {', '.join(a.name for a in (self.out, *self.inputs))}"
        raise ScheduleError(message)

    def pack_of(self, name: str) -> Pack | None:
        """The pack of tensor `name`, if it is packed."""
        return next((pack for pack in self.packs if pack.tensor == name), None)

    def __str__(self) -> str:
        lines = []
        for depth, loop in enumerate(self.loops):
            lines.append(
                f"{'  ' * depth}for {loop.name} in {loop.axis} by {loop.step}  # {loop.kind} x {self.trips(depth)}"
            )
            lines += [f"{'  ' * (depth + 1)}pack {p.tensor}" for p in self.packs if p.within == loop.name]
        product = " * ".join(f"{a.name}[{', '.join(a.axes)}]" for a in self.inputs) or "1"
        return "\n".join([*lines, f"{'  ' * len(self.loops)}{self.out.name}[{', '.join(self.out.axes)}] += {product}"])


def split(nest: LoopNest, name: str, step: int, outer: str) -> LoopNest:
    """Block a loop (strip-mine; Halide and TVM: split).

    `for i in I` becomes `for outer in I by step: for i in outer … outer + step`, tails included.
    """
    depth = nest.position(name)
    loop = nest.loops[depth]
    if step < loop.step or step % loop.step:
        message = f"cannot split loop {name!r} by {step}: a block must be a multiple of its step {loop.step}"
        raise ScheduleError(message)
    if any(other.name == outer for other in nest.loops):
        message = f"cannot split loop {name!r}: a loop {outer!r} is there already"
        raise ScheduleError(message)
    pair = (Loop(outer, loop.axis, step), loop)
    return replace(nest, loops=(*nest.loops[:depth], *pair, *nest.loops[depth + 1 :]))


def reorder(nest: LoopNest, names: tuple[str, ...]) -> LoopNest:
    """Put all loops in the order given (interchange). Loops of one axis keep their order: outer blocks hold inner ones.

    Reductions may be reordered: sums are reassociated, as everywhere in the package.
    """
    if sorted(names) != sorted(loop.name for loop in nest.loops):
        message = f"reorder must name every loop once: got {names}, the nest has {[loop.name for loop in nest.loops]}"
        raise ScheduleError(message)
    loops = tuple(nest.loops[nest.position(name)] for name in names)
    for axis, _ in nest.extents:
        before = [loop.name for loop in nest.loops if loop.axis == axis]
        if [loop.name for loop in loops if loop.axis == axis] != before:
            message = f"reorder must keep the loops of axis {axis!r} in the order {before}"
            raise ScheduleError(message)
    return replace(nest, loops=loops)


def _with_kind(nest: LoopNest, name: str, kind: Kind) -> LoopNest:
    depth = nest.position(name)
    loops = (*nest.loops[:depth], replace(nest.loops[depth], kind=kind), *nest.loops[depth + 1 :])
    return replace(nest, loops=loops)


def parallel(nest: LoopNest, name: str, *, tasks: int, unit: int) -> LoopNest:
    """Share the axis of a loop among `tasks` threads, in slices of whole `unit`s, by a loop around everything.

    `for …: for i in I` becomes `parallel for task: for …: for i in slice(task)`. Not for a reduction: the slices would
    write the same elements.
    """
    loop = nest.loops[nest.position(name)]
    if loop.axis in nest.reduction_axes:
        message = f"cannot run loop {name!r} in parallel: axis {loop.axis!r} is a reduction, its slices would race"
        raise ScheduleError(message)
    step = slice_step(nest.extent(loop.axis), tasks, unit)
    task = Loop(f"{loop.axis}_task", loop.axis, step, Kind.PARALLEL, tasks)
    return replace(nest, loops=(task, *nest.loops))


def slice_step(extent: int, tasks: int, unit: Number) -> Number:
    """Elements in each of `tasks` slices of whole `unit`s that cover an extent; of one unit or of many."""
    share = max(1, -(-extent // tasks))
    return -(-share // unit) * unit


def unroll(nest: LoopNest, name: str) -> LoopNest:
    """Write a loop's iterations out one after the other."""
    return _with_kind(nest, name, Kind.UNROLL)


def vectorize(nest: LoopNest, name: str) -> LoopNest:
    """Run a loop as the lanes of a vector: the innermost loop, of step 1, over an axis of the output."""
    loop = nest.loops[nest.position(name)]
    if loop is not nest.loops[-1] or loop.step != 1:
        message = f"cannot vectorize loop {name!r}: it must be the innermost, with step 1"
        raise ScheduleError(message)
    if loop.axis in nest.reduction_axes:
        message = f"cannot vectorize loop {name!r}: axis {loop.axis!r} is a reduction"
        raise ScheduleError(message)
    return _with_kind(nest, name, Kind.VECTOR)


def accumulate(nest: LoopNest, name: str) -> LoopNest:
    """Hold the output tile in registers around a reduction loop; every loop inside it must be unrolled or a vector."""
    depth = nest.position(name)
    if nest.loops[depth].axis not in nest.reduction_axes:
        message = f"cannot accumulate around loop {name!r}: axis {nest.loops[depth].axis!r} is not a reduction"
        raise ScheduleError(message)
    loose = [loop.name for loop in nest.loops[depth + 1 :] if loop.kind not in (Kind.UNROLL, Kind.VECTOR)]
    if loose:
        message = f"cannot accumulate around loop {name!r}: {', '.join(loose)} inside it would not stay in registers"
        raise ScheduleError(message)
    return replace(nest, accumulator=name)


def pack(nest: LoopNest, tensor: str, *, within: str, axis: str, panel: int) -> LoopNest:
    """Copy what the loops inside `within` read of an input into panels, in the order they are read.

    `for within: …read tensor…` becomes `for within: panels = copy(tensor); …read panels…`.
    """
    access = nest.tensor(tensor)
    if access == nest.out:
        message = f"cannot pack {tensor!r}: it is the output"
        raise ScheduleError(message)
    if axis not in access.axes:
        message = f"cannot pack {tensor!r} in panels along {axis!r}: it has the axes {', '.join(access.axes)}"
        raise ScheduleError(message)
    if nest.pack_of(tensor):
        message = f"{tensor!r} is packed already"
        raise ScheduleError(message)
    if nest.accumulator and nest.position(within) >= nest.position(nest.accumulator):
        message = f"cannot pack {tensor!r} within {within!r}: that is inside the accumulator loop {nest.accumulator!r}"
        raise ScheduleError(message)
    return replace(nest, packs=(*nest.packs, Pack(tensor, within, axis, panel)))


def prefetch(nest: LoopNest, distance: int) -> LoopNest:
    """Ask for inputs `distance` iterations of the accumulator loop ahead; 0 turns it off."""
    if distance < 0:
        message = f"a prefetch distance must be at least 0, not {distance}"
        raise ScheduleError(message)
    return replace(nest, prefetch=distance)
