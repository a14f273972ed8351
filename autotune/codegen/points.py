"""Expressions at a point of a loop nest, or at those of a vector: each value once, before loops it does not depend on.

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
from autotune.codegen.interior import Interior, without
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.codegen.text import INTEGER_FORMS, SCALAR_FORMS, WIDE_FORMS, WIDE_INTEGER_FORMS, scaled, total, unwrapped
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
from autotune.schedule.loops import SCALAR, LoopPlan

MOST_APART = 4  # elements from lane to lane that are read by loads of all between
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


Interval: TypeAlias = tuple[str, str]
"""The first lane, and the one after the last, as texts."""


@dataclass(frozen=True)
class Wide:
    """A vector loop that code stands in: its variable is the index of the first lane, the next lanes follow.

    `count` is how many lanes there are up to the end of the loop, where that may be fewer than a vector has; `copy`
    which of the vectors it is that are at once. What has to hold in every lane can be asked of the `interior`.
    """

    variable: Axis
    count: str | None = None
    copy: int = 0
    interior: Interior | None = None


@dataclass(frozen=True)
class Env:
    """Where an expression is evaluated: at which indices, and with which values for some nodes.

    `inside` are conditions that need no test, and the block in which each holds. In a vector loop, `wide`, only the
    lanes that are in all of `intervals` and `masks` are where an index is inside.
    """

    places: Places
    values: Mapping[Expr, Value] = field(default_factory=dict)
    inside: Mapping[Inside, Scope] = field(default_factory=dict)
    label: int = field(default_factory=lambda: next(_labels))
    wide: Wide | None = None
    intervals: tuple[Interval, ...] = ()
    masks: tuple[str, ...] = ()
    among_in: tuple[Scope, ...] = ()
    """The block in which the intervals and masks are known, where there are any."""

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

    def beside(self, other: "Env", axes: Sequence[Axis]) -> "Env":
        """The same at the indices of `other` along `axes`, and under its conditions."""
        return self.at({axis: other.places[axis] for axis in axes}, other.inside)

    def lanes(self, index: Affine) -> int:
        """How far an index, its divisor left out, moves from one lane to the next."""
        return index.coefficient(self.wide.variable) if self.wide else 0

    def over(self, wide: Wide) -> "Env":
        """The same in a vector loop."""
        return replace(self, wide=wide)

    def among(self, intervals: Sequence[Interval], masks: Sequence[str], scope: Scope) -> "Env":
        """The same in some of the lanes only, which are known in block `scope`."""
        found = (*self.intervals, *intervals), (*self.masks, *masks)
        among = deepest([scope, *self.among_in])
        return replace(self, intervals=found[0], masks=found[1], among_in=(among,), label=next(_labels))

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

    def __init__(self, frame: Frame, roots: Sequence[Expr], plan: LoopPlan = SCALAR) -> None:
        self.frame, self.plan = frame, plan
        nodes = subexpressions(roots)
        self.uses = Counter(child for node in nodes for child in node.children)
        self.uses.update(roots)
        self.top = Scope()
        self.variables: dict[Axis, tuple[Variable, Scope]] = {}
        self.vectors: set[Axis] = set()

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

    def _variable(self, text: str, extent: str, scope: Scope, *, wide: bool = False) -> Affine:
        """A whole number that is computed in `scope`, for each lane if `wide`, as a loop variable of its own."""
        name = self.frame.numbered("index")
        scope.add(f"{name} = {unwrapped(text)}")
        axis = Axis(name, extent)
        self.variables[axis] = (Variable(axis), scope)
        if wide:
            self.vectors.add(axis)
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
        """Offset of the element of a result at the indices of `env`, that of the first lane in a vector loop."""
        return self.frame.offset(result.name, [self.frame.affine(env.places[axis].index) for axis in result.axes])

    def write(self, result: Result, env: Env, value: Value, *, add: bool = False) -> str:
        """The statement that writes a value as the element at the indices of `env`, or adds it to that."""
        start, at, wide = self.frame.start(result.name), self.element(result, env), env.wide
        steps = [env.lanes(env.places[axis].index) for axis in result.axes]
        if wide is None or not (any(steps) or value.wide):
            before = f"{self._element(result, env)} + " if add else ""
            return f"put({start}, {at}, {before}{value.text if add else unwrapped(value.text)})"
        text = value.text if value.wide else f"splat({value.text})"
        if not any(steps):  # a buffer that has an element for each lane
            return f"store({start}, {self._in_buffer(at, wide)}, {text})"
        access = self._lanes_access(result.name, steps, at)
        how, of = ("", "") if wide.count is None else ("_first", f", {wide.count}")
        if self.plan.stream and access.step == 1 and not add and result.name in self.frame.streamed:
            return f"stream{how}({start}, {at}, {text}{of})"
        before = f"{self._element(result, env)} + " if add else ""
        return f"{access.store(how)}({start}, {access.where}, {before}{text}{of})"

    def buffered(self, result: Result, env: Env) -> str:
        """The element at the indices of `env` of an array that is a buffer of one lane, or of those of the vectors."""
        start, at = self.frame.start(result.name), self.element(result, env)
        return f"get({start}, {at})" if env.wide is None else f"load({start}, {self._in_buffer(at, env.wide)})"

    def _in_buffer(self, at: str, wide: Wide) -> str:
        """Where a vector is in a buffer that has an element for each lane of each of the vectors that are at once."""
        copies = self.plan.copies
        return f"({at}) * LANES" if copies == 1 else f"(({at}) * {copies} + {wide.copy}) * LANES"

    def ask_ahead(self, env: Env, scope: Scope) -> None:
        """Ask for what the next block will read first to be brought into the cache."""
        for ahead in self.plan.ahead:
            indices = {axis: env.places[axis].index for axis in ahead.read.axes}
            indices[ahead.axis] = Affine.total([(ahead.axis, 1)], ahead.distance).substitute(indices)
            at = self.frame.offset(ahead.read.tensor, [self.frame.affine(indices[axis]) for axis in ahead.read.axes])
            scope.add(f"prefetch({self.frame.start(ahead.read.tensor)}, {at})")

    def element_of(self, result: Result, env: Env, scope: Scope) -> Value:
        """The element of a result at the indices of `env`, under a name."""
        name = self.frame.numbered("total")
        scope.add(f"{name} = {self._element(result, env)}")
        wide = any(env.lanes(env.places[axis].index) for axis in result.axes)
        return Value(name, scope, atomic=True, wide=wide)

    def _element(self, result: Result, env: Env) -> str:
        """The element of a result at the indices of `env`, those of all lanes where they differ."""
        start, at = self.frame.start(result.name), self.element(result, env)
        steps = [env.lanes(env.places[axis].index) for axis in result.axes]
        if env.wide is None or not any(steps):
            return f"get({start}, {at})"
        access = self._lanes_access(result.name, steps, at)
        if env.wide.count is None:
            return f"{access.load('')}({start}, {access.where})"
        return f"{access.load('_first')}({start}, {access.where}, {env.wide.count})"

    def place(self, text: str, index: Affine | None, extent: str, scope: Scope, *, wide: bool = False) -> Place:
        """Where an index stands that is affine, or else a text in `scope`, one of all lanes if `wide`."""
        return Place(self._variable(text, extent, scope, wide=wide) if index is None else index, scope)

    def _lanes_access(self, tensor: str, steps: Sequence[int], at: str) -> "LanesAccess":
        """How the elements of all lanes are reached, the first of which is at offset `at`."""
        *others, last = steps
        if last and not any(others):
            self.frame.neighbours(tensor)
            if 0 < last <= MOST_APART:
                return LanesAccess(last, at)
        strides = [
            scaled(str(step), self.frame.stride(tensor, dimension)) for dimension, step in enumerate(steps) if step
        ]
        return LanesAccess(0, f"{at}, {total(strides)}")

    def _known(self, node: Expr, env: Env, scope: Scope) -> Value | None:
        return env.values.get(node) or scope.find(env.key(node))

    def _kept(self, value: Value, stem: str) -> Value:
        """The value under a name, in the outermost block in which it can stand."""
        name = self.frame.numbered(stem)
        value.scope.add(f"{name} = {unwrapped(value.text)}")
        return Value(name, value.scope, value.integer, atomic=True, wide=value.wide)

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
                text, wide = self._lane_index(place.index, env)
                return Value(
                    text if text.isidentifier() else f"({text})", place.scope, True, text.isidentifier(), wide=wide
                )
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
        wide = any(value.wide for value in found)
        if function == "where":
            condition = self._condition(operands[0], env, scope, at)
            x, y = (self._operand(operand, env, scope, at, light=True) for operand in operands[1:])
            texts = [condition, *((v if exact else as_real(v)).text for v in (x, y))]
            form = (WIDE_FORMS if wide else SCALAR_FORMS)["where_true"]
            return Value(form.format(*texts), at, exact, heavy=x.heavy or y.heavy, wide=wide)
        values = [self._operand(operand, env, scope, at) for operand in operands]
        heavy = function in HEAVY or any(value.heavy for value in values)
        if function == "pow":
            exponent = operands[1]
            assert isinstance(exponent, Constant)
            return Value(raised(as_real(values[0]).text, exponent.value), at, heavy=heavy, wide=wide)
        texts = [(value if exact or compared else as_real(value)).text for value in values]
        if function == "div" and values[0].wide and values[1].scope.depth < at.depth:
            return self._quotient_of(as_real(values[0]), as_real(values[1]), at)
        forms = INTEGER_FORMS if exact else SCALAR_FORMS
        if wide:
            forms = forms | WIDE_FORMS | (WIDE_INTEGER_FORMS if exact else {})
        known = forms.get(function)
        if known and ("({})" in known or "({}, {})" in known):  # an argument needs no parentheses of its own
            texts = [unwrapped(text) for text in texts]
        if known is None:
            message = f"no code is generated yet for {node}"
            raise TemplateError(message)
        return Value(known.format(*texts), at, exact, heavy=heavy, wide=wide)

    def _quotient_of(self, value: Value, divisor: Value, at: Scope) -> Value:
        """A vector divided by a number, or a vector, that stays the same from one to the next."""
        key = "reciprocal", divisor.text
        inverse = divisor.scope.find(key)
        if inverse is None:
            inverse = self._kept(
                replace(divisor, text=f"reciprocal({unwrapped(divisor.text)})", atomic=False), "inverse"
            )
            divisor.scope.known[key] = inverse
        text = f"quotient({unwrapped(value.text)}, {unwrapped(divisor.text)}, {inverse.text})"
        return Value(text, at, wide=True)

    def _operand(self, node: Expr, env: Env, scope: Scope, at: Scope, *, light: bool = False) -> Value:
        """The value of an operand of something in block `at`; under a name if it is computed further out.

        What is `light` gets one too: it can be had whatever the condition, so that the choice is no branch.
        """
        value = self.value(node, env, scope)
        outside = value.scope.depth < at.depth
        return self.named(node, env, scope) if outside or (light and not value.heavy) else value

    def condition(self, node: Expr, env: Env, scope: Scope) -> str:
        """The test whether the value of `node`, a number, is not 0, for a block in `scope`."""
        return self._condition(node, env, scope, scope)

    def _condition(self, node: Expr, env: Env, scope: Scope, at: Scope) -> str:
        """Whether the value of `node` is not 0."""
        if lane := self._lane_at(node, env):
            return lane
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

    def _lane_at(self, node: Expr, env: Env) -> str | None:
        """The mask of the lane in which two indices are equal, where one is a vector's and one the same for all."""
        match node:
            case Apply("equal", (Position(a), Position(b))):
                first, same = (self.placed(axis, env).index for axis in (a, b))
            case _:
                return None
        if env.lanes(first) == 0:
            first, same = same, first
        plain = first.divisor == same.divisor == 1 and self.vectors.isdisjoint((*first.axes, *same.axes))
        if not plain or (env.lanes(first), env.lanes(same)) != (1, 0):
            return None
        terms = [*same.terms, *((term, -number) for term, number in first.terms)]
        return f"one_lane({self.frame.affine(Affine.total(terms, same.offset - first.offset))})"

    # Accesses

    def _read(self, node: Read, env: Env, scope: Scope) -> Value:
        layout = self.frame.layouts[node.tensor]
        place = f"dimension {{}} of {node.tensor}" if node.pad is None else ""
        found = self.located(node.indices, layout.extents, env, scope, place, padded=node.pad is not None)
        among = env.among_in if found.wide else ()
        at, outside = deepest([self.top, *found.scopes, *among]), constant(node.pad or 0.0, integer=layout.integer)
        start, offset = self.frame.start(node.tensor), self.frame.offset(node.tensor, found.texts)
        buffered = env.wide is not None and node.tensor in self.frame.lane_buffers
        wide = found.wide or buffered
        if buffered:
            assert env.wide is not None
            text = f"load({start}, {self._in_buffer(offset, env.wide)})"
        elif wide:
            text = self._lanes_read(node.tensor, found, env, outside)
        else:
            text = f"get({start}, {offset})"
        if found.tests:
            text = f"({text} if {self.all_of(found.tests, at)} else {f'splat({outside})' if wide else outside})"
        return Value(text, at, layout.integer, wide=wide)

    def _lanes_read(self, tensor: str, found: "Located", env: Env, outside: str) -> str:
        """The elements of all lanes: neighbours, or at equal distances, or anywhere."""
        start, wide = self.frame.start(tensor), env.wide
        assert wide is not None
        intervals, masks = (*found.intervals, *env.intervals), (*found.masks, *env.masks)
        if found.vectors or masks:
            each = zip(found.texts, found.steps, found.all_lanes, strict=True)
            indices = [_with_lanes(text, step, wide=wide) for text, step, wide in each]
            mask = self.mask_of(intervals, masks, wide)
            return f"gather_at({start}, {self.frame.offset(tensor, indices)}, {mask}, {outside})"
        if not any(found.steps[:-1]):
            self.frame.neighbours(tensor)
        access = self._lanes_access(tensor, found.steps, self.frame.offset(tensor, found.texts))
        if intervals:
            first, last = _common(intervals, wide.count)
            return f"{access.load('_between')}({start}, {access.where}, {first}, {last}, {outside})"
        if wide.count is not None:
            return f"{access.load('_first')}({start}, {access.where}, {wide.count})"
        return f"{access.load('')}({start}, {access.where})"

    def mask_of(self, intervals: Sequence[Interval], masks: Sequence[str], wide: Wide) -> str:
        """The lanes in all intervals and masks, before the end of the loop."""
        parts = list(masks)
        if intervals:
            first, last = _common(intervals, wide.count)
            parts += [f"first_lanes({last})", *([f"~first_lanes({first})"] if first != "0" else [])]
        elif wide.count is not None:
            parts.append(f"first_lanes({wide.count})")
        return f"({' & '.join(parts)})" if parts else "first_lanes(LANES)"

    def _lane_index(self, index: Affine, env: Env) -> tuple[str, bool]:
        """An index without a divisor as text, and whether it is one for each lane."""
        step = env.lanes(index)
        wide = bool(step) or not self.vectors.isdisjoint(index.axes)
        return self._lane_text(index, step), wide

    def _lane_text(self, index: Affine, step: int) -> str:
        """The index of every lane; that of the first is affine in loop variables, some of which may be vectors."""
        return _with_lanes(self.frame.affine(index), step, wide=not self.vectors.isdisjoint(index.axes))

    def _reindexed(self, node: Reindex, env: Env, scope: Scope) -> Value:
        """The body at other indices; inside their ranges, if there are tests, else the pad."""
        place = f"axis {{}} of {_short(node.body)}" if node.pad is None else ""
        extents = [axis.extent for axis in node.bound]
        found = self.located(node.indices, extents, env, scope, place, padded=node.pad is not None)
        kept = [env.places[axis].scope for axis in node.body.axes if axis not in node.bound]
        inner = env.binding(node.bound)
        if inner.values:  # such as a carry, which is known in the block of the step only
            kept += [inner.values[part].scope for part in subexpressions(node.body) if part in inner.values]
        at = deepest([self.top, *kept, *found.scopes])
        some = bool(found.intervals or found.masks)
        if not found.tests and not some:
            value = self.value(node.body, inner.at(self._bound(node, found, None)), scope)
            # It is this only where the indices are known to be inside, even if the body depends on none of them.
            return value if node.pad is None else replace(value, scope=deepest([at, value.scope]))
        if not found.tests:
            return self._some_lanes(node, found, inner, scope, at)
        name, outside = self.frame.numbered("read"), constant(node.pad or 0.0)
        position = len(at.items)
        at.add("")
        with at.block(f"if {self.all_of(found.tests, at)}:") as block:
            conditions = dict.fromkeys(found.conditions, block)
            inner = inner.outside(at).at({}, conditions)
            if some:
                value = self._some_lanes(node, found, inner, block, block)
            else:
                value = self.real(node.body, inner.at(self._bound(node, found, block)), block)
            block.add(f"{name} = {unwrapped(value.text)}")
        at.items[position] = f"{name} = {f'splat({outside})' if value.wide else outside}"
        return Value(name, at, atomic=True, wide=value.wide)

    def _some_lanes(self, node: Reindex, found: "Located", inner: Env, scope: Scope, at: Scope) -> Value:
        """The body in the lanes that are inside, else the pad."""
        assert inner.wide is not None
        some = inner.among(found.intervals, found.masks, at).at(self._bound(node, found, at))
        value = self.real(node.body, some, scope)
        mask = self.mask_of(found.intervals, found.masks, replace(inner.wide, count=None))
        text = f"select({mask}, {unwrapped(value.text)}, {constant(node.pad or 0.0)})"
        return Value(text, deepest([at, value.scope]), wide=True)

    def _bound(self, node: Reindex, found: "Located", block: Scope | None) -> dict[Axis, Place]:
        """Where the axes bound by `node` stand: in `block`, if that is where they are known to be inside."""
        places = {}
        each = zip(node.bound, found.affine, found.texts, found.all_lanes, found.own, strict=True)
        for axis, index, text, wide, scope in each:
            places[axis] = self.place(text, index, axis.extent, block or scope, wide=wide)
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
                value, size = self.named(index, env, scope), self.frame.extent(extent)
                what = f"index {index} into {place.format(dimension)} (extent {extent})"
                if value.wide:
                    self._lanes_computed(found, value, size, what if place else "", env)
                else:
                    test = f"0 <= {value.text} < {size}"
                    if place:
                        self._check(what, test, value.scope)
                    else:
                        found.tests.append(Value(test, value.scope))
                text = value.text if value.integer else f"{'whole' if value.wide else 'int'}({value.text})"
                index_of = self._as_variable(value, extent) if value.integer else None
                found.add(text, value.scope, index_of, wide=value.wide)
            else:
                self._affine(found, self.placed(index, env), extent, env, padded=padded)
        return found

    def _lanes_computed(self, found: "Located", value: Value, size: str, checked: str, env: Env) -> None:
        """An index that each lane computes; if it is `checked`, the function ends where one is outside."""
        assert env.wide is not None
        found.vectors = True
        test = f"({value.text} >= 0) & ({value.text} < {size if value.integer else f'REAL({size})'})"
        if not checked:
            found.masks.append(test)
            found.extra.append(value.scope)
            return
        lanes = self.mask_of(env.intervals, env.masks, env.wide)
        some = lanes != "first_lanes(LANES)"
        scope = deepest([value.scope, *env.among_in])
        self._check(checked, f"all_lanes({test}{f' | ~{lanes}' if some else ''})", scope)

    def _as_variable(self, value: Value, extent: str) -> Affine | None:
        """A named whole number as a loop variable."""
        if not value.text.isidentifier():
            return None
        axis = Axis(value.text, extent)
        self.variables.setdefault(axis, (Variable(axis), value.scope))
        if value.wide:
            self.vectors.add(axis)
        return Affine.of(axis)

    def _affine(self, found: "Located", place: Place, extent: str, env: Env, *, padded: bool) -> None:
        """An affine index: a quotient exists where it is whole, a padded one may be outside."""
        index, condition = place.index, Inside(place.index, extent)
        # An access without a test must not leave the block in which it needs none.
        scope = deepest([place.scope, env.inside.get(condition, place.scope)])
        text, divisor = self.frame.affine(index), index.divisor
        if env.lanes(index) or not self.vectors.isdisjoint(index.axes):
            self._lanes_affine(found, place, condition, env, padded=padded)
            return
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

    def _lanes_affine(self, found: "Located", place: Place, condition: Inside, env: Env, *, padded: bool) -> None:
        """An affine index that differs from lane to lane."""
        index, inside = place.index, env.inside.get(condition)
        scope = deepest([place.scope, inside or place.scope])
        step, text, divisor = env.lanes(index), self.frame.affine(index), index.divisor
        size, needed = self.frame.extent(condition.extent), padded and inside is None
        if not self.vectors.isdisjoint(index.axes) or divisor != 1:
            found.vectors = True
            name = self._kept(Value(self._lane_text(index, step), scope, integer=True, wide=True), "index").text
            text = name if divisor == 1 else f"({name} // {divisor})"
            found.add(text, scope, index if divisor == 1 else None, wide=True)
            if divisor != 1:
                found.masks.append(f"({name} % {divisor} == 0)")
            if needed:
                found.conditions.append(condition)
                found.masks.append(f"({name} >= 0) & ({name} < {size if divisor == 1 else f'{divisor} * {size}'})")
            return
        found.add(text, scope, index, step)
        if needed and not self._in_every_lane(condition, env):
            found.conditions.append(condition)
            lower, upper = condition.inequalities
            below, above = _inside_lanes(text, step, size)
            first, last = (lower, upper) if step > 0 else (upper, lower)
            below, above = "0" if self.always(first) else below, "LANES" if self.always(last) else above
            if (below, above) != ("0", "LANES"):
                found.intervals.append((below, above))

    def _in_every_lane(self, condition: Inside, env: Env) -> bool:
        """Whether a condition holds in all lanes, as the vector loop can be, and now is, kept to where it does."""
        assert env.wide is not None
        interior, variable = env.wide.interior, env.wide.variable
        if interior is None:
            return False
        needed = [inequality for inequality in condition.inequalities if not self.always(inequality)]
        scopes = [self.scope_of(without(inequality, variable)) for inequality in needed]
        return interior.keep(needed, variable, scopes)

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
        (found,) = reduced(self, node.reduction, node.over, node.body, [inner], at, node.reduction)
        return found


@dataclass(frozen=True)
class LanesAccess:
    """Which operation reads or writes an element of each lane: of neighbours where `step` is 1, any stride where 0."""

    step: int
    where: str
    """The offset of the first, and the stride where there is one."""

    def load(self, how: str) -> str:
        """The operation that reads, with `how` "_first" or "_between" for some of the lanes."""
        return f"gather{how}" if self.step == 0 else f"load{how}{self._every}"

    def store(self, how: str) -> str:
        """The operation that writes."""
        return f"scatter{how}" if self.step == 0 else f"store{how}{self._every}"

    @property
    def _every(self) -> str:
        return "" if self.step == 1 else f"_every_{self.step}"


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

    def add(self, text: str, scope: Scope, affine: Affine | None, step: int = 0, *, wide: bool = False) -> None:
        """The next index; the text is one of all lanes if `wide`."""
        self.texts.append(text)
        self.all_lanes.append(wide)
        self.steps.append(step)
        self.own.append(scope)
        self.affine.append(affine)

    @property
    def scopes(self) -> list[Scope]:
        """The blocks of the indices, then those of the tests."""
        return [*self.own, *(test.scope for test in self.tests), *self.extra]


def _with_lanes(text: str, step: int, *, wide: bool) -> str:
    """Whole numbers that move by `step` from lane to lane, from that of the first lane or, if `wide`, of all lanes."""
    if step == 0:
        return text
    return f"ramp({text})" if step == 1 and not wide else f"({text} + {step} * ramp(0))"


def _common(intervals: Sequence[Interval], count: str | None) -> Interval:
    """The lanes in all intervals, before the end of the loop."""
    firsts = [first for first in dict.fromkeys(first for first, _ in intervals) if first != "0"]
    lasts = [last for last in dict.fromkeys([*(last for _, last in intervals), count or "LANES"]) if last != "LANES"]
    first = "0" if not firsts else firsts[0] if len(firsts) == 1 else f"max({', '.join(firsts)})"
    last = "LANES" if not lasts else lasts[0] if len(lasts) == 1 else f"min({', '.join(lasts)})"
    return first, last


def _inside_lanes(text: str, step: int, size: str) -> Interval:
    """The lanes at which 0 ≤ `text` + step · lane < `size`."""
    if abs(step) == 1:
        return (f"-({text})", f"{size} - ({text})") if step == 1 else (f"({text}) - {size} + 1", f"{text} + 1")
    if step > 0:
        return f"-(({text}) // {step})", f"-((({text}) - {size}) // {step})"
    return f"-(({size} - 1 - ({text})) // {-step})", f"({text}) // {-step} + 1"


def as_real(value: Value) -> Value:
    """A value as a floating-point number."""
    if not value.integer:
        return value
    if value.number is not None:
        return replace(value, text=constant(value.number), integer=False)
    text = f"as_real({value.text}, REAL)" if value.wide else f"REAL({value.text})"
    return replace(value, text=text, integer=False, atomic=False)


def constant(value: float, *, integer: bool = False) -> str:
    """A number as text."""
    if integer:
        return str(int(value))
    return f"REAL({value!r})" if math.isfinite(value) else f"REAL({'-' * (value < 0)}math.inf)"


def raised(base: str, exponent: float) -> str:
    """`base` to a constant power: multiplications, not a call of pow, where it is whole."""
    if not exponent.is_integer():
        return f"power({base}, {constant(exponent)})"
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
