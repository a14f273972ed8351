"""The whole numbers that indices are affine in: variables of loops, and others that code computes under a name."""

from autotune.codegen.environment import Env, Place
from autotune.codegen.frame import Frame
from autotune.codegen.lanes import with_lanes
from autotune.codegen.scopes import Scope, Value, deepest
from autotune.codegen.text import unwrapped
from autotune.lang import Affine, Axis
from autotune.schedule.conditions import Variable, always


class Variables:
    """Those of one stage, whose code stands in block `top`; in a vector loop some have a value for each lane."""

    def __init__(self, frame: Frame, top: Scope) -> None:
        self.frame, self.top = frame, top
        self.vectors: set[Axis] = set()
        self._known: dict[Axis, tuple[Variable, Scope]] = {}

    def enter(self, variable: Variable, scope: Scope) -> Place:
        """Where the axis of a loop stands inside the loop, whose block is `scope`."""
        self._known[variable.axis] = (variable, scope)
        return Place(variable.index, scope)

    def scope_of(self, index: Affine) -> Scope:
        """The outermost block in which an affine function of variables can stand."""
        return deepest([self.top, *(self._known[axis][1] for axis in index.axes)])

    def always(self, condition: Affine) -> bool:
        """Whether `condition` ≥ 0 wherever its variables are."""
        return always(condition, {axis: self._known[axis][0] for axis in condition.axes})

    def placed(self, index: Axis | Affine, env: Env) -> Place:
        """An affine index in terms of variables."""
        found = Affine.of(index).substitute(env.affine())
        scopes = [env.places[axis].scope for axis in Affine.of(index).axes]
        return Place(found, deepest([self.scope_of(found), *scopes]))

    def place(self, text: str, index: Affine | None, extent: str, scope: Scope, *, wide: bool = False) -> Place:
        """Where an index stands that is affine, or else a text in `scope`, one of all lanes if `wide`."""
        return Place(self._computed(text, extent, scope, wide=wide) if index is None else index, scope)

    def of(self, value: Value, extent: str) -> Affine | None:
        """A whole number as a variable, if it has a name."""
        if not value.text.isidentifier():
            return None
        axis = Axis(value.text, extent)
        self._known.setdefault(axis, (Variable(axis), value.scope))
        if value.wide:
            self.vectors.add(axis)
        return Affine.of(axis)

    def quotient(self, text: str, extent: str, divisor: int, scope: Scope) -> Affine:
        """A quotient that is known to be whole in `scope`."""
        key = "quotient", text, extent, divisor
        known = scope.find(key)
        if known is None:
            found = self._computed(f"({text}) // {divisor}", extent, scope)
            known = scope.known[key] = Value(self.frame.affine(found), scope, integer=True, atomic=True)
        return Affine.of(Axis(known.text, extent))

    def have_lanes(self, index: Affine) -> bool:
        """Whether an index is affine in some that have a value for each lane."""
        return not self.vectors.isdisjoint(index.axes)

    def lane_text(self, index: Affine, step: int) -> str:
        """An index in each lane, `step` apart, given that of the first, whose variables may have lanes themselves."""
        return with_lanes(self.frame.affine(index), step, wide=self.have_lanes(index))

    def _computed(self, text: str, extent: str, scope: Scope, *, wide: bool = False) -> Affine:
        """A variable for what is computed in `scope`, for each lane if `wide`."""
        name = self.frame.numbered("index")
        scope.add(f"{name} = {unwrapped(text)}")
        axis = Axis(name, extent)
        self._known[axis] = (Variable(axis), scope)
        if wide:
            self.vectors.add(axis)
        return Affine.of(axis)
