"""How a search went: the best time so far, by trials or by time, and what the models expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from autotune import units
from autotune.database.views import Curve, Prediction
from autotune.figures import theme as look
from autotune.figures.theme import LIGHT, Theme
from autotune.figures.times import Unit

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Lines:
    """Times, in seconds, that a search is held against: the default's, peers' by name, and the roofline's."""

    default: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)
    roofline: float | None = None

    def named(self) -> list[tuple[str, float, str]]:
        """Each with its name and colour."""
        found = [(name, seconds, look.MUTED) for name, seconds in self.peers.items()]
        if self.default is not None:
            found.append(("default", self.default, look.DEFAULT))
        if self.roofline is not None:
            found.append(("roofline", self.roofline, look.ROOFLINE))
        return found


@dataclass(frozen=True)
class _Span:
    """The unit of an axis of time: its length in seconds and its name."""

    seconds: float
    name: str

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> "_Span":
        spans = [(curve.last - curve.first).total_seconds() for curve in curves if curve.first and curve.last]
        longest = max(spans, default=0.0)
        return next((span for span in _SPANS if longest >= 2 * span.seconds), _SPANS[-1])


_SPANS = (_Span(86400, "days"), _Span(3600, "hours"), _Span(60, "minutes"), _Span(1, "seconds"))


def best_so_far(
    curves: Sequence[Curve],
    lines: Lines | None = None,
    *,
    over: Literal["trials", "time"] = "trials",
    theme: Theme = LIGHT,
) -> "Figure":
    """The best time so far as steps, over the number of trials or the time since the first; single trials as dots."""
    curves = [curve for curve in curves if curve.steps]
    if not curves:
        return look.nothing(theme, "no measurement without failure yet")
    lines = lines or Lines()
    times = [seconds for _, seconds, _ in lines.named()]
    unit = Unit.of([*times, *(curve.steps[-1].seconds for curve in curves)])
    span = _Span.of(curves) if over == "time" else None
    figure = look.figure(theme)
    for curve, colour in zip(curves, _repeated(look.SERIES, len(curves)), strict=True):
        _add_points(figure, curve, unit, span, colour)
        _add_steps(figure, curve, unit, span, colour)
    for name, seconds, colour in lines.named():
        _add_line(figure, f"{name} {units.duration(seconds)}", unit(seconds), colour)
    shown = [point.seconds for curve in curves for point in curve.points if point.seconds is not None]
    figure.update_yaxes(unit.axis([*times, *shown, *(curve.steps[-1].seconds for curve in curves)]))
    title = "trial" if span is None else f"{span.name} since the first trial"
    figure.update_xaxes(title=title, rangemode="tozero")
    return figure


def predicted(predictions: Sequence[Prediction], *, theme: Theme = LIGHT) -> "Figure":
    """Expected against measured times, coloured by batch from early to late; on the diagonal both are equal."""
    if not predictions:
        return look.nothing(theme, "no predictions are stored of this run")
    every = [time for each in predictions for time in (each.expected, each.seconds)]
    unit = Unit.of(every)
    low, high = unit(min(every)), unit(max(every))
    batches = 1 + max(each.batch for each in predictions)
    figure = look.figure(theme)
    figure.add_scatter(
        x=[low, high], y=[low, high], mode="lines", line={"color": look.MUTED, "dash": "dot", "width": 1},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_scatter(
        x=[unit(each.expected) for each in predictions],
        y=[unit(each.seconds) for each in predictions],
        mode="markers",
        marker={
            "color": [each.batch + 1 for each in predictions],
            "colorscale": [[place, colour] for place, colour in look.SCALE],
            "reversescale": True,
            "size": 7,
            "opacity": 0.8,
            "colorbar": {"title": {"text": "batch"}, "thickness": 12, "outlinewidth": 0, "dtick": max(1, batches // 6)},
        },
        text=[
            look.lines(
                f"trial {each.number}, batch {each.batch + 1}",
                f"expected {units.duration(each.expected)}, took {units.duration(each.seconds)}",
            )
            for each in predictions
        ],
        hoverinfo="text",
        showlegend=False,
    )
    figure.update_xaxes(unit.axis(every, "expected time"))
    figure.update_yaxes(unit.axis(every, "measured time"))
    return figure


def _add_steps(figure: Any, curve: Curve, unit: Unit, span: _Span | None, colour: str) -> None:
    places = [_place(step.number, step.started, curve, span) for step in curve.steps]
    end = _place(curve.total, curve.last or curve.steps[-1].started, curve, span)
    seconds = [step.seconds for step in curve.steps]
    texts = [look.lines(f"trial {step.number}", units.duration(step.seconds)) for step in curve.steps]
    last = look.lines(f"after {units.count(curve.total, 'trial')}", units.duration(seconds[-1]))
    figure.add_scatter(
        x=[*places, end],
        y=[*map(unit, seconds), unit(seconds[-1])],
        mode="lines",
        line={"shape": "hv", "color": colour, "width": 2.5},
        name=look.label(f"{curve.name or 'best so far'} {units.duration(seconds[-1])}"),
        text=[*texts, last],
        hoverinfo="text",
    )


def _add_points(figure: Any, curve: Curve, unit: Unit, span: _Span | None, colour: str) -> None:
    shown = [point for point in curve.points if point.seconds is not None]
    figure.add_scatter(
        x=[_place(point.number, point.started, curve, span) for point in shown],
        y=[unit(point.seconds) for point in shown if point.seconds is not None],
        mode="markers",
        marker={"color": colour, "size": 5, "opacity": 0.35},
        text=[look.lines(f"trial {point.number}", units.duration(point.seconds or 0.0)) for point in shown],
        customdata=[point.identity for point in shown],
        hoverinfo="text",
        showlegend=False,
    )


def _add_line(figure: Any, name: str, value: float, colour: str) -> None:
    """A horizontal line right across, with an entry in the legend."""
    line = {"color": colour, "dash": "dash", "width": 1.5}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=value, y1=value, line=line)
    figure.add_scatter(x=[None], y=[value], mode="lines", line=line, name=look.label(name))


def _place(number: int, moment: datetime, curve: Curve, span: _Span | None) -> float:
    if span is None or curve.first is None:
        return float(number)
    return (moment - curve.first).total_seconds() / span.seconds


def _repeated(colours: Sequence[str], count: int) -> list[str]:
    return [colours[place % len(colours)] for place in range(count)]
