"""What the calls of one kernel under the same options share: plans, and the winners that these are chosen from."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from autotune import settings
from autotune.lang import Kernel
from autotune.machine import detect
from autotune.runtime.arguments import DTYPES, INTEGER
from autotune.runtime.choice import Known, read_known
from autotune.runtime.fast_path import Entry, no_entry, write_call
from autotune.runtime.near import Near
from autotune.runtime.new_shapes import Sizes, write_sizes
from autotune.runtime.plan import Plan
from autotune.schedule import Workload

MAX_PLANS = 4096  # shapes remembered for each dtype; beyond that all are forgotten, and found again


class Plans(dict[Any, Entry]):
    """Entries by shapes. Asked for one that is not there, it makes one where a tuned schedule near by serves it."""

    def __init__(self, sizes: Sizes | None) -> None:
        super().__init__()
        self.near: Near | None = None
        self._sizes = sizes

    def __missing__(self, shapes: Any) -> Entry:
        """The entry for these shapes; raises KeyError where making it takes longer."""
        near = self.near
        if near is None or self._sizes is None:
            raise KeyError(shapes)
        try:
            found = self._sizes(shapes)
        except (ValueError, ZeroDivisionError):  # another rank or no extent, which is said where shapes are checked
            raise KeyError(shapes) from None
        entry = near.entry(*found) if found is not None else None
        if entry is None:
            raise KeyError(shapes)
        self[shapes] = entry
        if len(self) > MAX_PLANS:
            self.clear()
        return entry

    def keep(self, shapes: Any, entry: Entry) -> None:
        """Serve calls with these shapes by `entry`."""
        if len(self) >= MAX_PLANS:
            self.clear()
        self[shapes] = entry


class Scope:
    """Plans of one kernel by dtype and shapes. Threads may call at the same time."""

    def __init__(self, kernel: Kernel, other: Callable[..., Any], into: Callable[..., Any]) -> None:
        self._kernel = kernel
        sizes = write_sizes(kernel)
        self._plans = {dtype: Plans(sizes) for dtype in DTYPES}
        self._latest = [no_entry(kernel)]
        self._known: dict[tuple[str, int], Known] = {}
        self._names: dict[str, Any] = {f"call_{dtype}_plans": plans for dtype, plans in self._plans.items()}
        self._names |= {f"call_{name}": dtype for name, dtype in DTYPES.items()}
        self._names |= {"call_no_plans": {}, "call_int64": INTEGER, "call_latest": self._latest}
        self._names |= {"call_ndarray": np.ndarray, "call_overlap": np.may_share_memory}
        self._names |= {"call_other": other, "call_into": into}

    def method(self, scoped: list[bool], within: Callable[..., Any]) -> Callable[..., Any]:
        """A function of `self`, the inputs, `out` and options; `within` serves calls while `scoped` is not empty."""
        return write_call(self._kernel, self._names | {"call_scoped": scoped, "call_within": within})

    @cached_property
    def call(self) -> Callable[..., Any]:
        """The same for calls that are known to be under these options."""
        return self.method([], lambda: None)

    def refresh(self) -> None:
        """Forget all plans, so that the next call reads the database again."""
        self._known.clear()
        for plans in self._plans.values():
            plans.near = None
            plans.clear()
        self._latest[0] = no_entry(self._kernel)  # last: a call that runs meanwhile may have put it back

    def find(self, dtype: str, shapes: Any) -> Entry | None:
        """What serves calls with this dtype and these shapes, where it is known or found at once."""
        try:
            return self._plans[dtype][shapes]
        except KeyError:
            return None

    def keep(self, dtype: str, shapes: Any, entry: Entry) -> None:
        """Serve such calls by `entry` from now on."""
        self._plans[dtype].keep(shapes, entry)

    def known(self, workload: Workload) -> Known:
        """The winners for workloads of this dtype and thread count, read once."""
        key = workload.dtype, workload.threads
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = read_known(
                settings.database_url(), self._kernel, dtype=key[0], threads=key[1], machine=detect()
            )
        return found

    def learn(self, plan: Plan) -> None:
        """Serve shapes near that of `plan` as quickly as can be, where it runs a tuned schedule."""
        tuned, plans = self.known(plan.workload).first, self._plans[plan.workload.dtype]
        if plans.near is None or plans.near.tuned is not tuned:
            plans.near = Near(tuned) if tuned.records else None
        if plans.near is not None:
            plans.near.learn(plan)
