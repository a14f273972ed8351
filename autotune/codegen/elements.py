"""Elements of arrays at the indices of an environment, as text: read and written one by one, or one for each lane."""

from collections.abc import Sequence
from dataclasses import dataclass

from autotune.codegen.environment import Env, Wide
from autotune.codegen.frame import Frame
from autotune.codegen.indices import Located
from autotune.codegen.lanes import MOST_APART, LanesAccess, common, mask_of, with_lanes
from autotune.codegen.scopes import Scope, Value
from autotune.codegen.text import scaled, total, unwrapped
from autotune.lang import Affine
from autotune.machine.lines import LINE_BYTES
from autotune.schedule import Result
from autotune.schedule.loops import LoopPlan


@dataclass(frozen=True)
class Elements:
    """What a function under construction reads and writes in loops of a plan."""

    frame: Frame
    plan: LoopPlan

    def read(self, tensor: str, found: Located, env: Env, outside: str) -> str:
        """The element at indices that have been found; lanes that are not inside read `outside`."""
        start, offset = self.frame.start(tensor), self.frame.offset(tensor, found.texts)
        if env.wide is not None and tensor in self.frame.lane_buffers:
            return f"load({start}, {self._in_buffer(offset, env.wide)})"
        return self._lanes_read(tensor, found, env, outside) if found.wide else f"get({start}, {offset})"

    def _lanes_read(self, tensor: str, found: Located, env: Env, outside: str) -> str:
        """The elements of all lanes: neighbours, or at equal distances, or anywhere."""
        start, wide = self.frame.start(tensor), env.wide
        assert wide is not None
        intervals, masks = (*found.intervals, *env.intervals), (*found.masks, *env.masks)
        if found.vectors or masks:
            each = zip(found.texts, found.steps, found.all_lanes, strict=True)
            indices = [with_lanes(text, step, wide=wide) for text, step, wide in each]
            mask = mask_of(intervals, masks, wide.count)
            return f"gather_at({start}, {self.frame.offset(tensor, indices)}, {mask}, {outside})"
        if not any(found.steps[:-1]):
            self.frame.neighbours(tensor)
        access = self._lanes_access(tensor, found.steps, self.frame.offset(tensor, found.texts))
        if intervals:
            first, last = common(intervals, wide.count)
            return f"{access.load('_between')}({start}, {access.where}, {first}, {last}, {outside})"
        if wide.count is not None:
            return f"{access.load('_first')}({start}, {access.where}, {wide.count})"
        return f"{access.load('')}({start}, {access.where})"

    def write(self, result: Result, env: Env, value: Value, *, add: bool = False) -> str:
        """The statement that writes a value as the element at the indices of `env`, or adds it to that."""
        start, at, wide = self.frame.start(result.name), self._offset(result, env), env.wide
        steps = [env.lanes(env.places[axis].index) for axis in result.axes]
        if wide is None or not (any(steps) or value.wide):
            before = f"{self._own(result, env)} + " if add else ""
            return f"put({start}, {at}, {before}{value.text if add else unwrapped(value.text)})"
        text = value.text if value.wide else f"splat({value.text})"
        if not any(steps):  # a buffer that has an element for each lane
            return f"store({start}, {self._in_buffer(at, wide)}, {text})"
        access = self._lanes_access(result.name, steps, at)
        how, of = ("", "") if wide.count is None else ("_first", f", {wide.count}")
        if self.plan.stream and access.step == 1 and not add and result.name in self.frame.streamed:
            return f"stream{how}({start}, {at}, {text}{of})"
        before = f"{self._own(result, env)} + " if add else ""
        return f"{access.store(how)}({start}, {access.where}, {before}{text}{of})"

    def named(self, result: Result, env: Env, scope: Scope) -> Value:
        """The element of a result at the indices of `env`, under a name."""
        name = self.frame.numbered("total")
        scope.add(f"{name} = {self._own(result, env)}")
        wide = any(env.lanes(env.places[axis].index) for axis in result.axes)
        return Value(name, scope, atomic=True, wide=wide)

    def buffered(self, result: Result, env: Env) -> str:
        """The element at the indices of `env` of an array that is a buffer of one lane, or of those of the vectors."""
        start, at = self.frame.start(result.name), self._offset(result, env)
        return f"get({start}, {at})" if env.wide is None else f"load({start}, {self._in_buffer(at, env.wide)})"

    def ask_ahead(self, env: Env, scope: Scope) -> None:
        """Ask for what the next block will read first to be brought into the cache, each line of it once."""
        size = self.plan.lanes * self.frame.itemsize
        if env.wide and env.wide.copy * size % LINE_BYTES:
            return
        for ahead in self.plan.ahead:
            indices = {axis: env.places[axis].index for axis in ahead.read.axes}
            indices[ahead.axis] = Affine.total([(ahead.axis, 1)], ahead.distance).substitute(indices)
            at = self.frame.offset(ahead.read.tensor, [self.frame.affine(indices[axis]) for axis in ahead.read.axes])
            scope.add(f"prefetch({self.frame.start(ahead.read.tensor)}, {at})")

    def _own(self, result: Result, env: Env) -> str:
        """The element of a result at the indices of `env`, those of all lanes where they differ."""
        start, at = self.frame.start(result.name), self._offset(result, env)
        steps = [env.lanes(env.places[axis].index) for axis in result.axes]
        if env.wide is None or not any(steps):
            return f"get({start}, {at})"
        access = self._lanes_access(result.name, steps, at)
        if env.wide.count is None:
            return f"{access.load('')}({start}, {access.where})"
        return f"{access.load('_first')}({start}, {access.where}, {env.wide.count})"

    def _offset(self, result: Result, env: Env) -> str:
        """Offset of the element of a result at the indices of `env`, that of the first lane in a vector loop."""
        return self.frame.offset(result.name, [self.frame.affine(env.places[axis].index) for axis in result.axes])

    def _in_buffer(self, at: str, wide: Wide) -> str:
        """Where a vector is in a buffer that has an element for each lane of each of the vectors that are at once."""
        copies = self.plan.copies
        return f"({at}) * LANES" if copies == 1 else f"(({at}) * {copies} + {wide.copy}) * LANES"

    def _lanes_access(self, tensor: str, steps: Sequence[int], at: str) -> LanesAccess:
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
