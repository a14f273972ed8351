"""Loops over the terms of a reduction: their bounds are where the terms contribute (`autotune.schedule.conditions`)."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import TypeAlias

from autotune.codegen.interior import Interior
from autotune.codegen.points import Env, Place, Points, Wide, as_real, constant
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.codegen.text import unwrapped
from autotune.lang import Affine, Apply, Axis, Constant, Expr
from autotune.lang.indexing import is_integer
from autotune.schedule.conditions import NEUTRAL, Guard, Inside, Residue, Variable, guards, residues

ALL = Residue()  # every index
MOST_WRITTEN_OUT = 32  # iterations of loops that are written out
NO_CLASSES: Mapping[Axis, Sequence[Residue]] = MappingProxyType({})
# How a reduction takes in an element.
FORMS = {
    "sum": "{total} + {value}",
    "prod": "{total} * {value}",
    "max": "larger({total}, {value})",
    "min": "smaller({total}, {value})",
    "first_max": "larger({total}, {value})",
    "first_min": "smaller({total}, {value})",
}


@dataclass(frozen=True)
class Terms:
    """Whose terms are looped over: the neutral element tells which padded accesses in `body` are bounds."""

    reduction: str
    body: Expr
    conditions: tuple[Inside, ...] = ()
    """Further ones, outside which there is no term."""
    without: tuple[Axis, ...] = ()
    """Axes whose loops come later, and so the conditions with them."""


def loop(
    points: Points, scope: Scope, axis: Axis, env: Env, residue: Residue = ALL, *, reverse: bool = False
) -> Iterator[tuple[Scope, Env]]:
    """A loop over all indices of an axis in a residue class, from the last to the first if `reverse`."""
    name = points.frame.name(f"{axis.name}_index")
    variable = Variable(Axis(name, axis.extent), residue)
    note = "" if residue.step == 1 else f"  # {axis} = {points.frame.affine(variable.index)}"
    first, last = points.frame.ranges.get(axis, ("0", _count(points, axis, residue)))
    if reverse:
        bounds = f"{last} - 1, {f'{first} - 1' if first != '0' else '-1'}, -1"
    else:
        bounds = last if first == "0" else f"{first}, {last}"
    with scope.block(f"for {name} in range({bounds}):{note}") as inner:
        yield inner, env.at({axis: points.enter(variable, inner)})
    points.frame.release(name)


Classes: TypeAlias = Mapping[Axis, Sequence[Residue]]
"""The residue classes in which the loop over an axis is run, one after the other, where there are several."""


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

    Gives a block with an environment for each of the vectors that are at once; one where no loop is a vector's.
    """
    axis = points.plan.vector
    for inner, there in loops(points, scope, [other for other in axes if other != axis], env, classes):
        if axis is None or axis not in axes:
            yield inner, [there]
            continue
        for residue in classes.get(axis, (ALL,)):
            bounds = points.frame.ranges.get(axis, ("0", _count(points, axis, residue)))
            for block, places in lanes(points, inner, Variable(axis, residue), bounds):
                yield block, [there.at({axis: place}).over(wide) for place, wide in places]


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
            place = points.enter(Variable(own, variable.residue), block)
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
        yield block, [(points.enter(Variable(rest, variable.residue), block), Wide(rest, count))]
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
    past = [last, *(_past(points, Affine(terms, least), number) for (number, terms), least in interior.upper.items())]
    scope.add(f"{outer} = {_extreme('min', past)} - {width}")
    least = [_ceiling(points, Affine(terms, least), number) for (number, terms), least in interior.lower.items()]
    test = f"{_extreme('max', least)} <= {name}" if least else name
    with scope.block(f"for {name} in range({first}, {last}, {width}):{_note(points, variable)}") as loop:
        loop.attach(block, f"if {test} <= {outer}:")
        with loop.block("else:") as ends:
            if points.plan.copies > 1:
                yield from _rest(points, ends, variable, (name, f"min({last}, {name} + {width})"))
            else:
                own, count = Axis(name, axis.extent), frame.name(f"{axis.name}_left")
                ends.add(f"{count} = {last} - {name}")
                yield ends, [(points.enter(Variable(own, variable.residue), ends), Wide(own, count))]
                frame.release(count)
    frame.release(name)


def _extreme(function: str, texts: Sequence[str]) -> str:
    """`function`, which is min or max, of these."""
    return f"{function}({', '.join(texts)})" if len(texts) > 1 else texts[0]


def _is_extent(last: str) -> bool:
    """Whether the end of a loop is an extent: known in all of the function, and not before the start."""
    return last.endswith("_extent") and last.isidentifier()


def _count(points: Points, axis: Axis, residue: Residue) -> str:
    """How many indices of an axis are in a residue class."""
    extent = points.frame.extent(axis.extent)
    if residue.step == 1:
        return extent
    rounding = residue.step - 1 - residue.start
    sign = "+" if rounding >= 0 else "-"
    total = f"({extent} {sign} {abs(rounding)})" if rounding else extent
    return f"{total} // {residue.step}"


def nest(
    points: Points,
    scope: Scope,
    axes: Sequence[Axis],
    env: Env,
    terms: Terms,
    given: Mapping[Axis, Residue] | None = None,
) -> Iterator[tuple[Scope, list[Env]]]:
    """Loops over `axes`, outermost first, at whose points the terms contribute; nothing is given where none does.

    `given` are residue classes of some of the axes that the code is for. A loop over the plan's vector axis must be the
    last; see `vectors` for what is given then. Loops over few indices, of a known number, are written out inside.
    """
    few = written_out(points, axes)
    if few:
        others, hidden = [axis for axis in axes if axis not in few], replace(terms, without=(*terms.without, *few))
        for inner, envs in nest(points, scope, others, env, hidden, given) if others else [(scope, [env])]:
            for places in constant_places(points, few):
                for block, (there,) in nest(points, inner, (), envs[0].at(places), terms):
                    yield block, [there, *(other.at(places, there.inside) for other in envs[1:])]
        return
    variables = {
        axis: Variable(Axis(points.frame.name(f"{axis.name}_index"), axis.extent), (given or {}).get(axis, ALL))
        for axis in axes
    }
    free = [variables[axis].axis for axis in axes if axis not in (given or {})]
    found = residues([c for guard in _guards(points, variables, env, terms) for c in guard.conditions], free)
    if found is not None:
        chosen = {
            axis: Variable(variable.axis, found.get(variable.axis, variable.residue))
            for axis, variable in variables.items()
        }
        conditions = [c for guard in _guards(points, chosen, env, terms) for c in guard.conditions]
        yield from _Nest(points, axes, chosen, conditions).open(scope, env)
    for variable in variables.values():
        points.frame.release(variable.axis.name)


def _guards(points: Points, variables: Mapping[Axis, Variable], env: Env, terms: Terms) -> list[Guard]:
    places = env.affine() | {axis: variable.index for axis, variable in variables.items()}
    own = [Inside(c.index.substitute(places), c.extent) for c in terms.conditions]
    found = list(guards(terms.reduction, terms.body, places, points.frame.extents))
    every = [*found, *(Guard((condition,)) for condition in own)]
    later = {*points.vectors, *terms.without}
    return [Guard(tuple(c for c in guard.conditions if not _later(env, c.index, later))) for guard in every]


def _later(env: Env, index: Affine, axes: Collection[Axis]) -> bool:
    """Whether an index differs from lane to lane, which bounds no loop inside the vector's, or is not placed yet."""
    return bool(env.lanes(index)) or any(axis in axes for axis in index.axes)


def written_out(points: Points, axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """Those of some axes whose loops are written out: together not too many indices, along no vector."""
    constants, plan, found, size = points.frame.constants, points.plan, [], 1
    for axis in reversed(axes if plan.vector is not None else ()):
        size *= constants.get(axis.extent, MOST_WRITTEN_OUT + 1)
        if size > MOST_WRITTEN_OUT or axis == plan.vector or axis in points.frame.ranges:
            break
        found.append(axis)
    return tuple(reversed(found))


def constant_places(points: Points, axes: Sequence[Axis]) -> Iterator[dict[Axis, Place]]:
    """Each index of some axes, as numbers."""
    for values in product(*(range(points.frame.constants[axis.extent]) for axis in axes)):
        yield {axis: Place(Affine((), value), points.top) for axis, value in zip(axes, values, strict=True)}


Bound: TypeAlias = tuple[Affine, Inside]
"""What is at least 0 inside, and the condition that says so."""


@dataclass(frozen=True)
class _Nest:
    """Loops about to be opened, and the conditions that bound them."""

    points: Points
    axes: Sequence[Axis]
    variables: Mapping[Axis, Variable]
    conditions: Sequence[Inside]

    def open(self, scope: Scope, env: Env) -> Iterator[tuple[Scope, list[Env]]]:
        """Open the loops in `scope`; gives the innermost block."""
        for variable in self.variables.values():
            self.points.enter(variable, scope)  # for now: whether a condition always holds rests on all of them
        bounds, quotients = self._bounds(), self._quotients()
        tests = [f"{self.points.frame.affine(inequality)} >= 0" for inequality, _ in bounds.get(-1, [])]
        with ExitStack() as stack:
            scope = self._tested(scope, [*tests, *map(self._whole, quotients.get(-1, []))], stack)
            holding = dict.fromkeys(
                [*(condition for _, condition in bounds.get(-1, [])), *quotients.get(-1, [])], scope
            )
            places: dict[Axis, Place] = {}
            for depth, axis in enumerate(self.axes):
                variable, own = self.variables[axis], bounds.get(depth, [])
                first, last = self._range(axis, variable, own)
                if axis == self.points.plan.vector and env.wide is None:
                    yield from self._vectors(scope, env.at(places, holding), axis, (first, last), own)
                    return
                header = f"for {variable.axis.name} in range({last if first == '0' else f'{first}, {last}'}):"
                note = "" if variable.residue.step == 1 else f"  # {axis} = {self.points.frame.affine(variable.index)}"
                scope = stack.enter_context(scope.block(header + note))
                places[axis] = self.points.enter(variable, scope)
                scope = self._tested(scope, [*map(self._whole, quotients.get(depth, []))], stack)
                holding |= dict.fromkeys([*(condition for _, condition in own), *quotients.get(depth, [])], scope)
            yield scope, [env.at(places, holding)]

    def _vectors(
        self, scope: Scope, env: Env, axis: Axis, bounds: tuple[str, str], own: Sequence[Bound]
    ) -> Iterator[tuple[Scope, list[Env]]]:
        """The innermost loop, over vectors: what bounds it holds for the variable of each of them."""
        variable = self.variables[axis]
        for block, places in lanes(self.points, scope, variable, bounds):
            envs = []
            for place, wide in places:
                moved = {variable.axis: Affine.of(wide.variable)}
                holding = {Inside(c.index.substitute(moved), c.extent): block for _, c in own if c.index.divisor == 1}
                envs.append(env.at({axis: place}, holding).over(wide))
            yield block, envs

    def _tested(self, scope: Scope, tests: Sequence[str], stack: ExitStack) -> Scope:
        """The block in which these tests hold."""
        return stack.enter_context(scope.again(f"if {' and '.join(dict.fromkeys(tests))}:")) if tests else scope

    def _whole(self, condition: Inside) -> str:
        """The test whether a quotient is whole."""
        return f"({self.points.frame.affine(condition.numerator)}) % {condition.index.divisor} == 0"

    def _bounds(self) -> dict[int, list[Bound]]:
        """The bounds by the depth of the loop that can see to them: the innermost whose variable is in it, or -1."""
        found: dict[int, list[Bound]] = {}
        for condition in dict.fromkeys(self.conditions):
            for inequality in condition.inequalities:
                if not self.points.always(inequality):
                    found.setdefault(self._depth(inequality.axes), []).append((inequality, condition))
        return found

    def _quotients(self) -> dict[int, list[Inside]]:
        """The conditions that residue classes do not see to, by the depth of the loop in which they are decided."""
        found: dict[int, list[Inside]] = {}
        for condition in dict.fromkeys(self.conditions):
            if condition.index.divisor != 1:
                axes = [term for term, _ in condition.remainder if isinstance(term, Axis)]
                found.setdefault(self._depth(axes), []).append(condition)
        return found

    def _depth(self, axes: Sequence[Axis]) -> int:
        """The depth of the innermost loop over one of these variables, or -1."""
        order = [self.variables[axis].axis for axis in self.axes]
        return max((order.index(axis) for axis in axes if axis in order), default=-1)

    def _range(self, axis: Axis, variable: Variable, bounds: Sequence[Bound]) -> tuple[str, str]:
        """The first index of a loop and the one after the last, of the indices in the loops around it."""
        start, count = self.points.frame.ranges.get(axis, ("0", _count(self.points, axis, variable.residue)))
        above = [bound for bound in bounds if bound[0].coefficient(variable.axis) > 0]
        below = [bound for bound in bounds if bound[0].coefficient(variable.axis) < 0]
        first = self._end(f"{axis.name}_first", f"max({start}, {{}})", variable, above) if above else start
        last = self._end(f"{axis.name}_last", f"min({count}, {{}})", variable, below) if below else count
        return first, last

    def _end(self, name: str, form: str, variable: Variable, bounds: Sequence[Bound]) -> str:
        """Where a loop begins or ends, under a name, in the outermost block in which that can stand."""
        texts: dict[str, None] = {}
        scopes = []
        for inequality, _ in bounds:
            number = inequality.coefficient(variable.axis)
            terms = [(term, n) for term, n in inequality.terms if term != variable.axis]
            rest = Affine.total(terms, inequality.offset)
            texts[_ceiling(self.points, rest, number) if number > 0 else _past(self.points, rest, -number)] = None
            scopes.append(self.points.scope_of(rest))
        at, text = deepest(scopes), form.format(", ".join(texts))
        known = at.known.get(text)
        if known is None:
            inside = dict.fromkeys(_written(condition, self.points) for _, condition in bounds)
            known = at.known[text] = Value(self.points.frame.name(name), at, integer=True, atomic=True)
            at.add(f"{known.text} = {text}  # {', '.join(inside)}")
        return known.text


def _ceiling(points: Points, rest: Affine, number: int) -> str:
    """The least v with number · v + rest ≥ 0."""
    if number == 1 or not rest.terms:
        offset = -(rest.offset // number)
        return points.frame.affine(Affine.total([(term, -n) for term, n in rest.terms], offset))
    return f"-(({points.frame.affine(rest)}) // {number})"


def _past(points: Points, rest: Affine, number: int) -> str:
    """The least v with rest - number · v < 0."""
    if number == 1:
        return points.frame.affine(Affine(rest.terms, rest.offset + 1))
    return f"({points.frame.affine(rest)}) // {number} + 1"


def _written(condition: Inside, points: Points) -> str:
    return f"0 <= {points.frame.affine(condition.index)} < {condition.extent}"


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
        value, wide = (found if whole else as_real(found)).text, found.wide
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
