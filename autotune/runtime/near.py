"""Plans for shapes that are new but near a tuned one, in microseconds: nothing is made that a call can do without."""

from collections.abc import Sequence
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.runtime.arguments import DTYPES
from autotune.runtime.choice import Choice, Tuned, origin_of
from autotune.runtime.fast_path import Entry
from autotune.runtime.grouping import splitting_of
from autotune.runtime.plan import Array, Plan, results_of
from autotune.runtime.result_memory import allocator
from autotune.schedule import Workload

Extents = tuple[int, ...]


class NearPlan:
    """A plan that is made only when somebody asks for it; until then `like`, that of another shape, is enough."""

    __slots__ = ("_extents", "_like", "_plan", "_tuned")

    def __init__(self, like: Plan, tuned: Tuned, extents: Extents) -> None:
        self._like, self._tuned, self._extents = like, tuned, extents
        self._plan: Plan | None = None

    @property
    def plan(self) -> Plan:
        """How calls with these extents are served."""
        if self._plan is None:
            self._plan = self._made()
        return self._plan

    def allocate(self) -> tuple[Array, ...]:
        """As a plan's."""
        return self._like.allocate()

    def _made(self) -> Plan:
        like, workload = self._like, _workload(self._tuned, self._extents)
        assert like.choice is not None  # only plans that run a schedule are taken in
        made_for = like.choice.made_for
        choice = Choice(like.choice.config, origin_of(made_for, workload, shipped=self._tuned.shipped), made_for)
        results = results_of(workload)
        return Plan(workload, like.split_call, results, like.scratch, like.pool, choice, like.path, like.checks)

    def run(self, inputs: Sequence[Any], outputs: Sequence[Array]) -> None:
        """As a plan's."""
        self.plan.run(inputs, outputs)


class Near:
    """Entries for shapes that were not seen yet, by the tuned schedules that serve others already.

    Threads may call at the same time: items of lists and dicts are replaced, a list's pop and append are done, at once.
    """

    def __init__(self, tuned: Tuned) -> None:
        self.tuned = tuned
        self._dtype = DTYPES[tuned.dtype]
        self._itemsize = max(8 if output.integer else self._dtype.itemsize for output in tuned.kernel.outputs)
        self._plans: list[Plan | None] = [None] * len(tuned.records)
        self._alike: dict[Extents, Alike | None] = {}
        self._splittings = [splitting_of(tuned.kernel, scratch=scratch) for scratch in (False, True)]

    def learn(self, plan: Plan) -> None:
        """Take in a plan, so that other shapes can be served as it is."""
        if plan.choice is None:
            return
        position = self.tuned.positions.get(plan.choice.made_for.extents)
        if position is not None:
            self._plans[position] = plan

    def entry(
        self,
        extents: Extents,
        sizes: Extents,
        kind: Extents,
        results: Any,
        largest: int,
        split: tuple[Extents, ...],
        given: tuple[Extents, ...],
    ) -> Entry | None:
        """What serves calls of whose shapes `new_shapes` says all this.

        None where the nearest tuned schedule serves nobody yet.
        """
        try:
            alike = self._alike[kind]
        except KeyError:
            alike = self._alike[kind] = self._alike_to(extents)
        like = None if alike is None else self._plans[alike.nearest(sizes)]
        if like is None:
            return None
        splitting = self._splittings[like.scratch > 0]
        call = like.split_call if splitting is None else splitting(like.split_call, *split)
        empty = allocator(largest * self._itemsize)
        return (NearPlan(like, self.tuned, extents), call, results, empty, like.pool, self._dtype, *given)

    def _alike_to(self, extents: Extents) -> "Alike | None":
        """Those of the tuned workloads whose code may serve these extents."""
        fitting = self.tuned.fitting(_workload(self.tuned, extents))
        return Alike(fitting, self.tuned.candidates.arrays) if fitting else None


class Alike:
    """Tuned workloads with the same structural extents, given by their positions. Threads may ask at once."""

    def __init__(self, positions: Sequence[int], arrays: tuple[NDArray[np.float64], ...]) -> None:
        from autotune.codegen.module import entry_point
        from autotune.cost_model.nearest import nearest

        tensors, caches, tiles, features = arrays
        self._positions = positions
        self._arrays = (tensors, caches, *(np.ascontiguousarray(each[:, positions]) for each in (tiles, features)))
        self._search: Any = entry_point(nearest)
        self._rooms: list[tuple[bytearray, NDArray[np.float64], NDArray[np.float64]]] = []
        self._pack = Struct(f"{tensors.shape[1] - 1}d").pack_into  # a third of the time that NumPy takes for a tuple

    def nearest(self, sizes: Extents) -> int:
        """The position of the one that is nearest to these sizes."""
        try:
            room = self._rooms.pop()
        except IndexError:
            memory = bytearray(8 * len(sizes))
            room = memory, np.frombuffer(memory), np.empty(len(self._positions))
        memory, wanted, squares = room
        self._pack(memory, 0, *sizes)
        found: int = self._search(wanted, *self._arrays, squares)
        self._rooms.append(room)
        return self._positions[found]


def _workload(tuned: Tuned, extents: Extents) -> Workload:
    named = tuple(zip(tuned.kernel.extent_names, extents, strict=True))
    return Workload(tuned.kernel, named, tuned.dtype, tuned.threads)
