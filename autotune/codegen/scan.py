"""Code of recurrences: the carried values are local variables, from step to step."""

from collections.abc import Sequence

from autotune.codegen.nests import loops
from autotune.codegen.points import Env, Points, constant
from autotune.codegen.scopes import Scope, Value
from autotune.codegen.text import unwrapped
from autotune.schedule import Result, ScanStage, States


def write_scan(points: Points, stage: ScanStage) -> None:
    """`for lanes: state = start`, then `for every step: state = step(state)`, with the values that are read stored."""
    with loops(points, points.top, stage.lanes, Env({})) as (scope, env):
        write_lane(points, stage, scope, env)


def write_lane(points: Points, stage: ScanStage, scope: Scope, env: Env) -> None:
    """One lane of a recurrence, in block `scope`."""
    names = start(points, stage, scope, env)
    with loops(points, scope, (stage.axis,), env, reverse=stage.reverse) as (inner, there):
        step(points, stage, names, inner, there)
    finish(points, stage, names, scope, env)


def start(points: Points, stage: ScanStage, scope: Scope, env: Env) -> list[str]:
    """Give the carried values their start; gives the names of the variables that hold them."""
    names = [points.frame.name(f"{carry.name}_state") for carry in stage.carries]
    starts = [points.real(start, env, scope).text for start in stage.starts]
    scope.add(*(f"{name} = {unwrapped(start)}" for name, start in zip(names, starts, strict=True)))
    return names


def step(points: Points, stage: ScanStage, names: Sequence[str], scope: Scope, env: Env) -> None:
    """One step of a recurrence, at the place of its axis in `env`, and the storing of what is stored of every step."""
    carried = [Value(name, scope, atomic=True) for name in names]
    within = env.knowing(dict(zip(stage.carries, carried, strict=True)))
    after = [points.named_real(expr, within, scope).text for expr in stage.steps]
    for state in stage.states:
        if not state.final:
            put(points, state.result, within, scope, after[state.which])
    scope.add(f"{', '.join(names)} = {', '.join(after)}")


def finish(points: Points, stage: ScanStage, names: Sequence[str], scope: Scope, env: Env) -> None:
    """Store what is stored of the values after the last step."""
    for state in stage.states:
        if state.final:
            put(points, state.result, env, scope, _last(points, stage, state, names[state.which]))


def put(points: Points, result: Result, env: Env, scope: Scope, text: str) -> None:
    """Write an element of a result, that of the indices of `env`."""
    scope.add(f"put({points.frame.start(result.name)}, {points.element(result, env)}, {text})")


def _last(points: Points, stage: ScanStage, state: States, name: str) -> str:
    """The value after the last step; another one where there is no step."""
    if state.empty is None:
        return name
    return f"{name} if {points.frame.extent(stage.axis.extent)} > 0 else {constant(state.empty)}"
