"""Code of recurrences: the carried values are local variables, from step to step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from autotune.codegen.environment import Env
from autotune.codegen.lane_squares import BlockStep, LaneSquares, blocks, steps
from autotune.codegen.loops import loop, vectors
from autotune.codegen.points import Points
from autotune.codegen.scopes import Scope, Value
from autotune.codegen.text import constant, unwrapped
from autotune.schedule import ScanStage, States

Elsewhere: TypeAlias = Mapping[str, Callable[[Value], str]]
"""The statements that store values after a step, of those results that are not written to their own arrays."""
Lane: TypeAlias = tuple[Sequence[Value], Env]
"""The variables that hold the carried values, and where they are, of one lane or a vector of lanes."""
NOWHERE: Elsewhere = MappingProxyType({})


def write_scan(points: Points, stage: ScanStage) -> None:
    """`for lanes: state = start`, then `for every step: state = step(state)`, with the values that are read stored."""
    squares = LaneSquares(points, stage)
    for scope, envs in vectors(points, points.top, stage.lanes, Env({})):
        write_lanes(points, stage, squares, scope, envs)


def write_lanes(points: Points, stage: ScanStage, squares: LaneSquares, scope: Scope, envs: Sequence[Env]) -> None:
    """One lane of a recurrence in each environment, or a vector of lanes, in block `scope`."""
    names = [start(points, stage, scope, env) for env in envs]
    if squares and envs[0].wide:
        _write_blocks(points, stage, squares, scope, list(zip(names, envs, strict=True)))
    else:
        for inner, there in loop(points, scope, stage.axis, envs[0], reverse=stage.reverse):
            for own, env in zip(names, envs, strict=True):
                step(points, stage, own, inner, env.beside(there, (stage.axis,)))
    for own, env in zip(names, envs, strict=True):
        finish(points, stage, own, scope, env)


def _write_blocks(points: Points, stage: ScanStage, squares: LaneSquares, scope: Scope, lanes: Sequence[Lane]) -> None:
    """The steps in blocks, whose arrays are transposed before and after."""
    envs = [env for _, env in lanes]
    for inner, block in blocks(points, scope, stage.axis, reverse=stage.reverse):
        squares.gather(envs, block, inner)
        for innermost, place in steps(points, inner, stage.axis, block, reverse=stage.reverse):
            there = [(carried, env.at({stage.axis: place.whole})) for carried, env in lanes]
            step_in_block(points, stage, squares, innermost, there, place)
        squares.scatter(envs, block, inner)


def step_in_block(
    points: Points, stage: ScanStage, squares: LaneSquares, scope: Scope, lanes: Sequence[Lane], place: BlockStep
) -> None:
    """A step of each of the vectors that are at once, between what is transposed before the block and after."""
    for copy, (carried, env) in enumerate(lanes):
        elsewhere = {read.tensor: partial(squares.write, read, copy, place) for read in squares.written}
        step(points, stage, carried, scope, squares.read(env, copy, place, scope), elsewhere)


def start(points: Points, stage: ScanStage, scope: Scope, env: Env) -> list[Value]:
    """Give the carried values their start; gives the variables that hold them, vectors in a vector loop."""
    names = [points.frame.name(f"{carry.name}_state") for carry in stage.carries]
    starts = [points.real(start, env, scope) for start in stage.starts]
    wide = env.wide is not None
    for name, value in zip(names, starts, strict=True):
        text = f"splat({unwrapped(value.text)})" if wide and not value.wide else unwrapped(value.text)
        scope.add(f"{name} = {text}")
    return [Value(name, scope, atomic=True, wide=wide) for name in names]


def step(
    points: Points,
    stage: ScanStage,
    carried: Sequence[Value],
    scope: Scope,
    env: Env,
    elsewhere: Elsewhere = NOWHERE,
) -> None:
    """One step of a recurrence, at the place of its axis in `env`, and the storing of what is stored of every step."""
    here = [replace(value, scope=scope) for value in carried]
    within = env.knowing(dict(zip(stage.carries, here, strict=True)))
    after = [points.named_real(expr, within, scope) for expr in stage.steps]
    for state in stage.states:
        if not state.final:
            write = elsewhere.get(state.result.name, partial(points.elements.write, state.result, within))
            scope.add(write(after[state.which]))
    texts = [
        f"splat({new.text})" if old.wide and not new.wide else new.text for old, new in zip(here, after, strict=True)
    ]
    scope.add(f"{', '.join(value.text for value in here)} = {', '.join(texts)}")


def finish(points: Points, stage: ScanStage, carried: Sequence[Value], scope: Scope, env: Env) -> None:
    """Store what is stored of the values after the last step."""
    for state in stage.states:
        if state.final:
            scope.add(points.elements.write(state.result, env, _last(points, stage, state, carried[state.which])))


def _last(points: Points, stage: ScanStage, state: States, value: Value) -> Value:
    """The value after the last step; another one where there is no step."""
    if state.empty is None:
        return value
    empty = f"splat({constant(state.empty)})" if value.wide else constant(state.empty)
    text = f"({value.text} if {points.frame.extent(stage.axis.extent)} > 0 else {empty})"
    return replace(value, text=text, atomic=False)
