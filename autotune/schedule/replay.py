"""The residual policy of recurrences: where a scan that runs back along another finds the states of the other.

The reverse of a recurrence reads its states from the last to the first. They may all be kept, in an array over all
lanes and steps (the stages as they are), or each lane may be run forward and at once back, its states in a buffer that
stays in the cache ("recompute"), or with only every k-th state kept on the way forward and the steps in between run
again ("every_k"). The reverse of an Asian option took 23.3 ms with all states kept and 19.6 with one lane's
(KERNELS.md §2.1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autotune.lang import Affine, Axis, Constant, Expr, Position, Read, greater, where
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import substitute
from autotune.schedule.stages import AnyStage, PointStage, ReplayStage, Result, ScanStage, States, tensors_read

ALL, RECOMPUTE = "all", "recompute"
POLICIES = (ALL, "every_16", RECOMPUTE)


@dataclass(frozen=True)
class Pair:
    """A scan and the one that runs back along it, by their places among the stages, and the states that it reads."""

    forward: int
    backward: int
    states: tuple[States, ...]


def pairs(stages: Sequence[AnyStage], outputs: Sequence[str]) -> tuple[Pair, ...]:
    """The scans whose states nothing reads but one scan that runs back along the same lanes, step by step."""
    found: dict[int, Pair] = {}
    for place, stage in enumerate(stages):
        if not isinstance(stage, ScanStage) or place in found:  # one that runs back itself is not run again
            continue
        states = tuple(state for state in stage.states if not state.final)
        names = {state.result.name for state in states}
        readers = [later for later, other in enumerate(stages) if names & {read.tensor for read in tensors_read(other)}]
        if states and not names & set(outputs) and len(readers) == 1 and readers[0] not in found:
            backward = stages[readers[0]]
            if isinstance(backward, ScanStage) and _runs_back(stage, backward, names):
                found[readers[0]] = Pair(place, readers[0], states)
    return tuple(found.values())


def policies(stages: Sequence[AnyStage], outputs: Sequence[str]) -> tuple[str, ...]:
    """The policies there are a choice of; none where no scan runs back along another."""
    return POLICIES if pairs(stages, outputs) else ()


def replayed(stages: Sequence[AnyStage], outputs: Sequence[str], policy: str) -> tuple[AnyStage, ...]:
    """The stages under a policy, one of `POLICIES`."""
    if policy == ALL:
        return tuple(stages)
    found = list(stages)
    every = 0 if policy == RECOMPUTE else int(policy.removeprefix("every_"))
    for pair in reversed(pairs(stages, outputs)):
        forward, backward = stages[pair.forward], stages[pair.backward]
        assert isinstance(forward, ScanStage)
        assert isinstance(backward, ScanStage)
        between, finals = found[pair.forward + 1 : pair.backward], tuple(s for s in forward.states if s.final)
        waiting = _after_lanes(finals, between)
        own = _with_inlined(backward, waiting)
        if waiting and own is None:  # what the first ends with is needed in between
            first, last, before, after = [replace(forward, states=finals)], backward, between, []
            forward = replace(forward, states=pair.states)
        else:
            needed = {
                *outputs,
                *(read.tensor for stage in (*waiting, *found[pair.backward + 1 :]) for read in tensors_read(stage)),
            }
            first, last = [], own or backward
            after = [stage for stage in waiting if any(result.name in needed for result in stage.results)]
            before = [stage for stage in between if stage not in waiting]
        if every and not forward.reverse:
            replay = _by_segments(forward, last, pair.states, every)
        else:
            replay = _by_lanes(forward, last, pair.states)
        found[pair.forward : pair.backward + 1] = [*first, *before, replay, *after]
    return tuple(found)


def _after_lanes(finals: Sequence[States], between: Sequence[AnyStage]) -> list[AnyStage]:
    """The stages that need what the scan ends with, directly or through each other."""
    names = {state.result.name for state in finals}
    waiting = []
    for stage in between:
        if not names.isdisjoint(read.tensor for read in tensors_read(stage)):
            waiting.append(stage)
            names |= {result.name for result in stage.results}
    return waiting


def _with_inlined(backward: ScanStage, waiting: Sequence[AnyStage]) -> ScanStage | None:
    """The scan that runs back, computing for itself what it reads of these stages; None where it cannot."""
    values: dict[Expr, Expr] = {}
    for stage in waiting:
        if isinstance(stage, PointStage) and set(stage.axes) == set(backward.lanes):
            for result, expr in zip(stage.results, stage.exprs, strict=True):
                values[result.read] = substitute(expr, values)
    own = replace(
        backward,
        starts=tuple(substitute(start, values) for start in backward.starts),
        steps=tuple(substitute(step, values) for step in backward.steps),
    )
    left = {result.name for stage in waiting for result in stage.results}
    return own if left.isdisjoint(read.tensor for read in tensors_read(own)) else None


def _runs_back(forward: ScanStage, backward: ScanStage, names: set[str]) -> bool:
    lanes = set(forward.lanes)
    if forward.reverse == backward.reverse or forward.axis != backward.axis or lanes != set(backward.lanes):
        return False
    in_steps = subexpressions(backward.steps)
    reads = [read for read in tensors_read(backward) if read.tensor in names]
    return all(read in in_steps and _is_along(read, forward) for read in reads)


def _is_along(read: Read, forward: ScanStage) -> bool:
    """Whether a read of a state is that of its own lane, after or before the step."""
    by_name = {state.result.name: state.result for state in forward.states}
    earlier = Affine(((forward.axis, 1),), 1 if forward.reverse else -1)
    return all(
        index == axis or (axis == forward.axis and index == earlier)
        for index, axis in zip(read.indices, by_name[read.tensor].axes, strict=True)
    )


def _by_lanes(forward: ScanStage, backward: ScanStage, states: Sequence[States]) -> ReplayStage:
    """The states of a whole lane in buffers along the steps, read as they were."""
    axis = forward.axis
    buffers = {state.result.name: replace(state.result, axes=(axis,)) for state in states}
    reads: dict[Expr, Expr] = {
        read: Read(read.tensor, (read.indices[_dimension(states, read, axis)],), read.pad)
        for read in _state_reads(backward, buffers)
    }
    kept = tuple(
        state if state.final else replace(state, result=buffers[state.result.name]) for state in forward.states
    )
    return ReplayStage(
        backward.lanes,
        replace(forward, lanes=(), states=kept),
        replace(backward, lanes=(), steps=_with(backward, reads)),
    )


def _by_segments(forward: ScanStage, backward: ScanStage, states: Sequence[States], every: int) -> ReplayStage:
    """The states of a segment of a lane in buffers, those before each step and those after it where they are read."""
    axis = forward.axis
    names = {state.result.name: state for state in states}
    step = Axis(f"{axis.name}_step", axis.extent)
    before: dict[int, Result] = {}
    after: dict[int, Result] = {}
    reads: dict[Expr, Expr] = {}
    for read in _state_reads(backward, names):
        which = names[read.tensor].which
        if read.indices[_dimension(states, read, axis)] == axis:
            buffer = after.setdefault(which, Result(f"{read.tensor}_after", (axis,)))
            reads[read] = Read(buffer.name, (step,))
        else:
            buffer = before.setdefault(which, Result(f"{read.tensor}_before", (axis,)))
            value = Read(buffer.name, (step,))
            outside = Constant(read.pad or 0.0)
            reads[read] = value if read.pad is None else where(greater(Position(axis), 0), value, outside)
    saved = tuple(Result(f"{states[0].result.name}_saved_{which}", (axis,)) for which in range(len(forward.carries)))
    return ReplayStage(
        backward.lanes,
        replace(forward, lanes=(), states=tuple(state for state in forward.states if state.final)),
        replace(backward, lanes=(), steps=_with(backward, reads)),
        every,
        step,
        saved,
        tuple(before.items()),
        tuple(after.items()),
    )


def _state_reads(backward: ScanStage, names: Mapping[str, object]) -> Iterator[Read]:
    return (read for read in tensors_read(backward) if read.tensor in names)


def _dimension(states: Sequence[States], read: Read, axis: Axis) -> int:
    """Which dimension of what is read runs along the steps."""
    return next(state.result.axes.index(axis) for state in states if state.result.name == read.tensor)


def _with(backward: ScanStage, reads: Mapping[Expr, Expr]) -> tuple[Expr, ...]:
    return tuple(substitute(step, reads) for step in backward.steps)
