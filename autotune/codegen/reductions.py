"""Reductions in loops of their own: term by term, or along vectors whose lanes are reduced in the end."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from autotune.codegen.environment import Env
from autotune.codegen.loops import loops
from autotune.codegen.nests import Terms, constant_places, nest, written_out
from autotune.codegen.points import Points
from autotune.codegen.scopes import Scope, Value
from autotune.codegen.text import constant, unwrapped
from autotune.lang import Apply, Axis, Constant, Expr
from autotune.lang.indexing import is_integer
from autotune.schedule.conditions import NEUTRAL

# How a reduction takes in an element.
FORMS = {
    "sum": "{total} + {value}",
    "prod": "{total} * {value}",
    "max": "larger({total}, {value})",
    "min": "smaller({total}, {value})",
    "first_max": "larger({total}, {value})",
    "first_min": "smaller({total}, {value})",
}


def reduced(
    points: Points,
    reduction: str,
    over: Sequence[Axis],
    body: Expr,
    envs: Sequence[Env],
    scope: Scope,
    name: str,
) -> list[Value]:
    """The reductions of `body` over axes in some environments, computed in block `scope` by loops of their own."""
    if reduction in ("argmax", "argmin"):
        return [_position(points, reduction, over, body, env, scope) for env in envs]
    if points.plan.vector in over and envs[0].wide is None:
        return [_across(points, reduction, over, body, env, scope, name) for env in envs]
    totals = [points.frame.name(name) if name == "total" else points.frame.numbered(name) for _ in envs]
    wide, position = [False] * len(envs), len(scope.items)
    scope.add(*[""] * len(envs))
    with _where_needed(points, reduction, over, body, envs[0], scope) as (needed, terms):
        for inner, (there,) in nest(points, needed, over, envs[0], Terms(reduction, terms)):
            for number, (total, env) in enumerate(zip(totals, envs, strict=True)):
                value = points.real(terms, env.beside(there, over) if number else there, inner)
                wide[number] = wide[number] or value.wide
                inner.add(f"{total} = {FORMS[reduction].format(total=total, value=value.text)}")
    neutral = constant(NEUTRAL[reduction])
    scope.items[position : position + len(envs)] = [
        f"{total} = {f'splat({neutral})' if vector else neutral}" for total, vector in zip(totals, wide, strict=True)
    ]
    return [Value(total, scope, atomic=True, wide=vector) for total, vector in zip(totals, wide, strict=True)]


@contextmanager
def _where_needed(
    points: Points, reduction: str, over: Sequence[Axis], body: Expr, env: Env, scope: Scope
) -> Iterator[tuple[Scope, Expr]]:
    """A block that is run only where a sum has terms, and the terms there.

    It is `scope` and `body` but where these are 0 unless a condition holds, the same one for all of them.
    """
    match body:
        case Apply("where", (condition, terms, Constant(0.0))):
            holds = "{}"
        case Apply("where", (condition, Constant(0.0), terms)):
            holds = "not ({})"
        case _:
            yield scope, body
            return
    if reduction != "sum" or not {*over, points.plan.vector}.isdisjoint(condition.axes):
        yield scope, body
        return
    with scope.block(f"if {holds.format(points.condition(condition, env, scope))}:") as inner:
        yield inner, terms


# The reduction of the lanes of a vector.
ACROSS = {
    "sum": "total({})",
    "prod": "product({})",
    "max": "largest({})",
    "min": "smallest({})",
    "first_max": "largest({})",
    "first_min": "smallest({})",
}


def _across(
    points: Points, reduction: str, over: Sequence[Axis], body: Expr, env: Env, scope: Scope, name: str
) -> Value:
    """A reduction along vectors: one partial result for each of those that are at once, then all lanes of all."""
    axis, neutral, form = points.plan.vector, constant(NEUTRAL[reduction]), FORMS[reduction]
    order = [*(other for other in over if other != axis), *(other for other in over if other == axis)]
    parts = [points.frame.numbered("part") for _ in range(points.plan.copies)]
    scope.add(*(f"{part} = splat({neutral})" for part in parts))
    with _where_needed(points, reduction, over, body, env, scope) as (needed, terms):
        for inner, envs in nest(points, needed, order, env, Terms(reduction, terms)):
            for part, there in zip(parts, envs, strict=False):
                inner.add(f"{part} = {form.format(total=part, value=_term(points, terms, there, inner, neutral))}")
                points.elements.ask_ahead(there, inner)
    total = points.frame.name(name) if name == "total" else points.frame.numbered(name)
    while len(parts) > 1:
        half = (len(parts) + 1) // 2
        for first, second in zip(parts[:half], parts[half:], strict=False):
            scope.add(f"{first} = {form.format(total=first, value=second)}")
        parts = parts[:half]
    scope.add(f"{total} = {ACROSS[reduction].format(parts[0])}")
    return Value(total, scope, atomic=True)


def _term(points: Points, body: Expr, env: Env, scope: Scope, neutral: str) -> str:
    """A vector of terms, neutral in the lanes beyond the end of the loop."""
    assert env.wide is not None
    value = points.real(body, env, scope)
    if env.wide.count is not None:
        text = unwrapped(value.text) if value.wide else f"splat({unwrapped(value.text)})"
        return f"select(first_lanes({env.wide.count}), {text}, {neutral})"
    return value.text if value.wide else f"splat({unwrapped(value.text)})"


def _position(points: Points, reduction: str, over: Sequence[Axis], body: Expr, env: Env, scope: Scope) -> Value:
    """Where the body is largest or smallest: the first such place, the first NaN if there is one."""
    best, at = points.frame.numbered("best"), points.frame.numbered("at")
    whole, wide = is_integer(body), False
    least = "-(2 ** 63 - 1)" if whole else constant(-math.inf)
    start = least if reduction == "argmax" else least.replace("-", "", 1)
    initial = len(scope.items)
    scope.add("", "")
    better = ">" if reduction == "argmax" else "<"
    few = written_out(points, over)
    each = [axis for axis in over if axis not in few]
    steps = ((i, e.at(places)) for i, e in loops(points, scope, each, env) for places in constant_places(points, few))
    for inner, there in steps:
        found = points.named(body, there, inner)
        value, wide = (found if whole else found.real()).text, found.wide
        position = ""
        for axis in over:
            index = points.frame.affine(there.places[axis].index)
            position = f"({position}) * {points.frame.extent(axis.extent)} + {index}" if position else index
        if wide:
            is_better = points.frame.numbered("better")
            inner.add(
                f"{is_better} = ({value} {better} {best}) | (({value} != {value}) & ({best} == {best}))",
                f"{best} = select({is_better}, {value}, {best})",
                f"{at} = select({is_better}, splat({position}), {at})",
            )
        else:
            with inner.block(f"if {value} {better} {best} or ({value} != {value} and {best} == {best}):") as block:
                block.add(f"{best} = {value}", f"{at} = {position}")
    scope.items[initial : initial + 2] = [
        f"{best} = {f'splat({start})' if wide else start}",
        f"{at} = {'splat(0)' if wide else '0'}",
    ]
    return Value(at, scope, integer=True, atomic=True, wide=wide)
