"""Code of stages without register tiles, as plain loops for LLVM to vectorize."""

from collections.abc import Mapping, Sequence
from itertools import product

from autotune.codegen.frame import Frame
from autotune.codegen.nests import Terms, loop, loops, nest, reduced
from autotune.codegen.points import Env, Points, as_real, constant
from autotune.codegen.replay import write_replay
from autotune.codegen.scan import write_scan
from autotune.codegen.scopes import Scope, Value
from autotune.codegen.text import Lines, unwrapped
from autotune.lang import Affine, Axis, Expr
from autotune.schedule import AnyStage, PointStage, ReplayStage, Result, ScanStage, ScatterStage, Stage
from autotune.schedule.conditions import Inside, Residue, guards, periods


def write_plain(lines: Lines, frame: Frame, stage: AnyStage) -> None:
    """The code of a stage: strides and first elements that are new, then its loops."""
    points = Points(frame, stage.roots)
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
    lines.add(*frame.declarations())
    points.top.write(lines)


def _store(points: Points, result: Result, expr: Expr, env: Env, scope: Scope) -> None:
    """Write the value of `expr` as an element of a result."""
    value = points.value(expr, env, scope)
    if result.integer != value.integer:
        text = f"int({value.text})" if result.integer else as_real(value).text
    else:
        text = value.text
    scope.add(f"put({points.frame.start(result.name)}, {points.element(result, env)}, {unwrapped(text)})")


def _points(points: Points, stage: PointStage) -> None:
    """`for every index: each result in turn`."""
    with loops(points, points.top, stage.axes, Env({})) as (scope, env):
        for result, expr in zip(stage.results, stage.exprs, strict=True):
            if points.uses[result.read]:
                env = env.knowing({result.read: points.named(expr, env, scope)})
                _store(points, result, result.read, env, scope)
            else:
                _store(points, result, expr, env, scope)


def _reduction(points: Points, stage: Stage) -> None:
    """`for every index of the result: for every index reduced over`, in each residue class."""
    classes = periods(_conditions(points, stage), stage.axes)
    outer = [axis for axis in stage.axes if axis not in stage.inner]
    _outer_loops(points, stage, outer, classes, points.top, Env({}))


def _conditions(points: Points, stage: Stage) -> list[Inside]:
    """Those of the terms, each axis standing for its index."""
    places = {axis: Affine.of(axis) for axis in stage.all_axes}
    found = guards(stage.reduction, stage.body, places, points.frame.extents)
    return [condition for guard in found for condition in guard.conditions]


def _outer_loops(
    points: Points, stage: Stage, axes: Sequence[Axis], classes: Mapping[Axis, int], scope: Scope, env: Env
) -> None:
    """The loops over `axes` and all inside them."""
    if axes:
        axis, *others = axes
        for residue in _residues(axis, classes):
            with loop(points, scope, axis, env, residue) as (inner, there):
                _outer_loops(points, stage, others, classes, inner, there)
    elif stage.inner:
        for chosen in product(*(_residues(axis, classes) for axis in stage.inner)):
            _accumulated(points, stage, dict(zip(stage.inner, chosen, strict=True)), scope, env)
    else:
        total = reduced(points, stage.reduction, stage.over, stage.body, env, scope, "total")
        _store(points, stage.results[0], stage.epilogue, env.knowing({stage.total: total}), scope)
        points.frame.release(total.text)


def _residues(axis: Axis, classes: Mapping[Axis, int]) -> list[Residue]:
    period = classes.get(axis, 1)
    return [Residue(start, period) for start in range(period)]


def _accumulated(points: Points, stage: Stage, chosen: Mapping[Axis, Residue], scope: Scope, env: Env) -> None:
    """`inner: result = 0`, then `over: inner: result += term`, then `inner: result = epilogue`."""
    (result,) = stage.results
    start = points.frame.start(result.name)
    with loops(points, scope, stage.inner, env, chosen) as (inner, there):
        inner.add(f"put({start}, {points.element(result, there)}, {constant(0.0)})")
    terms = Terms(stage.reduction, stage.body)
    with nest(points, scope, (*stage.over, *stage.inner), env, terms, chosen) as opened:
        if opened:
            inner, there = opened
            value, at = points.real(stage.body, there, inner), points.element(result, there)
            inner.add(f"put({start}, {at}, get({start}, {at}) + {value.text})")
    if stage.has_epilogue:
        with loops(points, scope, stage.inner, env, chosen) as (inner, there):
            total = Value(points.frame.numbered("total"), inner, atomic=True)
            inner.add(f"{total.text} = get({start}, {points.element(result, there)})")
            _store(points, result, stage.epilogue, there.knowing({stage.total: total}), inner)


def _scatter(points: Points, stage: ScatterStage) -> None:
    """`result = 0`, then for all loops `result[…] += body` where the indices are inside."""
    (result,) = stage.results
    start = points.frame.start(result.name)
    with loops(points, points.top, stage.axes, Env({})) as (scope, env):
        scope.add(f"put({start}, {points.element(result, env)}, {constant(0.0)})")
    onto = dict(zip(stage.onto, stage.indices, strict=True))
    inside = [Inside(Affine.of(index), axis.extent) for axis, index in onto.items() if not isinstance(index, Expr)]
    with nest(points, points.top, stage.loops, Env({}), Terms("sum", stage.body, tuple(inside))) as opened:
        if not opened:
            return
        scope, env = opened
        place = f"a dimension of what {stage.name} adds to" if stage.strict else ""
        extents = [axis.extent for axis in stage.onto]
        found = points.located(stage.indices, extents, env, scope, place, padded=True)
        texts = dict(zip(stage.onto, found.texts, strict=True))
        indices = [texts[axis] if axis in texts else points.frame.affine(env.places[axis].index) for axis in stage.axes]
        at = points.frame.offset(stage.name, indices)
        value = points.real(stage.body, env, scope)
        addition = f"put({start}, {at}, get({start}, {at}) + {value.text})"
        if found.tests:
            with scope.block(f"if {points.all_of(found.tests, scope)}:") as block:
                block.add(addition)
        else:
            scope.add(addition)
