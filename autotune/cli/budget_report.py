"""A budget for several workloads, shown as it goes, and what each has received and won of it in the end."""

import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autotune import units
from autotune.cli import terminal
from autotune.cli.progress import LINE_SECONDS, REFRESHES_PER_SECOND, activity, line, lines, summary
from autotune.machine import Machine, peaks
from autotune.schedule import Workload
from autotune.search import Event, Finished, MachineLoaded, TrialFinished
from autotune.search.budget import Share


class BudgetLines:
    """Live lines of the workload that is tuned just now in a terminal, elsewhere a line now and then.

    In the end a line for each workload that a winner was sought for stays.
    """

    def __init__(self, out: Console, machine: Machine, count: int, seconds: float | None) -> None:
        self._out = out
        self._machine = machine
        self._count = count
        self._until = None if seconds is None else time.monotonic() + seconds
        self._event: Event | None = None
        self._received = time.monotonic()
        self._next = self._received + LINE_SECONDS
        self._live = Live(
            console=out, get_renderable=self._render, transient=True, refresh_per_second=REFRESHES_PER_SECOND
        )

    def __enter__(self) -> Self:
        left = "" if self._until is None else f", {units.clock(self._until - time.monotonic())} for all of them"
        self._out.print(f"{units.count(self._count, 'workload')}{left}", soft_wrap=True)
        if self._out.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out.is_terminal:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show what happened."""
        self._received = time.monotonic()
        if self._until is not None:  # of the whole, not of this workload
            left = max(0.0, self._until - self._received)
            event = replace(event, progress=replace(event.progress, left=left))
        self._event, workload = event, event.progress.workload
        if isinstance(event, Finished):
            self._out.print(f"  {summary(event.progress, self._peak(workload))}", soft_wrap=True)
        elif self._out.is_terminal:
            return
        elif isinstance(event, MachineLoaded):
            self._out.print(f"  {activity(event)}", soft_wrap=True)
        elif isinstance(event, TrialFinished) and self._received >= self._next:
            self._next = self._received + LINE_SECONDS
            self._out.print(f"  {workload.describe()}: {line(event.progress, self._peak(workload))}", soft_wrap=True)

    def _render(self) -> RenderableType:
        if self._event is None:
            return Text("   starting", style="dim")
        peak = self._peak(self._event.progress.workload)
        return lines(
            self._event,
            peak,
            part=f"(of {units.count(self._count, 'workload')})",
            since=time.monotonic() - self._received,
        )

    def _peak(self, workload: Workload) -> float:
        return peaks(self._machine).flops(workload.dtype, workload.threads)


def table(shares: Sequence[Share]) -> Table:
    """A line a workload, those that won most first."""
    numbers = ("calls", "trials", "time", "share", "before", "now", "won in all calls")
    made = terminal.table("workload", *numbers, numbers=numbers)
    total = sum(share.seconds for share in shares) or 1.0
    for share in sorted(shares, key=lambda share: (-share.gained, -share.seconds)):
        made.add_row(
            share.demand.workload.describe(),
            f"{share.demand.calls:.6g}",
            str(share.trials),
            units.clock(share.seconds),
            units.percent(share.seconds / total),
            _duration(share.before),
            _duration(share.after),
            units.duration(share.gained) if share.gained > 0 else "-",
        )
    return made


def to_json(shares: Sequence[Share], seconds: float | None) -> dict[str, Any]:
    """`budget` of `run --json`; times of calls in milliseconds."""
    return {
        "seconds": seconds,
        "used_seconds": sum(share.seconds for share in shares),
        "gained_seconds": sum(share.gained for share in shares),
        "received": [_received(share) for share in shares],
    }


def _received(share: Share) -> dict[str, Any]:
    workload = share.demand.workload
    return {
        "kernel": workload.kernel.name,
        "direction": workload.kernel.direction,
        "options": dict(workload.kernel.options),
        "size": dict(workload.extents),
        "dtype": workload.dtype,
        "threads": workload.threads,
        "calls": share.demand.calls,
        "batches": share.batches,
        "trials": share.trials,
        "seconds": share.seconds,
        "before_ms": None if share.before is None else 1e3 * share.before,
        "after_ms": None if share.after is None else 1e3 * share.after,
        "gained_seconds": share.gained,
    }


def _duration(seconds: float | None) -> str:
    return "-" if seconds is None else units.duration(seconds)
