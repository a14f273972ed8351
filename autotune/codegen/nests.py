"""Loops over the terms of a reduction: their bounds are where the terms contribute (`autotune.schedule.conditions`)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

from autotune.codegen.environment import Env, Place
from autotune.codegen.loops import ALL, first_outside, how_many, lanes, least_inside
from autotune.codegen.points import Points
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.lang import Affine, Axis, Expr
from autotune.schedule.conditions import Guard, Inside, Residue, Variable, guards, residues
from autotune.schedule.structure import MOST_WRITTEN_OUT


@dataclass(frozen=True)
class Terms:
    """Whose terms are looped over: the neutral element tells which padded accesses in `body` are bounds."""

    reduction: str
    body: Expr
    conditions: tuple[Inside, ...] = ()
    """Further ones, outside which there is no term."""
    without: tuple[Axis, ...] = ()
    """Axes whose loops come later, and so the conditions with them."""


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
        left = [condition for condition in conditions if not points.indices.in_every_row(condition, env)]
        yield from _Nest(points, axes, chosen, left).open(scope, env)
    for variable in variables.values():
        points.frame.release(variable.axis.name)


def _guards(points: Points, variables: Mapping[Axis, Variable], env: Env, terms: Terms) -> list[Guard]:
    places = env.affine() | {axis: variable.index for axis, variable in variables.items()}
    own = [Inside(c.index.substitute(places), c.extent) for c in terms.conditions]
    found = list(guards(terms.reduction, terms.body, places, points.frame.extents))
    every = [*found, *(Guard((condition,)) for condition in own)]
    later = {*points.variables.vectors, *terms.without}
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
            # For now: whether a condition always holds rests on all of them.
            self.points.variables.enter(variable, scope)
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
                places[axis] = self.points.variables.enter(variable, scope)
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
                if not self.points.variables.always(inequality):
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
        start, count = self.points.frame.ranges.get(axis, ("0", how_many(self.points, axis, variable.residue)))
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
            end = least_inside if number > 0 else first_outside
            texts[end(self.points, rest, abs(number))] = None
            scopes.append(self.points.variables.scope_of(rest))
        at, text = deepest(scopes), form.format(", ".join(texts))
        known = at.known.get(text)
        if known is None:
            inside = dict.fromkeys(_written(condition, self.points) for _, condition in bounds)
            known = at.known[text] = Value(self.points.frame.name(name), at, integer=True, atomic=True)
            at.add(f"{known.text} = {text}  # {', '.join(inside)}")
        return known.text


def _written(condition: Inside, points: Points) -> str:
    return f"0 <= {points.frame.affine(condition.index)} < {condition.extent}"
