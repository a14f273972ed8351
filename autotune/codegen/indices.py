"""Indices of an access as text, and what has to be tested before it: nothing is read outside an array.

Affine indices without padding are proven in range when a workload is made; a padded access tests its range, unless the
bounds of the loops say it already; an index that is computed at run time is tested before it is used, and what has no
padding then ends the function with the number of the check that failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from autotune.codegen.environment import Env, Place
from autotune.codegen.frame import Frame
from autotune.codegen.interior import Interior, without
from autotune.codegen.lanes import ALL_LANES, Interval, inside_lanes, mask_of
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.codegen.variables import Variables
from autotune.lang import Affine, Axis
from autotune.schedule.conditions import Inside


@dataclass
class Located:
    """Indices as texts, with the block that each can stand in, affine where they are; and tests.

    The scopes after those of the indices are those of the tests, which stand for `conditions`. In a vector loop the
    texts are the indices of the first lane and `steps` how they move from lane to lane, or, if there are `vectors`,
    some are indices of all lanes; `intervals` and `masks` are the lanes that are inside.
    """

    texts: list[str] = field(default_factory=list)
    affine: list[Affine | None] = field(default_factory=list)
    tests: list[Value] = field(default_factory=list)
    conditions: list[Inside] = field(default_factory=list)
    own: list[Scope] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    vectors: bool = False
    all_lanes: list[bool] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    extra: list[Scope] = field(default_factory=list)

    @property
    def wide(self) -> bool:
        """Whether the indices differ from lane to lane."""
        return self.vectors or any(self.steps)

    @property
    def scopes(self) -> list[Scope]:
        """The blocks of the indices, then those of the tests."""
        return [*self.own, *(test.scope for test in self.tests), *self.extra]

    def add(self, text: str, scope: Scope, affine: Affine | None, step: int = 0, *, wide: bool = False) -> None:
        """The next index; the text is one of all lanes if `wide`."""
        self.texts.append(text)
        self.all_lanes.append(wide)
        self.steps.append(step)
        self.own.append(scope)
        self.affine.append(affine)


@dataclass(frozen=True)
class Indices:
    """Finds the next of the indices of an access, affine or computed, and tests it if it may lead outside."""

    frame: Frame
    variables: Variables

    def affine(self, found: Located, place: Place, extent: str, env: Env, *, padded: bool) -> None:
        """An affine index: a quotient exists where it is whole, a padded one may be outside."""
        if env.lanes(place.index) or self.variables.have_lanes(place.index):
            self._lanes_affine(found, place, extent, env, padded=padded)
            return
        index, condition = place.index, Inside(place.index, extent)
        # An access without a test must not leave the block in which it needs none.
        scope = deepest([place.scope, env.inside.get(condition, place.scope)])
        text, divisor = self.frame.affine(index), index.divisor
        if padded and divisor == 1 and self.in_every_row(condition, env):
            found.add(text, scope, index)
            return
        if condition in env.inside and divisor != 1:
            index = self.variables.quotient(text, extent, divisor, scope)
            text, divisor = self.frame.affine(index), 1
        found.add(text if divisor == 1 else f"({text}) // {divisor}", scope, index if divisor == 1 else None)
        if condition in env.inside:
            return
        if divisor != 1:
            found.tests.append(Value(f"({text}) % {divisor} == 0", scope))
        if padded:
            found.conditions.append(condition)
            lower, upper = condition.inequalities
            if not self.variables.always(lower):
                found.tests.append(Value(f"{text} >= 0", scope))
            if not self.variables.always(upper):
                found.tests.append(Value(f"{text} < {self._end(condition)}", scope))

    def _lanes_affine(self, found: Located, place: Place, extent: str, env: Env, *, padded: bool) -> None:
        """One that differs from lane to lane."""
        index, condition = place.index, Inside(place.index, extent)
        inside = env.inside.get(condition)
        scope = deepest([place.scope, inside or place.scope])
        step, text, divisor = env.lanes(index), self.frame.affine(index), index.divisor
        end, needed = self._end(condition), padded and inside is None
        if self.variables.have_lanes(index) or divisor != 1:
            found.vectors = True
            vector = Value(self.variables.lane_text(index, step), scope, integer=True, wide=True)
            name = vector.under(self.frame.numbered("index")).text
            text = name if divisor == 1 else f"({name} // {divisor})"
            found.add(text, scope, index if divisor == 1 else None, wide=True)
            if divisor != 1:
                found.masks.append(f"({name} % {divisor} == 0)")
            if needed:
                found.conditions.append(condition)
                found.masks.append(f"({name} >= 0) & ({name} < {end})")
            return
        found.add(text, scope, index, step)
        if needed and not self._in_every_lane(condition, env):
            found.conditions.append(condition)
            lower, upper = condition.inequalities
            below, above = inside_lanes(text, step, end)
            first, last = (lower, upper) if step > 0 else (upper, lower)
            below = "0" if self.variables.always(first) else below
            above = "LANES" if self.variables.always(last) else above
            if (below, above) != ("0", "LANES"):
                found.intervals.append((below, above))

    def _end(self, condition: Inside) -> str:
        """What an index, its divisor left out, is to be less than."""
        size, divisor = self.frame.extent(condition.extent), condition.index.divisor
        return size if divisor == 1 else f"{divisor} * {size}"

    def _in_every_lane(self, condition: Inside, env: Env) -> bool:
        """Whether a condition holds in all lanes, as the vector loop can be, and now is, kept to where it does."""
        assert env.wide is not None
        interior, variable = env.wide.interior, env.wide.variable
        return interior is not None and self._kept_to(condition, interior, variable)

    def in_every_row(self, condition: Inside, env: Env) -> bool:
        """Whether a condition on one of several rows holds, as the loop over them is kept to where it does for all."""
        rows = env.rows
        return (
            rows is not None
            and condition.index.coefficient(rows.variable) != 0
            and self._kept_to(condition, rows.interior, rows.variable)
        )

    def _kept_to(self, condition: Inside, interior: Interior, variable: Axis) -> bool:
        needed = [inequality for inequality in condition.inequalities if not self.variables.always(inequality)]
        scopes = [self.variables.scope_of(without(inequality, variable)) for inequality in needed]
        return interior.keep(needed, variable, scopes)

    def computed(self, found: Located, value: Value, extent: str, checked: str, env: Env) -> None:
        """One that is the value of an expression, under a name; if it is `checked`, the function ends if it is outside.

        `checked` says which index it is, for the error.
        """
        size = self.frame.extent(extent)
        if value.wide:
            self._lanes_computed(found, value, size, checked, env)
        else:
            test = f"0 <= {value.text} < {size}"
            if checked:
                self._check(checked, test, value.scope)
            else:
                found.tests.append(Value(test, value.scope))
        text = value.text if value.integer else f"{'whole' if value.wide else 'int'}({value.text})"
        index = self.variables.of(value, extent) if value.integer else None
        found.add(text, value.scope, index, wide=value.wide)

    def _lanes_computed(self, found: Located, value: Value, size: str, checked: str, env: Env) -> None:
        """One that each lane computes."""
        assert env.wide is not None
        found.vectors = True
        test = f"({value.text} >= 0) & ({value.text} < {size if value.integer else f'REAL({size})'})"
        if not checked:
            found.masks.append(test)
            found.extra.append(value.scope)
            return
        lanes = mask_of(env.intervals, env.masks, env.wide.count)
        scope = deepest([value.scope, *env.among_in])
        self._check(checked, f"all_lanes({test}{'' if lanes == ALL_LANES else f' | ~{lanes}'})", scope)

    def _check(self, what: str, test: str, scope: Scope) -> None:
        """End the function unless `test` holds."""
        if scope.find(("check", test)) is None:
            scope.add(f"if not {test}:", f"    return {self.frame.failure(what)}")
            scope.known["check", test] = Value(test, scope)

    def all_of(self, tests: Sequence[Value], at: Scope) -> str:
        """All tests as a condition in block `at`; those of each block further out together, under a name."""
        outside: dict[Scope, list[str]] = {}
        texts = []
        for test in tests:
            if test.scope.depth < at.depth:
                outside.setdefault(test.scope, []).append(test.text)
            else:
                texts.append(test.text)
        names = []
        for scope, some in outside.items():
            text = " and ".join(some)
            known = scope.known.get(text)
            if known is None:
                known = scope.known[text] = Value(text, scope).under(self.frame.numbered("inside"))
            names.append(known.text)
        return " and ".join([*names, *texts])
