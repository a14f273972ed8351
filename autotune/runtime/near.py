"""Plans for shapes that are new but near a tuned one, in microseconds: nothing is made that a call can do without."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.runtime.arguments import DTYPES
from autotune.runtime.choice import Choice, Tuned, origin_of
from autotune.runtime.fast_path import Entry
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
        like, kernel = self._like, self._tuned.kernel
        extents = tuple(zip(kernel.extent_names, self._extents, strict=True))
        workload = Workload(kernel, extents, self._tuned.dtype, self._tuned.threads)
        assert like.choice is not None  # only plans that run a schedule are taken in
        made_for = like.choice.made_for
        choice = Choice(like.choice.config, origin_of(made_for, workload, shipped=self._tuned.shipped), made_for)
        return Plan(workload, like.call, results_of(workload), like.scratch, like.pool, choice, like.path, like.checks)

    def run(self, inputs: Sequence[Any], outputs: Sequence[Array]) -> None:
        """As a plan's."""
        self.plan.run(inputs, outputs)


class Near:
    """Entries for shapes that were not seen yet, by the tuned schedules that serve others already.

    Threads may call at the same time: a list's items are replaced, its pop and append are done, at once.
    """

    def __init__(self, tuned: Tuned) -> None:
        self.tuned = tuned
        self._dtype = DTYPES[tuned.dtype]
        self._itemsize = max(8 if output.integer else self._dtype.itemsize for output in tuned.kernel.outputs)
        self._plans: list[Plan | None] = [None] * len(tuned.records)
        self._rooms: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    def learn(self, plan: Plan) -> None:
        """Take in a plan, so that other shapes can be served as it is."""
        if plan.choice is None:
            return
        position = self.tuned.positions.get(plan.choice.made_for.extents)
        if position is not None and not self.tuned.structures[position]:
            self._plans[position] = plan

    def entry(self, extents: Extents, results: Any, largest: int, given: tuple[Extents, ...]) -> Entry | None:
        """What serves calls with these extents, whose results and arrays have these shapes.

        `largest` is the number of elements of the largest result. None where the nearest tuned schedule serves nobody
        yet.
        """
        like = self._plans[self._nearest(extents)]
        if like is None:
            return None
        empty = allocator(largest * self._itemsize)
        return (NearPlan(like, self.tuned, extents), like.call, results, empty, like.pool, self._dtype, *given)

    def _nearest(self, extents: Extents) -> int:
        try:
            room = self._rooms.pop()
        except IndexError:
            room = np.empty(len(extents)), np.empty(len(self._plans))
        sizes, squares = room
        sizes[:] = extents
        position: int = self._search(sizes, *self._arrays, squares)
        self._rooms.append(room)
        return position

    @cached_property
    def _search(self) -> Any:
        from autotune.codegen.module import entry_point
        from autotune.cost_model.nearest import nearest

        return entry_point(nearest)

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        return self.tuned.candidates.arrays
