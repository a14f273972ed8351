"""Code of recurrences: the carried values are local variables, from step to step."""

from autotune.codegen.nests import loops
from autotune.codegen.points import Env, Points, constant
from autotune.codegen.scopes import Scope, Value
from autotune.codegen.text import unwrapped
from autotune.schedule import ScanStage, States


def write_scan(points: Points, stage: ScanStage) -> None:
    """`for lanes: state = start`, then `for every step: state = step(state)`, with the values that are read stored."""
    with loops(points, points.top, stage.lanes, Env({})) as (scope, env):
        names = [points.frame.name(f"{carry.name}_state") for carry in stage.carries]
        starts = [points.real(start, env, scope).text for start in stage.starts]
        scope.add(*(f"{name} = {unwrapped(start)}" for name, start in zip(names, starts, strict=True)))
        with loops(points, scope, (stage.axis,), env, reverse=stage.reverse) as (step, there):
            carried = [Value(name, step, atomic=True) for name in names]
            within = there.knowing(dict(zip(stage.carries, carried, strict=True)))
            after = [points.named_real(expr, within, step).text for expr in stage.steps]
            for state in stage.states:
                if not state.final:
                    _put(points, state, within, step, after[state.which])
            step.add(f"{', '.join(names)} = {', '.join(after)}")
        for state in stage.states:
            if state.final:
                _put(points, state, env, scope, _last(points, stage, state, names[state.which]))


def _put(points: Points, state: States, env: Env, scope: Scope, text: str) -> None:
    result = state.result
    scope.add(f"put({points.frame.start(result.name)}, {points.element(result, env)}, {text})")


def _last(points: Points, stage: ScanStage, state: States, name: str) -> str:
    """The value after the last step; another one where there is no step."""
    if state.empty is None:
        return name
    return f"{name} if {points.frame.extent(stage.axis.extent)} > 0 else {constant(state.empty)}"
