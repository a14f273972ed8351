"""Loops over the terms of a reduction: their bounds are where the terms contribute (`autotune.schedule.conditions`)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from autotune.codegen.points import Env, Place, Points, as_real, constant
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.lang import Affine, Axis, Expr
from autotune.lang.indexing import is_integer
from autotune.schedule.conditions import NEUTRAL, Guard, Inside, Residue, Variable, guards, residues

ALL = Residue()  # every index
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


@contextmanager
def loop(
    points: Points, scope: Scope, axis: Axis, env: Env, residue: Residue = ALL, *, reverse: bool = False
) -> Iterator[tuple[Scope, Env]]:
    """A loop over all indices of an axis in a residue class, from the last to the first if `reverse`."""
    name = points.frame.name(f"{axis.name}_index")
    variable = Variable(Axis(name, axis.extent), residue)
    note = "" if residue.step == 1 else f"  # {axis} = {points.frame.affine(variable.index)}"
    count = _count(points, axis, residue)
    with scope.block(f"for {name} in range({f'{count} - 1, -1, -1' if reverse else count}):{note}") as inner:
        yield inner, env.at({axis: points.enter(variable, inner)})
    points.frame.release(name)


@contextmanager
def loops(
    points: Points,
    scope: Scope,
    axes: Sequence[Axis],
    env: Env,
    classes: Mapping[Axis, Residue] | None = None,
    *,
    reverse: bool = False,
) -> Iterator[tuple[Scope, Env]]:
    """Loops over all indices of axes, outermost first, in the residue class of each."""
    with ExitStack() as stack:
        for axis in axes:
            residue = (classes or {}).get(axis, ALL)
            scope, env = stack.enter_context(loop(points, scope, axis, env, residue, reverse=reverse))
        yield scope, env


def _count(points: Points, axis: Axis, residue: Residue) -> str:
    """How many indices of an axis are in a residue class."""
    extent = points.frame.extent(axis.extent)
    if residue.step == 1:
        return extent
    rounding = residue.step - 1 - residue.start
    sign = "+" if rounding >= 0 else "-"
    total = f"({extent} {sign} {abs(rounding)})" if rounding else extent
    return f"{total} // {residue.step}"


@contextmanager
def nest(
    points: Points,
    scope: Scope,
    axes: Sequence[Axis],
    env: Env,
    terms: Terms,
    given: Mapping[Axis, Residue] | None = None,
) -> Iterator[tuple[Scope, Env] | None]:
    """Loops over `axes`, outermost first, at whose points the terms contribute; None where none does.

    `given` are residue classes of some of the axes that the code is for.
    """
    variables = {
        axis: Variable(Axis(points.frame.name(f"{axis.name}_index"), axis.extent), (given or {}).get(axis, ALL))
        for axis in axes
    }
    free = [variables[axis].axis for axis in axes if axis not in (given or {})]
    found = residues([c for guard in _guards(points, variables, env, terms) for c in guard.conditions], free)
    if found is None:
        yield None
    else:
        chosen = {
            axis: Variable(variable.axis, found.get(variable.axis, variable.residue))
            for axis, variable in variables.items()
        }
        conditions = [c for guard in _guards(points, chosen, env, terms) for c in guard.conditions]
        plan = _Nest(points, axes, chosen, conditions)
        with ExitStack() as stack:
            yield plan.open(scope, env, stack)
    for variable in variables.values():
        points.frame.release(variable.axis.name)


def _guards(points: Points, variables: Mapping[Axis, Variable], env: Env, terms: Terms) -> list[Guard]:
    places = env.affine() | {axis: variable.index for axis, variable in variables.items()}
    own = [Inside(c.index.substitute(places), c.extent) for c in terms.conditions]
    found = list(guards(terms.reduction, terms.body, places, points.frame.extents))
    return [*found, *(Guard((condition,)) for condition in own)]


Bound: TypeAlias = tuple[Affine, Inside]
"""What is at least 0 inside, and the condition that says so."""


@dataclass(frozen=True)
class _Nest:
    """Loops about to be opened, and the conditions that bound them."""

    points: Points
    axes: Sequence[Axis]
    variables: Mapping[Axis, Variable]
    conditions: Sequence[Inside]

    def open(self, scope: Scope, env: Env, stack: ExitStack) -> tuple[Scope, Env]:
        """Open the loops in `scope`; gives the innermost block."""
        for variable in self.variables.values():
            self.points.enter(variable, scope)  # for now: whether a condition always holds rests on all of them
        bounds, quotients = self._bounds(), self._quotients()
        tests = [f"{self.points.frame.affine(inequality)} >= 0" for inequality, _ in bounds.get(-1, [])]
        scope = self._tested(scope, [*tests, *map(self._whole, quotients.get(-1, []))], stack)
        holding = dict.fromkeys([*(condition for _, condition in bounds.get(-1, [])), *quotients.get(-1, [])], scope)
        places: dict[Axis, Place] = {}
        for depth, axis in enumerate(self.axes):
            variable, own = self.variables[axis], bounds.get(depth, [])
            header = f"for {variable.axis.name} in range({self._range(axis, variable, own)}):"
            note = "" if variable.residue.step == 1 else f"  # {axis} = {self.points.frame.affine(variable.index)}"
            scope = stack.enter_context(scope.block(header + note))
            places[axis] = self.points.enter(variable, scope)
            scope = self._tested(scope, [*map(self._whole, quotients.get(depth, []))], stack)
            holding |= dict.fromkeys([*(condition for _, condition in own), *quotients.get(depth, [])], scope)
        return scope, env.at(places, holding)

    def _tested(self, scope: Scope, tests: Sequence[str], stack: ExitStack) -> Scope:
        """The block in which these tests hold."""
        return stack.enter_context(scope.block(f"if {' and '.join(dict.fromkeys(tests))}:")) if tests else scope

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

    def _range(self, axis: Axis, variable: Variable, bounds: Sequence[Bound]) -> str:
        """The range of a loop, of the indices in the loops around it."""
        count = _count(self.points, axis, variable.residue)
        above = [bound for bound in bounds if bound[0].coefficient(variable.axis) > 0]
        below = [bound for bound in bounds if bound[0].coefficient(variable.axis) < 0]
        first = self._end(f"{axis.name}_first", "max(0, {})", variable, above) if above else ""
        last = self._end(f"{axis.name}_last", f"min({count}, {{}})", variable, below) if below else count
        return f"{first}, {last}" if first else last

    def _end(self, name: str, form: str, variable: Variable, bounds: Sequence[Bound]) -> str:
        """Where a loop begins or ends, under a name, in the outermost block in which that can stand."""
        texts: dict[str, None] = {}
        scopes = []
        for inequality, _ in bounds:
            number = inequality.coefficient(variable.axis)
            terms = [(term, n) for term, n in inequality.terms if term != variable.axis]
            rest = Affine.total(terms, inequality.offset)
            texts[self._ceiling(rest, number) if number > 0 else self._past(rest, -number)] = None
            scopes.append(self.points.scope_of(rest))
        at, text = deepest(scopes), form.format(", ".join(texts))
        known = at.known.get(text)
        if known is None:
            inside = dict.fromkeys(_written(condition, self.points) for _, condition in bounds)
            known = at.known[text] = Value(self.points.frame.name(name), at, integer=True, atomic=True)
            at.add(f"{known.text} = {text}  # {', '.join(inside)}")
        return known.text

    def _ceiling(self, rest: Affine, number: int) -> str:
        """The least v with number · v + rest ≥ 0."""
        if number == 1:
            return self.points.frame.affine(Affine.total([(term, -n) for term, n in rest.terms], -rest.offset))
        return f"-(({self.points.frame.affine(rest)}) // {number})"

    def _past(self, rest: Affine, number: int) -> str:
        """The least v with rest - number · v < 0."""
        if number == 1:
            return self.points.frame.affine(Affine(rest.terms, rest.offset + 1))
        return f"({self.points.frame.affine(rest)}) // {number} + 1"


def _written(condition: Inside, points: Points) -> str:
    return f"0 <= {points.frame.affine(condition.index)} < {condition.extent}"


def reduced(
    points: Points,
    reduction: str,
    over: Sequence[Axis],
    body: Expr,
    env: Env,
    scope: Scope,
    name: str,
) -> Value:
    """The reduction of `body` over axes, computed in block `scope` by loops of its own."""
    if reduction in ("argmax", "argmin"):
        return _position(points, reduction, over, body, env, scope)
    total = points.frame.numbered(name) if name != "total" else points.frame.name(name)
    scope.add(f"{total} = {constant(NEUTRAL[reduction])}")
    with nest(points, scope, over, env, Terms(reduction, body)) as opened:
        if opened:
            inner, there = opened
            value = points.real(body, there, inner).text
            inner.add(f"{total} = {FORMS[reduction].format(total=total, value=value)}")
    return Value(total, scope, atomic=True)


def _position(points: Points, reduction: str, over: Sequence[Axis], body: Expr, env: Env, scope: Scope) -> Value:
    """Where the body is largest or smallest: the first such place, the first NaN if there is one."""
    best, at = points.frame.numbered("best"), points.frame.numbered("at")
    whole = is_integer(body)
    least = "-(2 ** 63 - 1)" if whole else constant(-math.inf)
    start = least if reduction == "argmax" else least.replace("-", "", 1)
    scope.add(f"{best} = {start}", f"{at} = 0")
    with loops(points, scope, over, env) as (inner, there):
        found = points.named(body, there, inner)
        value = (found if whole else as_real(found)).text
        better = ">" if reduction == "argmax" else "<"
        position = ""
        for axis in over:
            index = points.frame.affine(there.places[axis].index)
            position = f"({position}) * {points.frame.extent(axis.extent)} + {index}" if position else index
        with inner.block(f"if {value} {better} {best} or ({value} != {value} and {best} == {best}):") as block:
            block.add(f"{best} = {value}", f"{at} = {position}")
    return Value(at, scope, integer=True, atomic=True)
