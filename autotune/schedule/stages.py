"""What a kernel is computed in: stages, each of which writes arrays that the kernel returns or that later stages read.

There are four kinds. A `Stage` is `result[axes] = epilogue(total)` with `total` a reduction of `body` over `over`. A
`PointStage` computes arrays point by point. A `ScatterStage` adds each point of its loops to the element at computed
indices. A `ScanStage` runs a recurrence. All of their expressions are pointwise but for reductions too large to be
stored: what else they are computed from is in arrays by then.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from autotune.lang import Axis, Carry, Expr, Index, Read, Reduce, Reindex
from autotune.lang.axes import indexed
from autotune.lang.expressions import computed
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import factors
from autotune.schedule.products import is_operand


@dataclass(frozen=True)
class Result:
    """An array that a stage writes, with the axes of its dimensions; of whole numbers (int64) where `integer`."""

    name: str
    axes: tuple[Axis, ...]
    integer: bool = False

    @property
    def read(self) -> Read:
        """The array as an expression."""
        return Read(self.name, self.axes, None, self.integer)


@dataclass(frozen=True)
class Stage:
    """One reduction and what is done to it.

    `epilogue` is an expression over `axes`; in it, `total` stands for the reduction of `body` over `over`. The axes
    `inner` of the result run inside the loops of the reduction, whose terms are then added to the elements of the
    result.
    """

    name: str
    axes: tuple[Axis, ...]
    over: tuple[Axis, ...]
    body: Expr
    epilogue: Expr
    reduction: str = "sum"
    integer: bool = False
    inner: tuple[Axis, ...] = ()

    @property
    def results(self) -> tuple[Result, ...]:
        """The array that it writes."""
        return (Result(self.name, self.axes, self.integer),)

    @property
    def total(self) -> Read:
        """The reduction, as the epilogue reads it."""
        return total_of(self.name, self.axes, self.reduction)

    @property
    def has_epilogue(self) -> bool:
        """Whether anything is done to the sum."""
        return self.epilogue != self.total

    @cached_property
    def factors(self) -> tuple[Read, ...]:
        """The tensors whose product is summed, where that is what the stage does: it is a contraction then.

        A product of two may be of windows onto tensors.
        """
        parts = factors(self.body) if self.reduction == "sum" else ()
        reads = tuple(part for part in parts if isinstance(part, Read) and is_operand(part))
        plain = all(read.plain for read in reads)
        return reads if len(reads) == len(parts) and (plain or len(reads) == 2) and not self.inner else ()

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """Every distinct way in which a contraction touches a tensor.

        Its result first, its factors, what the epilogue reads.
        """
        rest = (node for node in subexpressions(self.epilogue) if isinstance(node, Read))
        return tuple(dict.fromkeys((self.total, *self.factors, *rest)))

    @property
    def all_axes(self) -> tuple[Axis, ...]:
        """Axes of the result, then those reduced over."""
        return (*self.axes, *self.over)

    @property
    def loops(self) -> tuple[Axis, ...]:
        """The loops of its plain schedule, outermost first."""
        return (*(axis for axis in self.axes if axis not in self.inner), *self.over, *self.inner)

    @property
    def roots(self) -> tuple[Expr, ...]:
        """The expressions that it evaluates."""
        return (self.body, self.epilogue)


def total_of(name: str, axes: tuple[Axis, ...], reduction: str) -> Read:
    """What stands for the reduction in the epilogue of the stage called `name`."""
    return Read(name, axes, None, reduction in ("argmax", "argmin"))


@dataclass(frozen=True)
class PointStage:
    """`for axes: result = expr, …`: each expression may read earlier results at the same point."""

    axes: tuple[Axis, ...]
    results: tuple[Result, ...]
    exprs: tuple[Expr, ...]

    @property
    def name(self) -> str:
        """That of the last array it writes."""
        return self.results[-1].name

    @property
    def loops(self) -> tuple[Axis, ...]:
        """The loops of its plain schedule, outermost first."""
        return self.axes

    @property
    def roots(self) -> tuple[Expr, ...]:
        """The expressions that it evaluates."""
        return self.exprs


@dataclass(frozen=True)
class ScatterStage:
    """`result = 0`, then `for loops: result[…, indices, …] += body`; see `autotune.lang.Scatter`."""

    name: str
    axes: tuple[Axis, ...]
    body: Expr
    loops: tuple[Axis, ...]
    onto: tuple[Axis, ...]
    indices: tuple[Index, ...]
    strict: bool = False

    @property
    def results(self) -> tuple[Result, ...]:
        """The array that it writes."""
        return (Result(self.name, self.axes),)

    @property
    def roots(self) -> tuple[Expr, ...]:
        """The expressions that it evaluates."""
        return (self.body, *computed(self.indices))


@dataclass(frozen=True)
class States:
    """Values of a recurrence that are stored: those of one carried value after every step, or `final`, after the last.

    Without any step the final value is `empty`, or what the recurrence starts with where that is None.
    """

    result: Result
    which: int
    final: bool = False
    empty: float | None = None


@dataclass(frozen=True)
class ScanStage:
    """`for lanes: state = starts; for axis: state = steps(state)`, with some of the values stored."""

    lanes: tuple[Axis, ...]
    axis: Axis
    carries: tuple[Carry, ...]
    starts: tuple[Expr, ...]
    steps: tuple[Expr, ...]
    reverse: bool
    states: tuple[States, ...]

    @property
    def name(self) -> str:
        """That of the first array it writes."""
        return self.states[0].result.name

    @property
    def results(self) -> tuple[Result, ...]:
        """The arrays that it writes."""
        return tuple(state.result for state in self.states)

    @property
    def loops(self) -> tuple[Axis, ...]:
        """The loops of its plain schedule, outermost first."""
        return (*self.lanes, self.axis)

    @property
    def roots(self) -> tuple[Expr, ...]:
        """The expressions that it evaluates."""
        return (*self.starts, *self.steps)


@dataclass(frozen=True)
class ReplayStage:
    """`for lanes: forward; backward`: a recurrence and one that runs back along it, its states in buffers of one lane.

    Both scans have no lanes of their own; the second may read what the first ends with. With `every` k other than 0,
    the way forward keeps in `saved`, one for each carried value, only the values before every k-th step. On the way
    back the steps of each segment are run again, and their values put into `before` and `after` each step, for those
    carried values that are read. In the steps of `backward`, `step` is then the place within the segment.
    """

    lanes: tuple[Axis, ...]
    forward: ScanStage
    backward: ScanStage
    every: int = 0
    step: Axis | None = None
    saved: tuple[Result, ...] = ()
    before: tuple[tuple[int, Result], ...] = ()
    after: tuple[tuple[int, Result], ...] = ()

    @property
    def name(self) -> str:
        """That of the first array that it leaves."""
        return self.backward.name

    @property
    def buffers(self) -> tuple[Result, ...]:
        """The arrays of one lane."""
        states = (state.result for state in self.forward.states if not state.final)
        return (*states, *self.saved, *(result for _, result in (*self.before, *self.after)))

    @property
    def results(self) -> tuple[Result, ...]:
        """The arrays that it writes, those that it leaves last."""
        finals = (state.result for state in self.forward.states if state.final)
        return (*self.buffers, *finals, *self.backward.results)

    @property
    def loops(self) -> tuple[Axis, ...]:
        """The loops of its plain schedule, outermost first."""
        return (*self.lanes, self.backward.axis)

    @property
    def roots(self) -> tuple[Expr, ...]:
        """The expressions that it evaluates."""
        return (*self.forward.roots, *self.backward.roots)


AnyStage: TypeAlias = Stage | PointStage | ScatterStage | ScanStage | ReplayStage


def tensors_read(stage: AnyStage) -> tuple[Read, ...]:
    """Every distinct read of a tensor that the stage makes; the total of a reduction is none."""
    own = {result.name for result in stage.results}
    nodes = subexpressions(stage.roots)
    return tuple(node for node in nodes if isinstance(node, Read) and node.tensor not in own)


def moved_tensors(stage: AnyStage) -> frozenset[str]:
    """Names of tensors that the stage reads at an axis which is bound inside its expressions, not one of its loops."""
    found: set[str] = set()
    pending: list[tuple[Expr, frozenset[Axis]]] = [(root, frozenset()) for root in stage.roots]
    seen = set(pending)
    while pending:
        node, bound = pending.pop()
        if isinstance(node, Read) and not bound.isdisjoint(node.axes):
            found.add(node.tensor)
        own = node.over if isinstance(node, Reduce) else node.bound if isinstance(node, Reindex) else ()
        inside = bound.union(own)
        # The indices of a reindexing stand outside, but to call them moved does no harm.
        new = {(child, inside) for child in node.children} - seen
        seen |= new
        pending += new
    return frozenset(found)


def equations(stage: AnyStage, longest: int = 100) -> tuple[str, ...]:
    """What a stage computes, for people: "stage_0[i] = max[j](x[i, j])"; long expressions are cut short."""
    match stage:
        case Stage():
            total = f"{indexed(stage.reduction, stage.over)}({stage.body})"
            lines = [f"{indexed(stage.name, stage.axes)} = {str(stage.epilogue).replace(str(stage.total), total)}"]
        case PointStage():
            pairs = zip(stage.results, stage.exprs, strict=True)
            lines = [f"{indexed(result.name, result.axes)} = {expr}" for result, expr in pairs]
        case ScatterStage():
            places = [f"{axis}: {index}" for axis, index in zip(stage.onto, stage.indices, strict=True)]
            lines = [f"{indexed(stage.name, places)} += {stage.body} over {', '.join(map(str, stage.loops))}"]
        case ReplayStage(_, forward, backward, every):
            kind = f"every {every}th state" if every else "all states"
            carried = ", ".join(carry.name for carry in forward.carries)
            return f"lane by lane, keeping {kind} of {carried}:", *equations(backward, longest)
        case ScanStage():
            direction = f"-{stage.axis}" if stage.reverse else str(stage.axis)
            kinds = [f"{'last ' if state.final else ''}{stage.carries[state.which].name}" for state in stage.states]
            names = [indexed(result.name, result.axes) for result in stage.results]
            lines = [f"{', '.join(names)} = scan[{direction}] of {', '.join(kinds)}"]
    return tuple(line if len(line) <= longest else f"{line[: longest - 1]}…" for line in lines)
