"""Which loops of a stage can run over vectors, and what each of them would cost: by how memory is accessed along it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import TypeAlias

from autotune.lang import Affine, Apply, Axis, Constant, Expr, Index, Read, Reduce, Reindex
from autotune.lang.expressions import axes_of, computed
from autotune.lang.graph import subexpressions
from autotune.schedule.stages import AnyStage, PointStage, ReplayStage, Result, ScanStage, ScatterStage, Stage

# Cost of the access of a vector to memory, in loads of neighbours.
SAME, NEIGHBOURS, TURNED, APART, ANYWHERE = 0.25, 1.0, 2.0, 3.0, 12.0
NEAR = 4  # elements from one lane to the next, up to which a vector is loaded by shuffles
NO_CLASSES: Mapping[Axis, int] = MappingProxyType({})
POSITIONS = ("argmax", "argmin")


def vector_axes(stage: AnyStage) -> tuple[Axis, ...]:
    """The axes that may be a vector's, the last of the result first."""
    if not all(map(_has_vector_form, stage.roots)):
        return ()
    match stage:
        case PointStage(axes):
            return tuple(reversed(axes))
        case Stage():
            over = () if stage.reduction in POSITIONS or stage.integer else tuple(reversed(stage.over))
            return (*reversed(stage.axes), *over)
        case ScatterStage():
            moving = {*stage.onto, *axes_of(computed(stage.indices))}
            return tuple(axis for axis in reversed(stage.axes) if axis not in moving and axis in stage.loops)
        case ScanStage(lanes) | ReplayStage(lanes):
            return tuple(reversed(lanes))


def _has_vector_form(root: Expr) -> bool:
    return not any(
        isinstance(node, Apply) and node.function == "pow" and not _whole(node.operands[1])
        for node in subexpressions(root)
    )


def _whole(exponent: Expr) -> bool:
    return isinstance(exponent, Constant) and float(exponent.value).is_integer()


@dataclass(frozen=True)
class Movement:
    """How an access moves along an axis: by `steps` along each dimension, anywhere where one is None."""

    steps: tuple[int | None, ...]
    turned: bool = False
    """Whether squares are transposed for it, as along the steps of a recurrence."""

    @property
    def moves(self) -> bool:
        """Whether it moves at all."""
        return any(step is None or step for step in self.steps)

    @property
    def cost(self) -> float:
        """Of the access of a vector along that axis."""
        if not self.moves:
            return SAME
        if self.turned:
            return TURNED
        *others, last = self.steps
        if None in self.steps or any(others):
            return ANYWHERE
        return NEIGHBOURS if last == 1 else APART if last and 0 < last <= NEAR else ANYWHERE


def movements(stage: AnyStage, axis: Axis, period: int = 1) -> tuple[list[Movement], list[Movement]]:
    """How what a stage reads, and what it writes, moves along an axis of its loops; the same access once.

    Where the loop over the axis is run in residue classes, it moves by their `period` at a time.
    """
    places = {own: Affine.of(own) for own in _own_axes(stage)}
    reads = dict.fromkeys(read for root in stage.roots for read in _reads(root, places))
    turned_in = {
        (read.tensor, tuple(map(Affine.of, read.axes))) for scan in _scans(stage) for read in turned_reads(scan, axis)
    }
    turned_out = {result for scan in _scans(stage) for result in turned_results(scan, axis)}
    read = [Movement(tuple(_step(index, axis, period) for index in found[1]), found in turned_in) for found in reads]
    written = [
        Movement(tuple(period * (own == axis) for own in result.axes), result in turned_out)
        for result in stage.results
        if not isinstance(stage, ReplayStage) or result not in stage.buffers
    ]
    return read, written


def _own_axes(stage: AnyStage) -> tuple[Axis, ...]:
    match stage:
        case ReplayStage():
            return (*stage.loops, *(() if stage.step is None else (stage.step,)))
        case _:
            return stage.loops


def _scans(stage: AnyStage) -> tuple[ScanStage, ...]:
    match stage:
        case ScanStage():
            return (stage,)
        case ReplayStage():
            return stage.forward, stage.backward
        case _:
            return ()


def turned_reads(scan: ScanStage, vector: Axis) -> tuple[Read, ...]:
    """What a recurrence reads at each step that lies along its steps in memory, and so apart from lane to lane."""
    nodes = subexpressions(scan.steps)
    reads = (node for node in nodes if isinstance(node, Read) and node.plain and not node.integer)
    return tuple(read for read in reads if _along_steps(read.axes, scan, vector))


def turned_results(scan: ScanStage, vector: Axis) -> tuple[Result, ...]:
    """What it writes in this way."""
    return tuple(
        state.result for state in scan.states if not state.final and _along_steps(state.result.axes, scan, vector)
    )


def _along_steps(axes: tuple[Axis, ...], scan: ScanStage, vector: Axis) -> bool:
    return axes[-1:] == (scan.axis,) and axes.count(vector) == 1 and axes.count(scan.axis) == 1


Placed: TypeAlias = Affine | frozenset[Axis]
"""An index in terms of the loops of a stage: affine, or the axes on which one depends that is computed."""


def _reads(expr: Expr, places: Mapping[Axis, Placed]) -> Iterator[tuple[str, tuple[Placed, ...]]]:
    """What is read, with its indices."""
    for node in subexpressions(expr, lambda node: () if isinstance(node, Reindex | Reduce) else node.children):
        match node:
            case Read(tensor, indices):
                yield tensor, tuple(_placed(index, places) for index in indices)
            case Reindex(body, bound, indices):
                moved = {axis: _placed(index, places) for axis, index in zip(bound, indices, strict=True)}
                yield from _reads(body, {**places, **moved})
                for index in computed(indices):
                    yield from _reads(index, places)
            case Reduce(_, body, over):
                yield from _reads(body, {**places, **{axis: Affine.of(axis) for axis in over}})
            case _:
                pass


def _placed(index: Index, places: Mapping[Axis, Placed]) -> Placed:
    found = [places.get(axis, Affine.of(axis)) for axis in axes_of([index])]
    if isinstance(index, Expr) or any(isinstance(place, frozenset) for place in found):
        return frozenset(axis for place in found for axis in (place.axes if isinstance(place, Affine) else place))
    return Affine.of(index).substitute({a: p for a, p in places.items() if isinstance(p, Affine)})


def _step(index: Placed, axis: Axis, period: int) -> int | None:
    if isinstance(index, frozenset):
        return None if axis in index else 0
    step = period * index.coefficient(axis)
    return step // index.divisor if step % index.divisor == 0 else None


def vector_cost(
    stage: AnyStage, axis: Axis, sizes: Mapping[Axis, int], lanes: int, classes: Mapping[Axis, int] = NO_CLASSES
) -> float:
    """Accesses to memory for each element of the loops, in loads of neighbours, if `axis` is a vector's.

    What a sum does not depend on is read before its loops, and the sum is written after them. `classes` are the axes
    whose loops are run in residue classes, and in how many.
    """
    period, terms = classes.get(axis, 1), 1
    size = -(-sizes[axis] // period)
    reads, writes = movements(stage, axis, period)
    if isinstance(stage, Stage) and axis in stage.axes:
        terms = max(1, prod(sizes[other] for other in stage.over))
        along = [movements(stage, other)[0] for other in stage.over]
        summed = tuple(any(move.moves for move in moves) for moves in zip(*along, strict=True))
    else:
        summed = (True,) * len(reads)
    total = 1.0 + sum(move.cost / (1 if often else terms) for move, often in zip(reads, summed, strict=True))
    total += sum(move.cost for move in writes) / terms
    used = size / (-(-size // lanes) * lanes) if size else 1.0
    if isinstance(stage, Stage) and axis in stage.over:
        total += lanes.bit_length() * 2 * lanes / max(size, lanes)
    return total / lanes / used


def best_vector_axis(
    stage: AnyStage, sizes: Mapping[Axis, int], lanes: int, classes: Mapping[Axis, int] = NO_CLASSES
) -> Axis | None:
    """The axis along which accesses cost least; None where no vector is worth it, or has code."""
    costs = {axis: vector_cost(stage, axis, sizes, lanes, classes) for axis in vector_axes(stage)}
    best = min(costs, key=lambda axis: costs[axis], default=None)
    reads, writes = movements(stage, best) if best else ([], [])
    scalar = len(reads) + len(writes) + 1.0
    return best if best and costs[best] < scalar else None


@dataclass(frozen=True)
class Shared:
    """An axis of which neighbouring indices read the same elements: windows of `reach` indices, `step` apart."""

    axis: Axis
    reach: int
    step: int

    def loads(self, count: int) -> float:
        """Of so many windows computed at once, in those of as many computed one by one."""
        return ((count - 1) * self.step + self.reach) / (count * self.reach)


def shared_axis(stage: AnyStage, vector: Axis, sizes: Mapping[Axis, int]) -> Shared | None:
    """The axis around a vector's along which windows overlap, if there is one.

    It is the innermost of the result but the vector's, and stands with an axis of the window in an index of a tensor,
    in none with a computed part or a quotient. All of what is reduced over must be in `sizes`.
    """
    if not isinstance(stage, Stage) or stage.inner or stage.reduction in POSITIONS or vector in stage.over:
        return None
    around = [axis for axis in stage.axes if axis != vector]
    if not around or not set(stage.over) <= sizes.keys():
        return None
    places = {axis: Affine.of(axis) for axis in _own_axes(stage)}
    indices = [index for root in (stage.body,) for _, found in _reads(root, places) for index in found]
    moving = [index for index in indices if around[-1] in (index.axes if isinstance(index, Affine) else index)]
    if not moving or not all(isinstance(i, Affine) and i.divisor == 1 for i in moving):
        return None
    within = {around[-1], *stage.over}
    if not all(isinstance(index, Affine) and set(index.axes) <= within for index in moving):
        return None
    windows = [_window(index, around[-1], sizes) for index in moving if isinstance(index, Affine)]
    found = max(windows, key=lambda window: window.reach - window.step)
    return found if found.reach > found.step else None


def _window(index: Affine, axis: Axis, sizes: Mapping[Axis, int]) -> Shared:
    reach = sum(abs(index.coefficient(over)) * (sizes[over] - 1) for over in index.axes if over != axis)
    return Shared(axis, reach + 1, abs(index.coefficient(axis)))


def slides(stage: AnyStage) -> bool:
    """Whether a stage reads something at an affine index of several of its loops, as a window does."""
    places = {axis: Affine.of(axis) for axis in _own_axes(stage)}
    reads = (read for root in stage.roots for read in _reads(root, places))
    return any(isinstance(index, Affine) and len(index.axes) > 1 for _, indices in reads for index in indices)
