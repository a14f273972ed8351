"""How a tuning run shows itself: a few live lines in a terminal, a line now and then elsewhere."""

import math
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autotune import units
from autotune.measure import Status
from autotune.schedule import Workload
from autotune.search import BatchProposed, Event, Finished, MachineLoaded, Progress, Proving, Started, TrialFinished

LINE_SECONDS = 5.0
REFRESHES_PER_SECOND = 4.0
BAR_WIDTH = 30


class Display(Protocol):
    """Shows the events of one run, from `with` to its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, event: Event) -> None:
        """Show what happened."""


def display(out: Console, workload: Workload, peak: float, part: str) -> Display:
    """The display that suits the console; `peak` in operations per second, `part` tells which of several runs it is."""
    return LiveLines(out, workload, peak, part) if out.is_terminal else PlainLines(out, peak, part)


class LiveLines:
    """Lines that are drawn again and again; in the end one line stays."""

    def __init__(self, out: Console, workload: Workload, peak: float, part: str) -> None:
        self._out = out
        self._workload = workload
        self._peak = peak
        self._part = part
        self._event: Event | None = None
        self._received = time.monotonic()
        self._live = Live(
            console=out, get_renderable=self._render, transient=True, refresh_per_second=REFRESHES_PER_SECOND
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        if self._event is not None:
            self._out.print(f"{summary(self._event.progress, self._peak)} {self._part}".rstrip(), soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """See `Display`."""
        self._event, self._received = event, time.monotonic()

    def _render(self) -> RenderableType:
        if self._event is None:
            return Group(title(self._workload, self._part), Text("   starting", style="dim"))
        return lines(self._event, self._peak, part=self._part, since=time.monotonic() - self._received)


class PlainLines:
    """A line at the start, at the end, and every few seconds between."""

    def __init__(
        self,
        out: Console,
        peak: float,
        part: str,
        *,
        every: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._peak = peak
        self._part = part
        self._every = every
        self._clock = clock
        self._next = clock() + every

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """See `Display`."""
        if isinstance(event, Started):
            earlier = f", {event.progress.earlier} of them known from earlier runs" if event.progress.earlier else ""
            trials = f"{event.progress.workload.describe()}: {units.count(event.progress.trials, 'trial')}{earlier}"
            self._print(f"{trials} {self._part}".rstrip())
        elif isinstance(event, MachineLoaded):
            self._print(f"  {activity(event)}")
        elif isinstance(event, Finished):
            self._print(f"  {summary(event.progress, self._peak)}")
        elif isinstance(event, TrialFinished) and self._clock() >= self._next:
            self._next = self._clock() + self._every
            self._print(f"  {line(event.progress, self._peak)}")

    def _print(self, text: str) -> None:
        self._out.print(text, soft_wrap=True)


def lines(event: Event, peak: float, *, part: str = "", since: float = 0.0) -> RenderableType:
    """What a terminal shows of a run, `since` seconds after the event."""
    progress = event.progress
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("  best", best(progress, peak))
    if progress.failures:
        facts.add_row("  failed", Text(failures(progress.failures), style="yellow"))
    facts.add_row("  now", Text(activity(event), style="yellow" if isinstance(event, MachineLoaded) else ""))
    return Group(title(progress.workload, part), _bar(progress, since), facts)


def title(workload: Workload, part: str) -> Text:
    """What is tuned, and which of several runs it is."""
    return Text.assemble((workload.describe(), "bold"), f" {part}")


def line(progress: Progress, peak: float) -> str:
    """How far a run is, in one line."""
    parts = [f"{progress.done}/{progress.trials} trials", best(progress, peak)]
    parts.append(f"{progress.trials_per_second:.1f} trials/s")
    if progress.failures:
        parts.append(f"failed: {failures(progress.failures)}")
    if progress.left is not None:
        parts.append(f"{units.clock(progress.left)} left")
    return ", ".join(parts)


def summary(progress: Progress, peak: float) -> str:
    """What a run came to, in one line."""
    workload = progress.workload
    failed = f", failed: {failures(progress.failures)}" if progress.failures else ""
    trials = f"{units.count(progress.done, 'trial')} in {units.clock(progress.elapsed)}"
    if progress.thinking:
        trials += f" ({units.percent(progress.thinking / progress.elapsed)} of it the search's own)"
    return f"{workload.kernel.name} {workload.kernel.direction}: {trials}, {best(progress, peak)}{failed}"


def best(progress: Progress, peak: float) -> str:
    """The fastest so far."""
    if math.isinf(progress.best):
        return "nothing measured yet"
    if not progress.gflops:  # a kernel that only moves data
        return units.duration(progress.best)
    share = units.percent(progress.gflops * 1e9 / peak)
    return f"{units.digits(progress.gflops)} GFLOP/s, {share} of peak, {units.duration(progress.best)}"


def failures(counts: Mapping[Status, int]) -> str:
    """Failed trials by kind, the most frequent first: "2 timeout, 1 crash"."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {status.value}" for status, count in ordered)


def activity(event: Event) -> str:
    """What is going on."""
    match event:
        case Started():
            return "starting"
        case BatchProposed():
            return f"building {event.size} candidates"
        case TrialFinished():
            return "measuring"
        case MachineLoaded():
            taken = f"something else takes up to {units.percent(1 - event.load)} of the machine"
            return f"{taken}; measuring {event.again} again" if event.again else taken
        case Proving():
            return f"proving the best of {event.candidates} against what serves now, in paired runs"
        case Finished():
            return "finished"


def _bar(progress: Progress, since: float) -> Table:
    row = Table.grid(padding=(0, 2, 0, 0))
    left = "" if progress.left is None else f"{units.clock(max(0.0, progress.left - since))} left"
    row.add_row(
        Text(" "),
        ProgressBar(total=progress.trials, completed=progress.done, width=BAR_WIDTH),
        f"{progress.done}/{progress.trials}",
        f"{progress.trials_per_second:.1f} trials/s",
        left,
    )
    return row
