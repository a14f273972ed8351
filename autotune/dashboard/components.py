"""What pages are made of. Text stays text: React never takes it for markup."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any, TypeAlias

from dash import dcc, html
from dash.development.base_component import Component

from autotune import units
from autotune.database.workload_key import WorkloadKey
from autotune.figures.theme import empty

Part: TypeAlias = Component | str
Parts: TypeAlias = Sequence[Part]

NONE = "\N{EN DASH}"  # where there is no value
SETTINGS: Any = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}


@dataclass(frozen=True)
class Page:
    """A page: its title, what is drawn again while the database grows, and what stays until the next click."""

    title: str
    live: Parts
    rest: Parts = field(default_factory=tuple)


def panel(title: str | None, *parts: Part, aside: Part = "", class_name: str = "panel") -> Component:
    """A box with a heading; `aside` stands to the right of it."""
    heading = [html.Div([html.H2(title), aside], className="heading")] if title else []
    return html.Section([*heading, *parts], className=class_name)


def aria(component: Component, **names: str) -> Component:
    """The component with what it is called for people who do not see it: `label="All runs"`."""
    for name, text in names.items():
        setattr(component, f"aria-{name}", text)
    return component


def table(
    columns: Sequence[Part], rows: Iterable[Iterable[Part]], *, numbers: Iterable[int] = (), label: str
) -> Component:
    """A table; the columns at the positions `numbers` are aligned to the right. `label` says what it lists."""
    right = set(numbers)
    classes = ["number" if place in right else None for place in range(len(columns))]
    head = [html.Th(column, className=name, scope="col") for column, name in zip(columns, classes, strict=True)]
    body = [html.Tr([html.Td(cell, className=name) for cell, name in zip(row, classes, strict=True)]) for row in rows]
    listed = aria(html.Table([html.Thead(html.Tr(head)), html.Tbody(body)]), label=label)
    # Focusable, so that the arrow keys move a table that is wider than the window.
    return aria(html.Div(listed, className="scroll", tabIndex="0", role="region"), label=label)


def graph(figure: Any, identity: str, caption: str) -> Component:
    """A figure with a sentence on how to read it, or the reason why there is nothing to see."""
    reason = empty(figure)
    if reason is not None:
        text = unescape(reason)
        return html.P(f"{text[:1].upper()}{text[1:]}.", className="soft", id=identity)
    figure.update_layout(uirevision=identity)  # a zoom outlives an update
    shown = dcc.Graph(figure=figure, id=identity, config=SETTINGS, style={"height": f"{figure.layout.height}px"})
    return aria(html.Figure([shown, html.Figcaption(caption)]), label=caption)


def later(part: str) -> Component:
    """The place of a part that takes long to make or to draw: `assets/later.js` asks for it when it comes into view."""
    return html.Div(_asking(part, "Show", "ask"), id={"type": "later", "part": part}, className="later")


def not_now(part: str, reason: str) -> Component:
    """What stands in the place of such a part where it could not be made."""
    return html.Div([alert(reason), _asking(part, "Try again", "again")])


def _asking(part: str, text: str, class_name: str) -> Component:
    return html.Button(text, id={"type": "ask", "part": part}, type="button", className=class_name)


def facts(values: Mapping[str, Part]) -> Component:
    """Names with their values."""
    return html.Dl([part for name, value in values.items() for part in (html.Div([html.Dt(name), html.Dd(value)]),)])


def alert(text: str) -> Component:
    """What went wrong, for the person who reads it."""
    return html.Div(text, className="alert", role="alert")


def workload(key: WorkloadKey, href: str | None = None) -> Component:
    """A workload: the kernel and direction, and below them sizes, dtype and threads."""
    extents = " ".join(f"{name}={size}" for name, size in key.extents.items())
    name = f"{key.kernel} {key.direction}"
    first = dcc.Link(name, href=href, className="name") if href else html.Span(name, className="name")
    return html.Div(
        [first, html.Span(f"{extents} {key.dtype} {units.count(key.threads, 'thread')}", className="below")],
        className="workload",
    )


def machine(cpu: str, fingerprint: str) -> Component:
    """A machine: its name and below it its fingerprint."""
    return html.Div([html.Span(cpu), html.Span(fingerprint, className="below mono")], className="workload")


def time(seconds: float | None) -> str:
    """A time per call, a dash where there is none."""
    return NONE if seconds is None else units.duration(seconds)


def pages(links: Sequence[tuple[str, str] | None], current: str) -> Component:
    """Links to the pages of a long table; None where some are left out."""
    parts: list[Part] = []
    for each in links:
        if each is None:
            parts.append(html.Span("…", className="gap"))
        elif each[0] == current:
            parts.append(aria(html.Span(current, className="current"), current="page"))
        else:
            parts.append(dcc.Link(each[0], href=each[1]))
    return aria(html.Nav(parts, className="pages"), label="Pages")
