"""Loops over all indices of axes, one by one or a vector of them at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

from autotune.codegen.environment import Env, Place, Rows, Wide
from autotune.codegen.interior import Interior
from autotune.codegen.points import Points
from autotune.codegen.scopes import Scope
from autotune.lang import Affine, Axis
from autotune.schedule.conditions import Residue, Variable

Classes: TypeAlias = Mapping[Axis, Sequence[Residue]]
"""The residue classes in which the loop over an axis is run, one after the other, where there are several."""
NO_CLASSES: Classes = MappingProxyType({})
ALL = Residue()  # every index


def loop(
    points: Points, scope: Scope, axis: Axis, env: Env, residue: Residue = ALL, *, reverse: bool = False
) -> Iterator[tuple[Scope, Env]]:
    """A loop over all indices of an axis in a residue class, from the last to the first if `reverse`."""
    name = points.frame.name(f"{axis.name}_index")
    variable = Variable(Axis(name, axis.extent), residue)
    note = "" if residue.step == 1 else f"  # {axis} = {points.frame.affine(variable.index)}"
    first, last = points.frame.ranges.get(axis, ("0", how_many(points, axis, residue)))
    if reverse:
        bounds = f"{last} - 1, {f'{first} - 1' if first != '0' else '-1'}, -1"
    else:
        bounds = last if first == "0" else f"{first}, {last}"
    with scope.block(f"for {name} in range({bounds}):{note}") as inner:
        yield inner, env.at({axis: points.variables.enter(variable, inner)})
    points.frame.release(name)


def loops(
    points: Points, scope: Scope, axes: Sequence[Axis], env: Env, classes: Classes = NO_CLASSES
) -> Iterator[tuple[Scope, Env]]:
    """Loops over all indices of axes, outermost first, in the residue classes of each."""
    if not axes:
        yield scope, env
        return
    axis, *others = axes
    for residue in classes.get(axis, (ALL,)):
        for inner, there in loop(points, scope, axis, env, residue):
            yield from loops(points, inner, others, there, classes)


def vectors(
    points: Points, scope: Scope, axes: Sequence[Axis], env: Env, classes: Classes = NO_CLASSES
) -> Iterator[tuple[Scope, list[Env]]]:
    """Loops over all indices of axes, the plan's vector axis innermost: several vectors at once, then the rest.

    Gives a block with an environment for each of the vectors, and rows of them, that are at once; one where no loop is
    a vector's.
    """
    axis = points.plan.vector
    for inner, rows in _rows(points, scope, [other for other in axes if other != axis], env, classes):
        if axis is None or axis not in axes:
            yield inner, rows
            continue
        for residue in classes.get(axis, (ALL,)):
            bounds = points.frame.ranges.get(axis, ("0", how_many(points, axis, residue)))
            for block, places in lanes(points, inner, Variable(axis, residue), bounds):
                yield block, [row.at({axis: place}).over(wide) for row in rows for place, wide in places]


def _rows(
    points: Points, scope: Scope, axes: Sequence[Axis], env: Env, classes: Classes
) -> Iterator[tuple[Scope, list[Env]]]:
    """Loops over all indices of axes; several indices at once of the last, if the plan jams it."""
    if not axes or axes[-1] != points.plan.jammed:
        for inner, there in loops(points, scope, axes, env, classes):
            yield inner, [there]
        return
    *outer, axis = axes
    for inner, there in loops(points, scope, outer, env, classes):
        yield from _jammed(points, inner, axis, there)


def _jammed(points: Points, scope: Scope, axis: Axis, env: Env) -> Iterator[tuple[Scope, list[Env]]]:
    """A loop over all indices of an axis: several at once where all are inside what is read, else one by one."""
    frame, count = points.frame, points.plan.jam
    first, last = frame.ranges.get(axis, ("0", frame.extent(axis.extent)))
    variable, interior, together = Axis(frame.name(f"{axis.name}_index"), axis.extent), Interior(scope), Scope(scope)
    name, outer = variable.name, frame.name(f"{axis.name}_outer")
    start = points.variables.enter(Variable(variable), together)
    places = [Place(Affine.total([(variable, 1)], number), start.scope) for number in range(count)]
    yield together, [replace(env.at({axis: place}), rows=Rows(variable, interior)) for place in places]
    if count == 1 and not interior:
        scope.attach(together, f"for {name} in range({first}, {last}):")
        frame.release(name)
        frame.release(outer)
        return
    # Conditions are on each of the rows, so only the end of the loop is that many before its last start.
    end = f"{last} - {count - 1}" if count > 1 else last
    test, header = _interior_test(points, scope, interior, (name, end), (outer, 1)), f"while {name} < {last}:"
    if count == 1:
        header = f"for {name} in range({first}, {last}):"
    else:
        scope.add(f"{name} = {first}")
        together.add(f"{name} += {count}")
    with scope.block(header) as loop:
        loop.attach(together, f"if {test}:")
        with loop.block("else:") as alone:
            yield alone, [env.at({axis: points.variables.enter(Variable(variable), alone)})]
            if count > 1:
                alone.add(f"{name} += 1")
    frame.release(name)
    frame.release(outer)


def lanes(
    points: Points, scope: Scope, variable: Variable, bounds: tuple[str, str]
) -> Iterator[tuple[Scope, list[tuple[Place, Wide]]]]:
    """The vector loop of a variable from the first of its `bounds` up to the last: all whole vectors, then the rest.

    Where lanes of some vectors lie outside an array, one loop takes all in order, as memory is best written, and asks
    of each whether it is one of the inner ones, which need no masks.
    """
    axis, (first, last), plan, frame = variable.axis, bounds, points.plan, points.frame
    name, note = frame.name(f"{axis.name}_vector"), _note(points, variable)
    width, interior, whole = plan.lanes * plan.copies, Interior(scope), first
    if not plan.masked and not (last.isdigit() and first == "0" and int(last) < width):
        block, found = Scope(scope), []
        for copy in range(plan.copies):
            own = Axis(name if not copy else frame.name(f"{name}_{copy}"), axis.extent)
            if copy:
                block.add(f"{own.name} = {name} + {copy * plan.lanes}")
            place = points.variables.enter(Variable(own, variable.residue), block)
            found.append((place, Wide(own, copy=copy, interior=interior)))
        yield block, found
        if interior:
            yield from _edges(points, scope, variable, bounds, (name, block, interior))
            return
        whole = _whole(points, scope, axis, bounds)
        scope.attach(block, f"for {name} in range({first}, {whole}, {width}):{note}")
    if whole != last:
        yield from _rest(points, scope, variable, (whole, last))
    frame.release(name)


def _rest(
    points: Points, scope: Scope, variable: Variable, bounds: tuple[str, str]
) -> Iterator[tuple[Scope, list[tuple[Place, Wide]]]]:
    """One vector after the other, masked by how much there is."""
    axis, frame, (first, last) = variable.axis, points.frame, bounds
    rest, count = Axis(frame.name(f"{axis.name}_rest"), axis.extent), frame.name(f"{axis.name}_left")
    header = f"for {rest.name} in range({first}, {last}, {points.plan.lanes}):{_note(points, variable)}"
    with scope.block(header) as block:
        block.add(f"{count} = {last} - {rest.name}")
        yield block, [(points.variables.enter(Variable(rest, variable.residue), block), Wide(rest, count))]
    frame.release(rest.name)
    frame.release(count)


def _note(points: Points, variable: Variable) -> str:
    return "" if variable.residue.step == 1 else f"  # {points.frame.affine(variable.index)}"


def _whole(points: Points, scope: Scope, axis: Axis, bounds: tuple[str, str]) -> str:
    """Where the last whole vectors of a loop end."""
    (first, last), width = bounds, points.plan.lanes * points.plan.copies
    if first == "0" and last.isdigit():
        return str(int(last) // width * width)
    whole = points.frame.name(f"{axis.name}_whole")
    if first == "0" and _is_extent(last):
        points.top.add(f"{whole} = {last} - {last} % {width}")
    else:
        length = f"({last} - {first})" if first != "0" else last if last.isidentifier() else f"({last})"
        scope.add(f"{whole} = max({first}, {last} - {length} % {width})")
    return whole


def _edges(
    points: Points, scope: Scope, variable: Variable, bounds: tuple[str, str], inner: tuple[str, Scope, Interior]
) -> Iterator[tuple[Scope, list[tuple[Place, Wide]]]]:
    """The loop over whole vectors, given the block of the inner ones; at its ends, vectors one after the other."""
    axis, frame, (first, last), (name, block, interior) = variable.axis, points.frame, bounds, inner
    width, outer = points.plan.lanes * points.plan.copies, frame.name(f"{axis.name}_outer")
    test = _interior_test(points, scope, interior, (name, last), (outer, width))
    with scope.block(f"for {name} in range({first}, {last}, {width}):{_note(points, variable)}") as loop:
        loop.attach(block, f"if {test}:")
        with loop.block("else:") as ends:
            if points.plan.copies > 1:
                yield from _rest(points, ends, variable, (name, f"min({last}, {name} + {width})"))
            else:
                own, count = Axis(name, axis.extent), frame.name(f"{axis.name}_left")
                ends.add(f"{count} = {last} - {name}")
                yield ends, [(points.variables.enter(Variable(own, variable.residue), ends), Wide(own, count))]
                frame.release(count)
    frame.release(name)


def _interior_test(
    points: Points, scope: Scope, interior: Interior, loop: tuple[str, str], limit: tuple[str, int]
) -> str:
    """Whether the indices from the loop's variable on are inside, up to `limit`, which is written in `scope`."""
    (name, last), (outer, width) = loop, limit
    upper, lower = interior.upper.items(), interior.lower.items()
    past = [last, *(first_outside(points, Affine(terms, offset), number) for (number, terms), offset in upper)]
    scope.add(f"{outer} = {_extreme('min', past)} - {width}")
    least = [least_inside(points, Affine(terms, offset), number) for (number, terms), offset in lower]
    return f"{_extreme('max', least)} <= {name} <= {outer}" if least else f"{name} <= {outer}"


def _extreme(function: str, texts: Sequence[str]) -> str:
    """`function`, which is min or max, of these."""
    return f"{function}({', '.join(texts)})" if len(texts) > 1 else texts[0]


def _is_extent(last: str) -> bool:
    """Whether the end of a loop is an extent: known in all of the function, and not before the start."""
    return last.endswith("_extent") and last.isidentifier()


def how_many(points: Points, axis: Axis, residue: Residue) -> str:
    """How many indices of an axis are in a residue class."""
    extent = points.frame.extent(axis.extent)
    if residue.step == 1:
        return extent
    rounding = residue.step - 1 - residue.start
    sign = "+" if rounding >= 0 else "-"
    total = f"({extent} {sign} {abs(rounding)})" if rounding else extent
    return f"{total} // {residue.step}"


def least_inside(points: Points, rest: Affine, number: int) -> str:
    """The least v with number · v + rest ≥ 0."""
    if number == 1 or not rest.terms:
        offset = -(rest.offset // number)
        return points.frame.affine(Affine.total([(term, -n) for term, n in rest.terms], offset))
    return f"-(({points.frame.affine(rest)}) // {number})"


def first_outside(points: Points, rest: Affine, number: int) -> str:
    """The least v with rest - number · v < 0."""
    if number == 1:
        return points.frame.affine(Affine(rest.terms, rest.offset + 1))
    return f"({points.frame.affine(rest)}) // {number} + 1"
