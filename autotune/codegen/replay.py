"""Code of a recurrence and one that runs back along it, lane by lane (`autotune.schedule.replay`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from autotune.codegen.environment import Env
from autotune.codegen.lane_squares import Block, BlockStep, LaneSquares, blocks, steps
from autotune.codegen.loops import vectors
from autotune.codegen.points import Points
from autotune.codegen.scan import Lane, finish, start, step_in_block, write_lanes
from autotune.codegen.scopes import Scope
from autotune.schedule import ReplayStage, Result

Buffers: TypeAlias = Sequence[tuple[int, Result]]
"""Which of the carried values goes into which buffer."""


def write_replay(points: Points, stage: ReplayStage) -> None:
    """`for lanes: forward, its states into buffers; backward`, or both segment by segment."""
    if points.plan.vector is not None:
        points.frame.lane_buffers |= {buffer.name for buffer in stage.buffers}
    forward, backward = (LaneSquares(points, scan) for scan in (stage.forward, stage.backward))
    for scope, envs in vectors(points, points.top, stage.lanes, Env({})):
        if stage.every:
            _Segments(points, stage, forward, backward).write(scope, envs)
        else:
            write_lanes(points, stage.forward, forward, scope, envs)
            write_lanes(points, stage.backward, backward, scope, envs)


@dataclass(frozen=True)
class _Segments:
    """Forward, saving the values before each segment; then for each segment from the last: forward again, and back."""

    points: Points
    stage: ReplayStage
    forward: LaneSquares
    backward: LaneSquares

    def write(self, scope: Scope, envs: Sequence[Env]) -> None:
        """The loops over the segments, for one lane or vector in each environment."""
        points, forward, backward = self.points, self.stage.forward, self.stage.backward
        ahead = [(start(points, forward, scope, env), env) for env in envs]
        for inner, segment in blocks(points, scope, forward.axis, self.stage.every, reverse=False):
            for carried, env in ahead:
                for value, saved in zip(carried, self.stage.saved, strict=True):
                    inner.add(points.elements.write(saved, env.at({forward.axis: segment.first}), value))
            self._run_forward(inner, ahead, segment)
        for carried, env in ahead:
            finish(points, forward, carried, scope, env)
        back = [(start(points, backward, scope, env), env) for env in envs]
        for inner, segment in blocks(points, scope, forward.axis, self.stage.every, reverse=True):
            for carried, env in ahead:
                for value, saved in zip(carried, self.stage.saved, strict=True):
                    found = points.elements.buffered(saved, env.at({forward.axis: segment.first}))
                    inner.add(f"{value.text} = {found}")
            self._run_forward(inner, ahead, segment, self.stage.before, self.stage.after)
            self.backward.gather(envs, segment, inner)
            for innermost, place in steps(points, inner, forward.axis, segment, reverse=True):
                step_in_block(points, backward, self.backward, innermost, self._at(back, place), place)
            self.backward.scatter(envs, segment, inner)
        for carried, env in back:
            finish(points, backward, carried, scope, env)

    def _run_forward(
        self, scope: Scope, lanes: Sequence[Lane], segment: Block, before: Buffers = (), after: Buffers = ()
    ) -> None:
        """The steps of a segment, with carried values put where the steps backward read them."""
        self.forward.gather([env for _, env in lanes], segment, scope)
        for inner, place in steps(self.points, scope, self.stage.forward.axis, segment, reverse=False):
            there = self._at(lanes, place)
            self._keep(inner, there, place, before)
            step_in_block(self.points, self.stage.forward, self.forward, inner, there, place)
            self._keep(inner, there, place, after)

    def _at(self, lanes: Sequence[Lane], place: BlockStep) -> list[Lane]:
        """The lanes at a step: `step` is the place within the segment, the axis of the scans the place in all."""
        assert self.stage.step is not None
        places = {self.stage.forward.axis: place.whole, self.stage.step: place.within}
        return [(carried, env.at(places)) for carried, env in lanes]

    def _keep(self, scope: Scope, lanes: Sequence[Lane], place: BlockStep, buffers: Buffers) -> None:
        for carried, env in lanes:
            there = env.at({self.stage.forward.axis: place.within})
            for which, result in buffers:
                scope.add(self.points.elements.write(result, there, carried[which]))
