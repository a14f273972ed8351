"""Expressions at a point of a loop nest, as scalar code: each value once, before the loops that it does not depend on.

Nothing is read outside an array. Affine indices without padding are proven in range when a workload is made; a padded
access tests its range, unless the bounds of the loops say it already; an index that is computed at run time is tested
before it is used, and what has no padding then ends the function with the number of the check that failed.
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeAlias

from autotune.codegen.frame import Frame
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.codegen.text import INTEGER_FORMS, SCALAR_FORMS, unwrapped
from autotune.errors import TemplateError
from autotune.lang import (
    Affine,
    Apply,
    Axis,
    Constant,
    Expr,
    Extent,
    Index,
    Parameter,
    Position,
    Read,
    Reduce,
    Reindex,
)
from autotune.lang.functions import EXACT
from autotune.lang.graph import subexpressions
from autotune.lang.indexing import is_integer
from autotune.schedule import Result
from autotune.schedule.conditions import Inside, Variable, always

LONGEST = 100  # characters of an expression on one line
HEAVY = frozenset({"exp", "log", "tanh", "sigmoid", "erf", "sin", "cos"})
"""Functions that are called, and so better not for a value that is not used."""
_labels = count()


@dataclass(frozen=True)
class Place:
    """The index at which an axis stands: affine in loop variables, valid in `scope`."""

    index: Affine
    scope: Scope


Places: TypeAlias = Mapping[Axis, Place]


@dataclass(frozen=True)
class Env:
    """Where an expression is evaluated: at which indices, and with which values for some nodes.

    `inside` are conditions that need no test, and the block in which each holds.
    """

    places: Places
    values: Mapping[Expr, Value] = field(default_factory=dict)
    inside: Mapping[Inside, Scope] = field(default_factory=dict)
    label: int = field(default_factory=lambda: next(_labels))

    def at(self, places: Places, inside: Mapping[Inside, Scope] | None = None) -> "Env":
        """The same at other indices, where further conditions hold."""
        return replace(self, places={**self.places, **places}, inside={**self.inside, **(inside or {})})

    def knowing(self, values: Mapping[Expr, Value]) -> "Env":
        """The same with the values of further nodes."""
        return replace(self, values={**self.values, **values}, label=next(_labels))

    def binding(self, axes: Sequence[Axis]) -> "Env":
        """The same without what is known of nodes that depend on `axes`, which are other axes from here on."""
        values = {node: value for node, value in self.values.items() if not set(axes) & set(node.axes)}
        return self if len(values) == len(self.values) else replace(self, values=values, label=next(_labels))

    def outside(self, scope: Scope) -> "Env":
        """What is still so in a block opened in `scope`, which may lie further out than where this is."""
        inside = {condition: at for condition, at in self.inside.items() if at.depth <= scope.depth}
        return replace(self, inside=inside)

    def affine(self) -> dict[Axis, Affine]:
        """The index of each axis."""
        return {axis: place.index for axis, place in self.places.items()}

    def key(self, node: Expr) -> Hashable:
        """Equal for equal values."""
        return node, tuple(self.places[axis].index for axis in node.axes if axis in self.places), self.label


class Points:
    """Evaluates the expressions of one stage."""

    def __init__(self, frame: Frame, roots: Sequence[Expr]) -> None:
        self.frame = frame
        nodes = subexpressions(roots)
        self.uses = Counter(child for node in nodes for child in node.children)
        self.uses.update(roots)
        self.top = Scope()
        self.variables: dict[Axis, tuple[Variable, Scope]] = {}

    # Indices

    def scope_of(self, index: Affine) -> Scope:
        """The outermost block in which an affine function of loop variables can stand."""
        return deepest([self.top, *(self.variables[axis][1] for axis in index.axes)])

    def always(self, condition: Affine) -> bool:
        """Whether `condition` ≥ 0 wherever its loop variables are."""
        return always(condition, {axis: self.variables[axis][0] for axis in condition.axes})

    def placed(self, index: Axis | Affine, env: Env) -> Place:
        """An affine index in terms of loop variables."""
        found = Affine.of(index).substitute(env.affine())
        scopes = [env.places[axis].scope for axis in Affine.of(index).axes]
        return Place(found, deepest([self.scope_of(found), *scopes]))

    def _variable(self, text: str, extent: str, scope: Scope) -> Affine:
        """A whole number that is computed in `scope`, as a loop variable of its own."""
        name = self.frame.numbered("index")
        scope.add(f"{name} = {unwrapped(text)}")
        axis = Axis(name, extent)
        self.variables[axis] = (Variable(axis), scope)
        return Affine.of(axis)

    # Values

    def enter(self, variable: Variable, scope: Scope) -> Place:
        """Where the axis of a loop stands inside the loop, whose block is `scope`."""
        self.variables[variable.axis] = (variable, scope)
        return Place(variable.index, scope)

    def value(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root`, given that the code that uses it stands in `scope`."""

        def inside(node: Expr) -> tuple[Expr, ...]:
            return node.children if isinstance(node, Apply) and self._known(node, env, scope) is None else ()

        for node in subexpressions(root, inside):
            if self._known(node, env, scope) is None:
                found = self._computed(node, env, scope)
                shared = self.uses[node] > 1 and not found.atomic
                if shared or len(found.text) > LONGEST:
                    found = self._kept(found, _stem(node))
                place = found.scope if found.atomic and found.number is None else scope
                place.known[env.key(node)] = found
        known = self._known(root, env, scope)
        assert known is not None
        return known

    def real(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root` as a floating-point number."""
        return as_real(self.value(root, env, scope))

    def named(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root` under a name or as a number."""
        found = self.value(root, env, scope)
        if not found.atomic:
            found = self._kept(found, _stem(root))
            found.scope.known[env.key(root)] = found
        return found

    def named_real(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root` as a floating-point number, under a name or as a number."""
        found = as_real(self.named(root, env, scope))
        return found if found.atomic else self._kept(found, _stem(root))

    def element(self, result: Result, env: Env) -> str:
        """Offset of the element of a result at the indices of `env`."""
        return self.frame.offset(result.name, [self.frame.affine(env.places[axis].index) for axis in result.axes])

    def _known(self, node: Expr, env: Env, scope: Scope) -> Value | None:
        return env.values.get(node) or scope.find(env.key(node))

    def _kept(self, value: Value, stem: str) -> Value:
        """The value under a name, in the outermost block in which it can stand."""
        name = self.frame.numbered(stem)
        value.scope.add(f"{name} = {unwrapped(value.text)}")
        return Value(name, value.scope, value.integer, atomic=True)

    def _computed(self, node: Expr, env: Env, scope: Scope) -> Value:
        match node:
            case Constant(value):
                if is_integer(node):
                    return Value(str(int(value)), self.top, integer=True, atomic=True, number=value)
                return Value(constant(value), self.top, atomic=True, number=value)
            case Parameter(name):
                return Value(f"{name}_scalar", self.top, atomic=True)
            case Extent(name):
                return Value(self.frame.extent(name), self.top, integer=True, atomic=True)
            case Position(axis):
                place = self.placed(axis, env)
                text = self.frame.affine(place.index)
                return Value(text if text.isidentifier() else f"({text})", place.scope, True, text.isidentifier())
            case Read():
                return self._read(node, env, scope)
            case Apply():
                return self._applied(node, env, scope)
            case Reduce():
                return self._reduced(node, env)
            case Reindex():
                return self._reindexed(node, env, scope)
            case _:
                message = f"no code is generated for {type(node).__name__} nodes here: {node}"
                raise TemplateError(message)

    # Functions

    def _applied(self, node: Apply, env: Env, scope: Scope) -> Value:
        function, operands = node.function, node.operands
        found = [self.value(operand, env, scope) for operand in operands]
        exact = function in EXACT and is_integer(node)
        compared = function in ("greater", "equal", "greater_equal") and all(value.integer for value in found)
        at = deepest([self.top, *(value.scope for value in found)])
        if function == "where":
            condition = self._condition(operands[0], env, scope, at)
            x, y = (self._operand(operand, env, scope, at, light=True) for operand in operands[1:])
            texts = [condition, *((v if exact else as_real(v)).text for v in (x, y))]
            return Value(SCALAR_FORMS["where_true"].format(*texts), at, exact, heavy=x.heavy or y.heavy)
        values = [self._operand(operand, env, scope, at) for operand in operands]
        heavy = function in HEAVY or any(value.heavy for value in values)
        if function == "pow":
            exponent = operands[1]
            assert isinstance(exponent, Constant)
            return Value(power(as_real(values[0]).text, exponent.value), at, heavy=heavy)
        texts = [(value if exact or compared else as_real(value)).text for value in values]
        form = (INTEGER_FORMS if exact else SCALAR_FORMS).get(function)
        if form and ("({})" in form or "({}, {})" in form):  # an argument needs no parentheses of its own
            texts = [unwrapped(text) for text in texts]
        if form is None:
            message = f"no code is generated yet for {node}"
            raise TemplateError(message)
        return Value(form.format(*texts), at, exact, heavy=heavy)

    def _operand(self, node: Expr, env: Env, scope: Scope, at: Scope, *, light: bool = False) -> Value:
        """The value of an operand of something in block `at`; under a name if it is computed further out.

        What is `light` gets one too: it can be had whatever the condition, so that the choice is no branch.
        """
        value = self.value(node, env, scope)
        outside = value.scope.depth < at.depth
        return self.named(node, env, scope) if outside or (light and not value.heavy) else value

    def _condition(self, node: Expr, env: Env, scope: Scope, at: Scope) -> str:
        """Whether the value of `node` is not 0."""
        comparison = {"greater": ">", "equal": "==", "greater_equal": ">="}
        value = self._operand(node, env, scope, at)
        match node:
            case Apply(function, operands) if function in comparison and not value.atomic:
                a, b = (self._operand(operand, env, scope, at) for operand in operands)
                if not (a.integer and b.integer):
                    a, b = as_real(a), as_real(b)
                return f"{a.text} {comparison[function]} {b.text}"
            case _:
                return f"{value.text} != 0"

    # Accesses

    def _read(self, node: Read, env: Env, scope: Scope) -> Value:
        layout = self.frame.layouts[node.tensor]
        place = f"dimension {{}} of {node.tensor}" if node.pad is None else ""
        found = self.located(node.indices, layout.extents, env, scope, place, padded=node.pad is not None)
        text = f"get({self.frame.start(node.tensor)}, {self.frame.offset(node.tensor, found.texts)})"
        at = deepest([self.top, *found.scopes])
        if found.tests:
            text = (
                f"({text} if {self.all_of(found.tests, at)} else {constant(node.pad or 0.0, integer=layout.integer)})"
            )
        return Value(text, at, layout.integer)

    def _reindexed(self, node: Reindex, env: Env, scope: Scope) -> Value:
        """The body at other indices; inside their ranges, if there are tests, else the pad."""
        place = f"axis {{}} of {_short(node.body)}" if node.pad is None else ""
        extents = [axis.extent for axis in node.bound]
        found = self.located(node.indices, extents, env, scope, place, padded=node.pad is not None)
        kept = [env.places[axis].scope for axis in node.body.axes if axis not in node.bound]
        at = deepest([self.top, *kept, *found.scopes])
        inner = env.binding(node.bound)
        if not found.tests:
            return self.value(node.body, inner.at(self._bound(node, found, None)), scope)
        name = self.frame.numbered("read")
        at.add(f"{name} = {constant(node.pad or 0.0)}")
        with at.block(f"if {self.all_of(found.tests, at)}:") as block:
            conditions = dict.fromkeys(found.conditions, block)
            inner = inner.outside(at).at(self._bound(node, found, block), conditions)
            block.add(f"{name} = {unwrapped(self.real(node.body, inner, block).text)}")
        return Value(name, at, atomic=True)

    def _bound(self, node: Reindex, found: "Located", block: Scope | None) -> dict[Axis, Place]:
        """Where the axes bound by `node` stand: in `block`, if that is where they are known to be inside."""
        places = {}
        for axis, index, text, scope in zip(node.bound, found.affine, found.texts, found.scopes, strict=False):
            at = block or scope
            places[axis] = Place(self._variable(text, axis.extent, at) if index is None else index, at)
        return places

    def located(
        self,
        indices: Sequence[Index],
        extents: Sequence[str],
        env: Env,
        scope: Scope,
        place: str,
        *,
        padded: bool,
    ) -> "Located":
        """The index along each dimension, and the tests under which it is one.

        Indices that are computed at run time are tested like the others, or where they lead into a `place` ("dimension
        {} of x"), the function ends if one is outside. Affine ones need a test only if `padded`.
        """
        found = Located()
        for dimension, (index, extent) in enumerate(zip(indices, extents, strict=True), start=1):
            if isinstance(index, Expr):
                value = self.named(index, env, scope)
                test = f"0 <= {value.text} < {self.frame.extent(extent)}"
                if place:
                    self._check(f"index {index} into {place.format(dimension)} (extent {extent})", test, value.scope)
                else:
                    found.tests.append(Value(test, value.scope))
                text = value.text if value.integer else f"int({value.text})"
                found.add(text, value.scope, self._as_variable(value, extent) if value.integer else None)
            else:
                self._affine(found, self.placed(index, env), extent, env, padded=padded)
        return found

    def _as_variable(self, value: Value, extent: str) -> Affine | None:
        """A named whole number as a loop variable."""
        if not value.text.isidentifier():
            return None
        axis = Axis(value.text, extent)
        self.variables.setdefault(axis, (Variable(axis), value.scope))
        return Affine.of(axis)

    def _affine(self, found: "Located", place: Place, extent: str, env: Env, *, padded: bool) -> None:
        """An affine index: a quotient exists where it is whole, a padded one may be outside."""
        index, condition = place.index, Inside(place.index, extent)
        # An access without a test must not leave the block in which it needs none.
        scope = deepest([place.scope, env.inside.get(condition, place.scope)])
        text, divisor = self.frame.affine(index), index.divisor
        if condition in env.inside and divisor != 1:
            index = self._quotient(text, extent, divisor, scope)
            text, divisor = self.frame.affine(index), 1
        found.add(text if divisor == 1 else f"({text}) // {divisor}", scope, index if divisor == 1 else None)
        if condition in env.inside:
            return
        if divisor != 1:
            found.tests.append(Value(f"({text}) % {divisor} == 0", scope))
        if padded:
            found.conditions.append(condition)
            lower, upper = condition.inequalities
            if not self.always(lower):
                found.tests.append(Value(f"{text} >= 0", scope))
            if not self.always(upper):
                size = self.frame.extent(extent)
                found.tests.append(Value(f"{text} < {size if divisor == 1 else f'{divisor} * {size}'}", scope))

    def _quotient(self, text: str, extent: str, divisor: int, scope: Scope) -> Affine:
        """A quotient that is known to be whole in `scope`, as a loop variable of its own."""
        key = "quotient", text, extent, divisor
        known = scope.find(key)
        if known is None:
            found = self._variable(f"({text}) // {divisor}", extent, scope)
            known = scope.known[key] = Value(self.frame.affine(found), scope, integer=True, atomic=True)
        return Affine.of(Axis(known.text, extent))

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
                known = scope.known[text] = self._kept(Value(text, scope), "inside")
            names.append(known.text)
        return " and ".join([*names, *texts])

    def _check(self, what: str, test: str, scope: Scope) -> None:
        """End the function unless `test` holds."""
        if scope.find(("check", test)) is None:
            scope.add(f"if not {test}:", f"    return {self.frame.failure(what)}")
            scope.known["check", test] = Value(test, scope)

    # Reductions too large to be stored

    def _reduced(self, node: Reduce, env: Env) -> Value:
        from autotune.codegen.nests import reduced  # which opens loops to evaluate in

        at = deepest([self.top, *(env.places[axis].scope for axis in node.axes)])
        inner = env.binding(node.over).outside(at)
        return reduced(self, node.reduction, node.over, node.body, inner, at, node.reduction)


@dataclass
class Located:
    """Indices as texts, with the block that each can stand in, affine where they are; and tests.

    The scopes after those of the indices are those of the tests, which stand for `conditions`.
    """

    texts: list[str] = field(default_factory=list)
    affine: list[Affine | None] = field(default_factory=list)
    tests: list[Value] = field(default_factory=list)
    conditions: list[Inside] = field(default_factory=list)
    own: list[Scope] = field(default_factory=list)

    def add(self, text: str, scope: Scope, affine: Affine | None) -> None:
        """The next index."""
        self.texts.append(text)
        self.own.append(scope)
        self.affine.append(affine)

    @property
    def scopes(self) -> list[Scope]:
        """The blocks of the indices, then those of the tests."""
        return [*self.own, *(test.scope for test in self.tests)]


def as_real(value: Value) -> Value:
    """A value as a floating-point number."""
    if not value.integer:
        return value
    if value.number is not None:
        return replace(value, text=constant(value.number), integer=False)
    return replace(value, text=f"REAL({value.text})", integer=False, atomic=False)


def constant(value: float, *, integer: bool = False) -> str:
    """A number as text."""
    if integer:
        return str(int(value))
    return f"REAL({value!r})" if math.isfinite(value) else f"REAL({'-' * (value < 0)}math.inf)"


def power(base: str, exponent: float) -> str:
    """`base` to a constant power: multiplications, not a call of pow, where it is whole."""
    if not exponent.is_integer():
        return f"({base} ** {constant(exponent)})"
    text = f"({base} ** {abs(int(exponent))})"
    return text if exponent >= 0 else f"(REAL(1.0) / {text})"


def _stem(node: Expr) -> str:
    match node:
        case Read(tensor):
            return tensor
        case Apply(function):
            return function
        case _:
            return "value"


def _short(expr: Expr) -> str:
    text = str(expr)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
