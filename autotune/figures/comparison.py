"""Workloads side by side: what tuning gained, gradients against their forward kernels, machines, failures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autotune import units
from autotune.database.views import Tuned
from autotune.figures import theme as look
from autotune.figures.theme import LIGHT, Theme
from autotune.figures.times import Unit
from autotune.measure.measurement import Status

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHOWN = 40  # workloads of a figure: more could not be read


def gains(tuned: Sequence[Tuned], *, theme: Theme = LIGHT) -> "Figure":
    """The default's time over the winner's with its 95 % interval, a workload a line, the largest gain at the top."""
    proven = sorted((each for each in tuned if each.gain is not None), key=lambda each: each.gain or 0.0)[-SHOWN:]
    if not proven:
        return look.nothing(theme, "no winner is proven yet")
    several = len({each.machine for each in tuned}) > 1
    figure = _rows(theme, len(proven))
    ratios = [each.gain or 1.0 for each in proven]
    above = [max(0.0, (each.ratio_high or 0.0) - ratio) for each, ratio in zip(proven, ratios, strict=True)]
    below = [max(0.0, ratio - (each.ratio_low or 0.0)) for each, ratio in zip(proven, ratios, strict=True)]
    figure.add_scatter(
        x=ratios,
        y=_labels(proven, several),
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
    several = len({each.machine for each in tuned}) > 1
    groups = _grouped(tuned, lambda each: (each.key.without_direction + _on(each, several), each.key.direction))
    groups = {name: group for name, group in groups.items() if "forward" in group and len(group) > 1}
    return _dots(groups, theme, "no kernel was tuned both forward and in a gradient")


def machines(tuned: Sequence[Tuned], *, theme: Theme = LIGHT) -> "Figure":
    """The winner's time on every machine, a workload a line; only workloads that were tuned on several machines."""
    groups = _grouped(tuned, lambda each: (str(each.key), f"{each.cpu} ({each.machine})"))
    groups = {name: group for name, group in groups.items() if len(group) > 1}
    return _dots(groups, theme, "no workload was tuned on more than one machine")


def failures(tuned: Sequence[Tuned], *, theme: Theme = LIGHT) -> "Figure":
    """How many measurements failed, by kind and workload, as stacked bars; the most at the top."""
    failing = sorted((each for each in tuned if each.failed), key=lambda each: each.failed)[-SHOWN:]
    if not failing:
        return look.nothing(theme, "no measurement failed")
    several = len({each.machine for each in tuned}) > 1
    figure = _rows(theme, len(failing), legend=True)
    for status in (status for status in Status if status is not Status.OK):
        counts = [each.counts.get(status, 0) for each in failing]
        if any(counts):
            figure.add_bar(
                x=counts,
                y=_labels(failing, several),
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


def _grouped(tuned: Iterable[Tuned], split: Callable[[Tuned], tuple[str, str]]) -> dict[str, dict[str, Tuned]]:
    """Proven workloads by the line and the entry in it that `split` names."""
    groups: dict[str, dict[str, Tuned]] = defaultdict(dict)
    for each in tuned:
        if each.seconds is not None:
            line, entry = split(each)
            groups[line][entry] = each
    return groups


def _dots(groups: Mapping[str, Mapping[str, Tuned]], theme: Theme, reason: str) -> "Figure":
    if not groups:
        return look.nothing(theme, reason)
    names = sorted(groups, reverse=True)[-SHOWN:]
    entries = sorted({entry for name in names for entry in groups[name]})
    times = [each.seconds for name in names for each in groups[name].values() if each.seconds is not None]
    unit = Unit.of(times)
    figure = _rows(theme, len(names), legend=True)
    figure.add_scatter(**_spans(groups, names, unit), hoverinfo="skip", showlegend=False)
    for place, entry in enumerate(entries):
        of = [(name, groups[name][entry]) for name in names if entry in groups[name]]
        figure.add_scatter(
            x=[unit(each.seconds or 0.0) for _, each in of],
            y=[look.label(name) for name, _ in of],
            mode="markers",
            name=look.label(entry),
            marker={"color": look.SERIES[place % len(look.SERIES)], "size": 9},
            text=[look.lines(f"{entry}: {units.duration(each.seconds or 0.0)}", name) for name, each in of],
            hoverinfo="text",
        )
    figure.update_xaxes(unit.axis(times))
    return figure


def _spans(groups: Mapping[str, Mapping[str, Tuned]], names: Sequence[str], unit: Unit) -> dict[str, Any]:
    """A line from the least to the greatest time of each name: one trace with gaps, as forty would be drawn slowly."""
    x: list[float | None] = []
    y: list[str | None] = []
    for name in names:
        seconds = [unit(each.seconds) for each in groups[name].values() if each.seconds is not None]
        x += [min(seconds), max(seconds), None]
        y += [look.label(name), look.label(name), None]
    return {"x": x, "y": y, "mode": "lines", "line": {"color": look.MUTED, "width": 1}, "connectgaps": False}


def _rows(theme: Theme, count: int, *, legend: bool = False) -> Any:
    """A figure with a line of text for each of so many rows."""
    figure = look.figure(theme, height=110 + (28 if legend else 0) + 24 * count)
    figure.update_yaxes(type="category", ticks="", tickfont={"size": 12})
    figure.update_layout(showlegend=legend)
    return figure


def _labels(tuned: Sequence[Tuned], with_machine: bool) -> list[str]:
    return [look.label(f"{each.key}{_on(each, with_machine)}") for each in tuned]


def _on(each: Tuned, with_machine: bool) -> str:
    return f" on {each.machine}" if with_machine else ""


def _gain(each: Tuned) -> str:
    ratio = units.gain(each.gain or 1.0, each.ratio_low or 1.0, each.ratio_high or 1.0)
    return look.lines(
        str(each.key), ratio, f"{units.duration(each.default_seconds or 0.0)} → {units.duration(each.seconds or 0.0)}"
    )
