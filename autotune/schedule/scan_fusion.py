"""Work that a recurrence takes along: what is computed from its states step by step, and reduced over its steps.

    x[p, k] = scan[k]    e[p, k] = exp(x[p, k])    a[p] = sum[k](e[p, k])

becomes one recurrence of three values, x, e and the sum. Only what is read elsewhere is stored then: in place of an
array over all steps, often no more than what the recurrence ends with.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import mul

from autotune.lang import Carry, Constant, Expr, Read, maximum, minimum
from autotune.lang.axes import fresh_name
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import factors, substitute
from autotune.schedule.conditions import NEUTRAL
from autotune.schedule.stages import AnyStage, PointStage, Result, ScanStage, Stage, States, moved_tensors, tensors_read

STEPS = {"sum": lambda total, value: total + value, "max": maximum, "min": minimum}


def along_scans(stages: Sequence[AnyStage], outputs: Collection[str]) -> list[AnyStage]:
    """The stages with the pointwise ones and the reductions that only need the states of a recurrence in that."""
    taken = {name for stage in stages for name in _names(stage)} | set(outputs)
    done: list[AnyStage] = []
    for stage in stages:
        for place in reversed(range(len(done))):
            scan = done[place]
            work = _work(stage, scan) if isinstance(scan, ScanStage) and scan.lanes else None
            if work and isinstance(scan, ScanStage) and _is_ready(work, scan, stage, done[place + 1 :]):
                done[place], rest = _taken_along(scan, work, taken)
                done += rest
                break
        else:
            done.append(stage)
    read = {*outputs, *(read.tensor for stage in done for read in tensors_read(stage))}
    return [_without_unread(stage, read) if isinstance(stage, ScanStage) else stage for stage in done]


def _names(stage: AnyStage) -> Iterator[str]:
    yield from (result.name for result in stage.results)
    yield from (read.tensor for read in tensors_read(stage))


@dataclass(frozen=True)
class _Work:
    """`body` at every step, kept for every step or, with a `reduction`, what it is reduced to over the steps.

    That becomes `result`, or if there is none, what `stage` reads in place of a reduction of its own: times the
    factors `outside` that do not differ from step to step, if that goes on over other axes.
    """

    body: Expr
    stage: PointStage | Stage
    reduction: str = ""
    outside: tuple[Expr, ...] = ()


def _work(stage: AnyStage, scan: ScanStage) -> _Work | None:
    """What a recurrence can do of a stage over the same indices."""
    points = {*scan.lanes, scan.axis}
    match stage:
        case PointStage(axes, (result,), (expr,)) if set(axes) == points and not result.integer:
            return _Work(expr, stage)
        case Stage() if scan.axis in stage.over and set(stage.all_axes) == points and not stage.integer:
            if stage.reduction not in STEPS or stage.inner:
                return None
            parts = factors(stage.body) if stage.reduction == "sum" and len(stage.over) > 1 else (stage.body,)
            outside = tuple(part for part in parts if scan.axis not in part.axes) if len(parts) > 1 else ()
            inside = [part for part in parts if part not in outside]
            return _Work(reduce(mul, inside), stage, stage.reduction, outside) if inside else None
        case _:
            return None


def _is_ready(work: _Work, scan: ScanStage, stage: AnyStage, later: Sequence[AnyStage]) -> bool:
    """Whether all that the work reads is there in time: states at the same step, or arrays written before."""
    reads = [node for node in subexpressions(work.body) if isinstance(node, Read)]
    states = {state.result.name: state.result for state in scan.states if not state.final}
    written = {result.name for other in later for result in other.results} | {
        state.result.name for state in scan.states if state.final
    }
    own = [read for read in reads if read.tensor in states]
    return (
        bool(own)
        and all(read == states[read.tensor].read for read in own)
        and states.keys().isdisjoint(moved_tensors(stage))
        and written.isdisjoint(read.tensor for read in reads)
    )


def _taken_along(scan: ScanStage, work: _Work, taken: set[str]) -> tuple[ScanStage, list[AnyStage]]:
    """The recurrence that does some work, and what is left of the stage whose work it was."""
    values: dict[Expr, Expr] = {state.result.read: scan.steps[state.which] for state in scan.states if not state.final}
    body = substitute(work.body, values)
    if not work.reduction:
        (result,) = work.stage.results
        return _with_value(scan, result.name, None, body, result), []
    assert isinstance(work.stage, Stage)
    whole = not work.outside and work.stage.over == (scan.axis,)
    known = _reduced_already(scan, work.reduction, body)
    if known is None and whole and not work.stage.has_epilogue:
        return _with_value(scan, work.stage.name, work.reduction, body, work.stage.results[0]), []
    if known is None:
        known = Result(fresh_name(f"{work.stage.name}_{work.reduction}", taken), scan.lanes)
        taken.add(known.name)
        scan = _with_value(scan, known.name, work.reduction, body, known)
    return scan, [_rest(work.stage, work, scan, known, whole=whole)]


def _rest(stage: Stage, work: _Work, scan: ScanStage, known: Result, *, whole: bool) -> AnyStage:
    """What a stage still has to do when its reduction over the steps is `known`."""
    if whole:
        (result,) = stage.results
        return PointStage(stage.axes, (result,), (substitute(stage.epilogue, {stage.total: known.read}),))
    over = tuple(axis for axis in stage.over if axis != scan.axis)
    return replace(stage, over=over, body=reduce(mul, (*work.outside, known.read)))


def _reduced_already(scan: ScanStage, reduction: str, body: Expr) -> Result | None:
    """Where the recurrence leaves this very reduction, if it does."""
    for state in scan.states:
        carry, start = scan.carries[state.which], scan.starts[state.which]
        same = scan.steps[state.which] == STEPS[reduction](carry, body)
        if state.final and same and start == Constant(NEUTRAL[reduction]):
            return state.result
    return None


def _with_value(scan: ScanStage, name: str, reduction: str | None, body: Expr, result: Result) -> ScanStage:
    """The recurrence with a further value: `body` at each step, or what that is reduced to, stored as `result`."""
    carry = Carry(fresh_name(name, {known.name for known in scan.carries}), scan.lanes)
    start = Constant(NEUTRAL[reduction] if reduction else 0.0)
    step = STEPS[reduction](carry, body) if reduction else body
    return replace(
        scan,
        carries=(*scan.carries, carry),
        starts=(*scan.starts, start),
        steps=(*scan.steps, step),
        states=(*scan.states, States(result, len(scan.carries), final=bool(reduction))),
    )


def _without_unread(scan: ScanStage, read: Collection[str]) -> ScanStage:
    """The recurrence without the states that nothing reads, and without the values that it then needs no more."""
    states = [state for state in scan.states if state.result.name in read]
    needed: set[int] = set()
    pending = [state.which for state in states]
    while pending:
        which = pending.pop()
        if which not in needed:
            needed.add(which)
            nodes = set(subexpressions([scan.steps[which]]))
            pending += [other for other, carry in enumerate(scan.carries) if carry in nodes]
    kept = sorted(needed)
    return replace(
        scan,
        carries=tuple(scan.carries[which] for which in kept),
        starts=tuple(scan.starts[which] for which in kept),
        steps=tuple(scan.steps[which] for which in kept),
        states=tuple(replace(state, which=kept.index(state.which)) for state in states),
    )
