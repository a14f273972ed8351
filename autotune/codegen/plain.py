"""Code of stages without register tiles, as plain loops for LLVM to vectorize."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from autotune.codegen.environment import Env
from autotune.codegen.frame import Frame
from autotune.codegen.loops import ALL, Classes, loops, vectors
from autotune.codegen.nests import Terms, constant_places, nest, written_out
from autotune.codegen.points import Points
from autotune.codegen.reductions import reduced
from autotune.codegen.replay import write_replay
from autotune.codegen.scan import write_scan
from autotune.codegen.scopes import Scope, Value
from autotune.codegen.text import Lines, constant
from autotune.lang import Affine, Axis, Expr
from autotune.schedule import AnyStage, PointStage, ReplayStage, Result, ScanStage, ScatterStage, Stage
from autotune.schedule.conditions import Inside, Residue, guards, periods
from autotune.schedule.loops import SCALAR, LoopPlan


def write_plain(lines: Lines, frame: Frame, stage: AnyStage, plan: LoopPlan = SCALAR) -> None:
    """The loops of a stage; what they newly use of `frame` is to be declared before."""
    points = Points(frame, stage.roots, plan)
    match stage:
        case PointStage():
            _points(points, stage)
        case Stage():
            _reduction(points, stage)
        case ScatterStage():
            _scatter(points, stage)
        case ScanStage():
            write_scan(points, stage)
        case ReplayStage():
            write_replay(points, stage)
    points.top.write(lines)


def write_start(lines: Lines, frame: Frame, stage: Stage, plan: LoopPlan) -> None:
    """Set the result of a sum to 0, before its terms are added block by block."""
    points = Points(frame, stage.roots, plan)
    (result,) = stage.results
    for scope, envs in vectors(points, points.top, stage.axes, Env({})):
        for env in envs:
            scope.add(points.elements.write(result, env, Value(constant(0.0), scope, atomic=True)))
    points.top.write(lines)


def write_terms(lines: Lines, frame: Frame, stage: Stage, plan: LoopPlan) -> None:
    """Add the terms of a sum that are within the ranges of `frame` to its result."""
    points = Points(frame, stage.roots, plan)
    (result,) = stage.results
    for scope, envs in vectors(points, points.top, stage.axes, Env({})):
        totals = reduced(points, stage.reduction, stage.over, stage.body, envs, scope, "total")
        for total, env in zip(totals, envs, strict=True):
            scope.add(points.elements.write(result, env, total, add=True))
            points.frame.release(total.text)
    points.top.write(lines)


def write_parts(lines: Lines, frame: Frame, stage: Stage, parts: str, tasks: int) -> None:
    """Set the result of a sum to the total of `parts`, an array of what each of `tasks` has of it."""
    points = Points(frame, stage.roots)
    (result,) = stage.results
    for scope, env in loops(points, points.top, stage.axes, Env({})):
        total, task = frame.numbered("total"), frame.name("task")
        scope.add(f"{total} = {constant(0.0)}")
        at = ", ".join([task, *(frame.affine(env.places[axis].index) for axis in stage.axes)])
        with scope.block(f"for {task} in range({tasks}):") as inner:
            inner.add(f"{total} += {parts}[{at}]")
        scope.add(points.elements.write(result, env, Value(total, scope, atomic=True)))
    points.top.write(lines)


def write_end(lines: Lines, frame: Frame, stage: Stage, plan: LoopPlan) -> None:
    """Do to each sum what is to be done to it, when all of its terms are added."""
    if not stage.has_epilogue:
        return
    points = Points(frame, stage.roots, plan)
    (result,) = stage.results
    for scope, envs in vectors(points, points.top, stage.axes, Env({})):
        for env in envs:
            total = points.elements.named(result, env, scope)
            _store(points, result, stage.epilogue, env.knowing({stage.total: total}), scope)
    points.top.write(lines)


def _store(points: Points, result: Result, expr: Expr, env: Env, scope: Scope) -> None:
    """Write the value of `expr` as an element of a result."""
    value = points.value(expr, env, scope)
    if result.integer and not value.integer:
        value = replace(value, text=f"{'whole' if value.wide else 'int'}({value.text})", integer=True)
    elif value.integer and not result.integer:
        value = value.real()
    scope.add(points.elements.write(result, env, value))


def _points(points: Points, stage: PointStage) -> None:
    """`for every index: each result in turn`."""
    for scope, envs in vectors(points, points.top, stage.axes, Env({})):
        for env in envs:
            for result, expr in zip(stage.results, stage.exprs, strict=True):
                if points.uses[result.read]:  # by later ones, which share all else that is known as well
                    scope.known[env.key(result.read)] = points.named(expr, env, scope)
                    _store(points, result, result.read, env, scope)
                else:
                    _store(points, result, expr, env, scope)
            points.elements.ask_ahead(env, scope)


def _reduction(points: Points, stage: Stage) -> None:
    """`for every index of the result: for every index reduced over`, in each residue class."""
    periodic = periods(_conditions(points, stage), stage.axes)
    classes = {axis: [Residue(start, period) for start in range(period)] for axis, period in periodic.items()}
    outer = [axis for axis in stage.axes if axis not in stage.inner]
    for scope, envs in vectors(points, points.top, outer, Env({}), classes):
        _reduced(points, stage, classes, scope, envs)


def _conditions(points: Points, stage: Stage) -> list[Inside]:
    """Those of the terms, each axis standing for its index."""
    places = {axis: Affine.of(axis) for axis in stage.all_axes}
    found = guards(stage.reduction, stage.body, places, points.frame.extents)
    return [condition for guard in found for condition in guard.conditions]


def _reduced(points: Points, stage: Stage, classes: Classes, scope: Scope, envs: Sequence[Env]) -> None:
    """What is inside the loops over the result."""
    if stage.inner and written_out(points, stage.inner) == stage.inner:
        _written_out(points, stage, scope, envs)
        return
    if stage.inner:
        for chosen in product(*(classes.get(axis, (ALL,)) for axis in stage.inner)):
            _accumulated(points, stage, dict(zip(stage.inner, chosen, strict=True)), scope, envs[0])
        return
    totals = reduced(points, stage.reduction, stage.over, stage.body, envs, scope, "total")
    for total, env in zip(totals, envs, strict=True):
        _store(points, stage.results[0], stage.epilogue, env.knowing({stage.total: total}), scope)
        points.frame.release(total.text)


def _written_out(points: Points, stage: Stage, scope: Scope, envs: Sequence[Env]) -> None:
    """`over: total += term` with a total in a register for each index of the inner axes, which are few."""
    (result,) = stage.results
    places = list(constant_places(points, stage.inner))
    each = [(env, place) for env in envs for place in places]
    totals = [points.frame.numbered("total") for _ in each]
    wide, position = [False] * len(each), len(scope.items)
    scope.add(*[""] * len(each))
    terms = Terms(stage.reduction, stage.body, without=stage.inner)
    for inner, (there,) in nest(points, scope, stage.over, envs[0], terms):
        for number, (env, place) in enumerate(each):
            value = points.real(stage.body, env.beside(there, stage.over).at(place), inner)
            wide[number] = wide[number] or value.wide
            inner.add(f"{totals[number]} = {totals[number]} + {value.text}")
    zero = constant(0.0)
    scope.items[position : position + len(each)] = [
        f"{total} = {f'splat({zero})' if vector else zero}" for total, vector in zip(totals, wide, strict=True)
    ]
    for total, vector, (env, place) in zip(totals, wide, each, strict=True):
        value = Value(total, scope, atomic=True, wide=vector)
        _store(points, result, stage.epilogue, env.at(place).knowing({stage.total: value}), scope)


def _accumulated(points: Points, stage: Stage, chosen: Mapping[Axis, Residue], scope: Scope, env: Env) -> None:
    """`inner: result = 0`, then `over: inner: result += term`, then `inner: result = epilogue`."""
    (result,) = stage.results
    order = sorted(stage.inner, key=lambda axis: axis == points.plan.vector)
    classes = {axis: (residue,) for axis, residue in chosen.items()}
    for inner, envs in vectors(points, scope, order, env, classes):
        for there in envs:
            inner.add(points.elements.write(result, there, Value(constant(0.0), inner, atomic=True)))
    terms = Terms(stage.reduction, stage.body)
    for inner, envs in nest(points, scope, (*stage.over, *order), env, terms, chosen):
        for there in envs:
            inner.add(points.elements.write(result, there, points.real(stage.body, there, inner), add=True))
    if stage.has_epilogue:
        for inner, envs in vectors(points, scope, order, env, classes):
            for there in envs:
                total = points.elements.named(result, there, inner)
                _store(points, result, stage.epilogue, there.knowing({stage.total: total}), inner)


def _scatter(points: Points, stage: ScatterStage) -> None:
    """`result = 0`, then for all loops `result[…] += body` where the indices are inside."""
    (result,) = stage.results
    last = sorted(stage.axes, key=lambda axis: axis == points.plan.vector)
    for scope, envs in vectors(points, points.top, last, Env({})):
        for env in envs:
            scope.add(points.elements.write(result, env, Value(constant(0.0), scope, atomic=True)))
    onto = dict(zip(stage.onto, stage.indices, strict=True))
    inside = [Inside(Affine.of(index), axis.extent) for axis, index in onto.items() if not isinstance(index, Expr)]
    order = sorted(stage.loops, key=lambda axis: axis == points.plan.vector)
    for scope, envs in nest(points, points.top, order, Env({}), Terms("sum", stage.body, tuple(inside))):
        for env in envs:
            _scattered(points, stage, scope, env)


def _scattered(points: Points, stage: ScatterStage, scope: Scope, env: Env) -> None:
    """Add one term, or in a vector loop one for each lane, which the plan's axis keeps apart."""
    (result,) = stage.results
    place = f"a dimension of what {stage.name} adds to" if stage.strict else ""
    extents = [axis.extent for axis in stage.onto]
    found = points.located(stage.indices, extents, env, scope, place, padded=True)
    places = {}
    for axis, text, index, at in zip(stage.onto, found.texts, found.affine, found.own, strict=True):
        places[axis] = points.variables.place(text, index, axis.extent, at)
    there, value = env.at(places), points.real(stage.body, env, scope)
    if found.tests:
        with scope.block(f"if {points.indices.all_of(found.tests, scope)}:") as block:
            block.add(points.elements.write(result, there, value, add=True))
    else:
        scope.add(points.elements.write(result, there, value, add=True))
