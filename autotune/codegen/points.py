"""Expressions at a point of a loop nest, or at those of a vector: each once, before loops it does not depend on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from autotune.codegen.elements import Elements
from autotune.codegen.environment import Env, Place
from autotune.codegen.frame import Frame
from autotune.codegen.indices import Indices, Located
from autotune.codegen.lanes import mask_of
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.codegen.text import (
    INTEGER_FORMS,
    SCALAR_FORMS,
    WIDE_FORMS,
    WIDE_INTEGER_FORMS,
    constant,
    raised,
    unwrapped,
)
from autotune.codegen.variables import Variables
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
from autotune.schedule.loops import SCALAR, LoopPlan

LONGEST = 100  # characters of an expression on one line
HEAVY = frozenset({"exp", "log", "tanh", "sigmoid", "erf", "sin", "cos"})
"""Functions that are called, and so better not for a value that is not used."""


class Points:
    """Evaluates the expressions of one stage."""

    def __init__(self, frame: Frame, roots: Sequence[Expr], plan: LoopPlan = SCALAR) -> None:
        self.frame, self.plan = frame, plan
        nodes = subexpressions(roots)
        self.uses = Counter(child for node in nodes for child in node.children)
        self.uses.update(roots)
        self.top = Scope()
        self.variables = Variables(frame, self.top)
        self.indices = Indices(frame, self.variables)
        self.elements = Elements(frame, plan)

    def value(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root`, given that the code that uses it stands in `scope`."""

        def inside(node: Expr) -> tuple[Expr, ...]:
            return node.children if isinstance(node, Apply) and self._known(node, env, scope) is None else ()

        for node in subexpressions(root, inside):
            if self._known(node, env, scope) is None:
                found = self._computed(node, env, scope)
                shared = self.uses[node] > 1 and not found.atomic
                if shared or len(found.text) > LONGEST:
                    found = found.under(self.frame.numbered(_stem(node)))
                place = found.scope if found.atomic and found.number is None else scope
                place.known[env.key(node)] = found
        known = self._known(root, env, scope)
        assert known is not None
        return known

    def real(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root` as a floating-point number."""
        return self.value(root, env, scope).real()

    def named(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root` under a name or as a number."""
        found = self.value(root, env, scope)
        if not found.atomic:
            found = found.under(self.frame.numbered(_stem(root)))
            found.scope.known[env.key(root)] = found
        return found

    def named_real(self, root: Expr, env: Env, scope: Scope) -> Value:
        """The value of `root` as a floating-point number, under a name or as a number."""
        found = self.named(root, env, scope).real()
        return found if found.atomic else found.under(self.frame.numbered(_stem(root)))

    def _known(self, node: Expr, env: Env, scope: Scope) -> Value | None:
        return env.values.get(node) or scope.find(env.key(node))

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
                return self._position(axis, env)
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

    def _position(self, axis: Axis, env: Env) -> Value:
        place = self.variables.placed(axis, env)
        step = env.lanes(place.index)
        text, wide = self.variables.lane_text(place.index, step), bool(step) or self.variables.have_lanes(place.index)
        atomic = text.isidentifier()
        return Value(text if atomic else f"({text})", place.scope, integer=True, atomic=atomic, wide=wide)

    # Functions

    def _applied(self, node: Apply, env: Env, scope: Scope) -> Value:
        function, operands = node.function, node.operands
        found = [self.value(operand, env, scope) for operand in operands]
        at = deepest([self.top, *(value.scope for value in found)])
        exact, wide = function in EXACT and is_integer(node), any(value.wide for value in found)
        if function == "where":
            return self._choice(node, env, scope, at, exact=exact, wide=wide)
        values = [self._operand(operand, env, scope, at) for operand in operands]
        heavy = function in HEAVY or any(value.heavy for value in values)
        if function == "pow":
            exponent = operands[1]
            assert isinstance(exponent, Constant)
            return Value(raised(values[0].real().text, exponent.value), at, heavy=heavy, wide=wide)
        compared = function in ("greater", "equal", "greater_equal") and all(value.integer for value in found)
        texts = [(value if exact or compared else value.real()).text for value in values]
        if function == "div" and values[0].wide and values[1].scope.depth < at.depth:
            return self._quotient_of(values[0].real(), values[1].real(), at)
        forms = INTEGER_FORMS if exact else SCALAR_FORMS
        if wide:
            forms = forms | WIDE_FORMS | (WIDE_INTEGER_FORMS if exact else {})
        if function not in forms:
            message = f"no code is generated yet for {node}"
            raise TemplateError(message)
        form = forms[function]
        if "({})" in form or "({}, {})" in form:  # an argument needs no parentheses of its own
            texts = [unwrapped(text) for text in texts]
        return Value(form.format(*texts), at, exact, heavy=heavy, wide=wide)

    def _choice(self, node: Apply, env: Env, scope: Scope, at: Scope, *, exact: bool, wide: bool) -> Value:
        """One of two values by a condition."""
        condition = self._condition(node.operands[0], env, scope, at)
        x, y = (self._operand(operand, env, scope, at, light=True) for operand in node.operands[1:])
        texts = [condition, *((value if exact else value.real()).text for value in (x, y))]
        form = (WIDE_FORMS if wide else SCALAR_FORMS)["where_true"]
        return Value(form.format(*texts), at, exact, heavy=x.heavy or y.heavy, wide=wide)

    def _quotient_of(self, value: Value, divisor: Value, at: Scope) -> Value:
        """A vector divided by a number, or a vector, that stays the same from one to the next."""
        key = "reciprocal", divisor.text
        inverse = divisor.scope.find(key)
        if inverse is None:
            text = f"reciprocal({unwrapped(divisor.text)})"
            inverse = replace(divisor, text=text, atomic=False).under(self.frame.numbered("inverse"))
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
                    a, b = a.real(), b.real()
                return f"{a.text} {comparison[function]} {b.text}"
            case _:
                return f"{value.text} != 0"

    def _lane_at(self, node: Expr, env: Env) -> str | None:
        """The mask of the lane in which two indices are equal, where one is a vector's and one the same for all."""
        match node:
            case Apply("equal", (Position(a), Position(b))):
                first, same = (self.variables.placed(axis, env).index for axis in (a, b))
            case _:
                return None
        if env.lanes(first) == 0:
            first, same = same, first
        plain = first.divisor == same.divisor == 1
        if not plain or any(map(self.variables.have_lanes, (first, same))):
            return None
        if (env.lanes(first), env.lanes(same)) != (1, 0):
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
        wide = found.wide or (env.wide is not None and node.tensor in self.frame.lane_buffers)
        text = self.elements.read(node.tensor, found, env, outside)
        if found.tests:
            tests = self.indices.all_of(found.tests, at)
            text = f"({text} if {tests} else {f'splat({outside})' if wide else outside})"
        value = Value(text, at, layout.integer, wide=wide)
        return value if env.rows is None or found.tests else self._read_once(value, node.tensor)

    def _read_once(self, value: Value, tensor: str) -> Value:
        """What is read, under a name: windows that are computed at once have elements in common."""
        key = "read", value.text
        known = value.scope.find(key)
        if known is None:
            known = value.scope.known[key] = value.under(self.frame.numbered(tensor))
        return known

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
        with at.block(f"if {self.indices.all_of(found.tests, at)}:") as block:
            conditions = dict.fromkeys(found.conditions, block)
            inner = inner.outside(at).at({}, conditions)
            if some:
                value = self._some_lanes(node, found, inner, block, block)
            else:
                value = self.real(node.body, inner.at(self._bound(node, found, block)), block)
            block.add(f"{name} = {unwrapped(value.text)}")
        at.items[position] = f"{name} = {f'splat({outside})' if value.wide else outside}"
        return Value(name, at, atomic=True, wide=value.wide)

    def _some_lanes(self, node: Reindex, found: Located, inner: Env, scope: Scope, at: Scope) -> Value:
        """The body in the lanes that are inside, else the pad."""
        assert inner.wide is not None
        some = inner.among(found.intervals, found.masks, at).at(self._bound(node, found, at))
        value = self.real(node.body, some, scope)
        mask = mask_of(found.intervals, found.masks, None)
        text = f"select({mask}, {unwrapped(value.text)}, {constant(node.pad or 0.0)})"
        return Value(text, deepest([at, value.scope]), wide=True)

    def _bound(self, node: Reindex, found: Located, block: Scope | None) -> dict[Axis, Place]:
        """Where the axes bound by `node` stand: in `block`, if that is where they are known to be inside."""
        places = {}
        each = zip(node.bound, found.affine, found.texts, found.all_lanes, found.own, strict=True)
        for axis, index, text, wide, scope in each:
            places[axis] = self.variables.place(text, index, axis.extent, block or scope, wide=wide)
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
    ) -> Located:
        """The index along each dimension, and the tests under which it is one.

        Indices that are computed at run time are tested like the others, or where they lead into a `place` ("dimension
        {} of x"), the function ends if one is outside. Affine ones need a test only if `padded`.
        """
        found = Located()
        for dimension, (index, extent) in enumerate(zip(indices, extents, strict=True), start=1):
            if isinstance(index, Expr):
                what = f"index {index} into {place.format(dimension)} (extent {extent})" if place else ""
                self.indices.computed(found, self.named(index, env, scope), extent, what, env)
            else:
                self.indices.affine(found, self.variables.placed(index, env), extent, env, padded=padded)
        return found

    # Reductions too large to be stored

    def _reduced(self, node: Reduce, env: Env) -> Value:
        from autotune.codegen.reductions import reduced  # which opens loops to evaluate in

        at = deepest([self.top, *(env.places[axis].scope for axis in node.axes)])
        inner = env.binding(node.over).outside(at)
        (found,) = reduced(self, node.reduction, node.over, node.body, [inner], at, node.reduction)
        return found


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
