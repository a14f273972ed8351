"""Code of a recurrence and one that runs back along it, lane by lane (`autotune.schedule.replay`)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from autotune.codegen.nests import loops
from autotune.codegen.points import Env, Place, Points
from autotune.codegen.scan import finish, put, start, step, write_lane
from autotune.codegen.scopes import Scope
from autotune.lang import Affine, Axis
from autotune.schedule import ReplayStage, Result
from autotune.schedule.conditions import Variable


def write_replay(points: Points, stage: ReplayStage) -> None:
    """`for lanes: forward, its states into buffers; backward`, or both segment by segment."""
    with loops(points, points.top, stage.lanes, Env({})) as (scope, env):
        if stage.every:
            _write_segments(points, stage, scope, env)
        else:
            write_lane(points, stage.forward, scope, env)
            write_lane(points, stage.backward, scope, env)


def _write_segments(points: Points, stage: ReplayStage, scope: Scope, env: Env) -> None:
    """Forward, saving the values before each segment; then for each segment from the last: forward again, and back."""
    forward, backward = stage.forward, stage.backward
    names = start(points, forward, scope, env)
    with _segments(points, stage, scope, reverse=False) as (segment, place):
        for name, saved in zip(names, stage.saved, strict=True):
            put(points, saved, env.at({forward.axis: place}), segment, name)
        with _steps(points, stage, segment, place, env, reverse=False) as (inner, there):
            step(points, forward, names, inner, there)
    back = start(points, backward, scope, env)
    with _segments(points, stage, scope, reverse=True) as (segment, place):
        for name, saved in zip(names, stage.saved, strict=True):
            start_of = points.frame.start(saved.name)
            segment.add(f"{name} = get({start_of}, {points.element(saved, env.at({forward.axis: place}))})")
        with _steps(points, stage, segment, place, env, reverse=False) as (inner, there):
            _buffer(points, stage, stage.before, names, inner, there)
            step(points, forward, names, inner, there)
            _buffer(points, stage, stage.after, names, inner, there)
        with _steps(points, stage, segment, place, env, reverse=True) as (inner, there):
            step(points, backward, back, inner, there)
    finish(points, backward, back, scope, env)


def _buffer(
    points: Points,
    stage: ReplayStage,
    buffers: Sequence[tuple[int, Result]],
    names: Sequence[str],
    scope: Scope,
    env: Env,
) -> None:
    """Put carried values where the steps backward read them."""
    assert stage.step is not None
    within = env.at({stage.forward.axis: env.places[stage.step]})
    for which, result in buffers:
        put(points, result, within, scope, names[which])


@contextmanager
def _segments(points: Points, stage: ReplayStage, scope: Scope, *, reverse: bool) -> Iterator[tuple[Scope, Place]]:
    """A loop over the segments, from the last to the first if `reverse`; gives the place of the segment."""
    axis = stage.forward.axis
    name = points.frame.name(f"{axis.name}_segment")
    count = f"({points.frame.extent(axis.extent)} + {stage.every - 1}) // {stage.every}"
    with scope.block(f"for {name} in range({f'{count} - 1, -1, -1' if reverse else count}):") as inner:
        yield inner, points.enter(Variable(Axis(name, axis.extent)), inner)
    points.frame.release(name)


@contextmanager
def _steps(
    points: Points, stage: ReplayStage, scope: Scope, segment: Place, env: Env, *, reverse: bool
) -> Iterator[tuple[Scope, Env]]:
    """A loop over the steps of a segment: `step` is the place within it, the axis of the scans the place in all."""
    axis = stage.forward.axis
    assert stage.step is not None
    name = points.frame.name(f"{axis.name}_step")
    (number,) = segment.index.axes
    count = f"min({stage.every}, {points.frame.extent(axis.extent)} - {stage.every} * {number.name})"
    with scope.block(f"for {name} in range({f'{count} - 1, -1, -1' if reverse else count}):") as inner:
        within = points.enter(Variable(Axis(name, axis.extent)), inner)
        (place,) = within.index.axes
        whole = Place(Affine.total([(number, stage.every), (place, 1)], 0), inner)
        yield inner, env.at({axis: whole, stage.step: within})
    points.frame.release(name)
