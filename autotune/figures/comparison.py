"""Workloads side by side: what tuning gained, gradients against their forward kernels, machines, failures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autotune import units
from autotune.database.views import Tuned
from autotune.figures import theme as look
from autotune.figures.theme import LIGHT, Theme
from autotune.figures.times import Unit
from autotune.measure.measurement import Status

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHOWN = 25  # workloads of a figure: more could not be read
PITCH = 46  # pixels from row to row: two lines of text, and below them what is drawn
ABOVE = 0.1  # of a row, between them
NAME = 56  # characters of a name, of which more would not fit into a narrow window


@dataclass(frozen=True, order=True)
class _Row:
    """What one row of a figure is about: a name, and in smaller letters below it sizes and machine."""

    name: str
    sizes: str

    @property
    def category(self) -> str:
        """Its place on the axis, which no other row has."""
        return look.label(f"{self.name} {self.sizes}")

    @property
    def written(self) -> str:
        """What stands there."""
        short = self.name if len(self.name) <= NAME else f"{self.name[: NAME - 1]}…"
        return f'{look.label(short)}<br><span style="font-size:10px">{look.label(self.sizes)}</span>'


def gains(tuned: Sequence[Tuned], *, theme: Theme = LIGHT) -> "Figure":
    """The default's time over the winner's with its 95 % interval, a workload a line, the largest gain at the top."""
    proven = sorted((each for each in tuned if each.gain is not None), key=lambda each: each.gain or 0.0)[-SHOWN:]
    if not proven:
        return look.nothing(theme, "no winner is proven yet")
    rows = _workloads(proven, tuned)
    figure = _figure(theme, rows)
    ratios = [each.gain or 1.0 for each in proven]
    above = [max(0.0, (each.ratio_high or 0.0) - ratio) for each, ratio in zip(proven, ratios, strict=True)]
    below = [max(0.0, ratio - (each.ratio_low or 0.0)) for each, ratio in zip(proven, ratios, strict=True)]
    figure.add_scatter(
        x=ratios,
        y=[row.category for row in rows],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": above,
            "arrayminus": below,
            "thickness": 1.5,
            "width": 0,
        },
        mode="markers",
        marker={"color": look.BEST, "size": 8},
        text=[_gain(each) for each in proven],
        hoverinfo="text",
    )
    figure.add_vline(x=1, line={"color": look.MUTED, "dash": "dash", "width": 1})
    figure.update_xaxes(title="default's time / winner's time", rangemode="normal")
    return figure


def directions(tuned: Sequence[Tuned], *, theme: Theme = LIGHT) -> "Figure":
    """The winner's time of every direction of a kernel: forward against its gradients, a kernel and size a line."""
    several = _several_machines(tuned)
    groups = _grouped(
        tuned, lambda each: (_Row(each.key.kernel, each.key.sizes + _on(each, several)), each.key.direction)
    )
    groups = {row: group for row, group in groups.items() if "forward" in group and len(group) > 1}
    return _dots(groups, theme, "no kernel was tuned both forward and in a gradient")


def machines(tuned: Sequence[Tuned], *, theme: Theme = LIGHT) -> "Figure":
    """The winner's time on every machine, a workload a line; only workloads that were tuned on several machines."""
    groups = _grouped(tuned, lambda each: (_workload(each), f"{each.cpu} ({each.machine})"))
    groups = {row: group for row, group in groups.items() if len(group) > 1}
    return _dots(groups, theme, "no workload was tuned on more than one machine")


def failures(tuned: Sequence[Tuned], *, theme: Theme = LIGHT) -> "Figure":
    """How many measurements failed, by kind and workload, as stacked bars; the most at the top."""
    failing = sorted((each for each in tuned if each.failed), key=lambda each: each.failed)[-SHOWN:]
    if not failing:
        return look.nothing(theme, "no measurement failed")
    rows = _workloads(failing, tuned)
    figure = _figure(theme, rows, legend=True)
    for status in (status for status in Status if status is not Status.OK):
        counts = [each.counts.get(status, 0) for each in failing]
        if any(counts):
            figure.add_bar(
                x=counts,
                y=[row.category for row in rows],
                width=0.25,
                offset=-0.25,  # below the line, above which the text is
                orientation="h",
                name=status.replace("_", " "),
                marker={"color": look.STATUSES[status]},
                text=[
                    look.lines(f"{count} of {each.measurements} {status}")
                    for count, each in zip(counts, failing, strict=True)
                ],
                textposition="none",
                hoverinfo="text",
            )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="failed measurements", rangemode="tozero")
    return figure


def _grouped(tuned: Iterable[Tuned], split: Callable[[Tuned], tuple[_Row, str]]) -> dict[_Row, dict[str, Tuned]]:
    """Proven workloads by the row and the entry in it that `split` names."""
    groups: dict[_Row, dict[str, Tuned]] = defaultdict(dict)
    for each in tuned:
        if each.seconds is not None:
            row, entry = split(each)
            groups[row][entry] = each
    return groups


def _dots(groups: Mapping[_Row, Mapping[str, Tuned]], theme: Theme, reason: str) -> "Figure":
    if not groups:
        return look.nothing(theme, reason)
    rows = sorted(groups, reverse=True)[-SHOWN:]
    entries = sorted({entry for row in rows for entry in groups[row]})
    times = [each.seconds for row in rows for each in groups[row].values() if each.seconds is not None]
    unit = Unit.of(times)
    figure = _figure(theme, rows, legend=True)
    figure.add_scatter(**_spans(groups, rows, unit), hoverinfo="skip", showlegend=False)
    for place, entry in enumerate(entries):
        of = [(row, groups[row][entry]) for row in rows if entry in groups[row]]
        figure.add_scatter(
            x=[unit(each.seconds or 0.0) for _, each in of],
            y=[row.category for row, _ in of],
            mode="markers",
            name=look.label(entry),
            marker={"color": look.SERIES[place % len(look.SERIES)], "size": 9},
            text=[
                look.lines(f"{entry}: {units.duration(each.seconds or 0.0)}", row.name, row.sizes) for row, each in of
            ],
            hoverinfo="text",
        )
    figure.update_xaxes(unit.axis(times))
    return figure


def _spans(groups: Mapping[_Row, Mapping[str, Tuned]], rows: Sequence[_Row], unit: Unit) -> dict[str, Any]:
    """A line from the least to the greatest time of each row: one trace with gaps, as many would be drawn slowly."""
    x: list[float | None] = []
    y: list[str | None] = []
    for row in rows:
        seconds = [unit(each.seconds) for each in groups[row].values() if each.seconds is not None]
        x += [min(seconds), max(seconds), None]
        y += [row.category, row.category, None]
    return {"x": x, "y": y, "mode": "lines", "line": {"color": look.MUTED, "width": 1}, "connectgaps": False}


def _figure(theme: Theme, rows: Sequence[_Row], *, legend: bool = False) -> Any:
    """A figure with these rows from the bottom up; what a row is about stands over it, however narrow the window."""
    figure = look.figure(theme, height=90 + (40 if legend else 0) + PITCH * len(rows))
    categories, low, high = [row.category for row in rows], -0.4, len(rows) - 0.25
    axis = {"type": "category", "categoryarray": categories, "showticklabels": False, "ticks": "", "automargin": False}
    figure.add_scatter(
        x=[0] * len(rows), y=categories, xaxis="x2", yaxis="y2", mode="text", text=[row.written for row in rows],
        textposition="top right", hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.update_layout(
        showlegend=legend,
        margin={"l": 12, "r": 16},
        xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True},
        yaxis=axis | {"range": [low, high]},
        yaxis2=axis | {"range": [low - ABOVE, high - ABOVE], "overlaying": "y", "visible": False},
    )
    return figure


def _workloads(shown: Sequence[Tuned], every: Iterable[Tuned]) -> list[_Row]:
    """A row a workload, with its machine where there are several."""
    several = _several_machines(every)
    return [_workload(each, _on(each, several)) for each in shown]


def _workload(each: Tuned, on: str = "") -> _Row:
    return _Row(f"{each.key.kernel} {each.key.direction}", each.key.sizes + on)


def _several_machines(tuned: Iterable[Tuned]) -> bool:
    return len({each.machine for each in tuned}) > 1


def _on(each: Tuned, with_machine: bool) -> str:
    return f" on {each.machine}" if with_machine else ""


def _gain(each: Tuned) -> str:
    ratio = units.gain(each.gain or 1.0, each.ratio_low or 1.0, each.ratio_high or 1.0)
    return look.lines(
        str(each.key), ratio, f"{units.duration(each.default_seconds or 0.0)} → {units.duration(each.seconds or 0.0)}"
    )
