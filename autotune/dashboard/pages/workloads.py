"""All workloads with their winners and gains, filtered and sorted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from autotune import figures, units
from autotune.dashboard.address import Address, link
from autotune.dashboard.components import Page, Part, graph, later, machine, panel, table, time, workload
from autotune.dashboard.context import Context
from autotune.dashboard.paging import SIZE, offset, turner
from autotune.database import views
from autotune.database.views import Filters, Tuned
from autotune.figures import captions

FILTERS = ("kernel", "direction", "dtype", "machine", "name")
_LAST = float("inf")
SORTS: dict[str, Callable[[Tuned], Any]] = {
    "workload": lambda each: (str(each.key), each.machine),
    "machine": lambda each: (each.cpu, each.machine, str(each.key)),
    "winner": lambda each: each.seconds if each.seconds is not None else _LAST,
    "default": lambda each: each.default_seconds if each.default_seconds is not None else _LAST,
    "gain": lambda each: -(each.gain or 0.0),
    "measurements": lambda each: -each.measurements,
    "failed": lambda each: -each.failed,
}


def filters_of(address: Address) -> Filters:
    """The filters in an address."""
    return replace(Filters(), **{name: address.text(name) for name in FILTERS})


def render(address: Address, context: Context) -> Page:
    """Counts are taken once: a table that moves while it is read helps nobody."""
    every = views.workloads(context.database)
    wanted = filters_of(address)
    found = _fitting(every, wanted)
    sort = address.text("sort") or "workload"
    found.sort(key=SORTS.get(sort, SORTS["workload"]))
    begin = offset(address)
    parts: list[Part] = [_filters(every, wanted), _table(found[begin : begin + SIZE], address, sort, len(found))]
    if found:
        parts.append(panel("What tuning gained", later("gains")))
        parts.append(panel("Forward and gradients", later("directions")))
        parts.append(panel("Failures by kind", later("failures")))
    return Page("Workloads", [], parts)


def gains(address: Address, context: Context) -> Component:
    """The figure of what tuning gained."""
    return graph(figures.gains(_chosen(address, context), theme=context.theme), "gains", captions.GAINS)


def directions(address: Address, context: Context) -> Component:
    """The figure of kernels beside their gradients."""
    figure = figures.directions(_chosen(address, context), theme=context.theme)
    return graph(figure, "directions", captions.DIRECTIONS)


def failures(address: Address, context: Context) -> Component:
    """The figure of measurements that gave no time."""
    return graph(figures.failures(_chosen(address, context), theme=context.theme), "failures", captions.FAILURES)


def _chosen(address: Address, context: Context) -> list[Tuned]:
    return _fitting(views.workloads(context.database), filters_of(address))


def _fitting(every: Iterable[Tuned], wanted: Filters) -> list[Tuned]:
    return [each for each in every if _fits(each, wanted)]


def _fits(each: Tuned, wanted: Filters) -> bool:
    parts = ((wanted.kernel, each.key.kernel), (wanted.direction, each.key.direction), (wanted.dtype, each.key.dtype))
    same = all(value in (None, part) for value, part in (*parts, (wanted.machine, each.machine)))
    return same and (wanted.name or "").lower() in each.key.kernel.lower()


def _filters(every: Sequence[Tuned], wanted: Filters) -> Component:
    machines = {each.machine: f"{each.cpu} ({each.machine})" for each in every}
    return html.Div(
        [
            _choice("kernel", {each.key.kernel: each.key.kernel for each in every}, wanted.kernel),
            _choice("direction", {each.key.direction: each.key.direction for each in every}, wanted.direction),
            _choice("dtype", {each.key.dtype: each.key.dtype for each in every}, wanted.dtype),
            _choice("machine", machines, wanted.machine),
            html.Label(
                [
                    html.Span("name contains"),
                    dcc.Input(
                        id={"type": "filter", "name": "name"}, value=wanted.name or "", debounce=True, type="text"
                    ),
                ]
            ),
        ],
        className="filters",
        role="search",
    )


def _choice(name: str, options: dict[str, str], value: str | None) -> Component:
    listed = [{"value": key, "label": text} for key, text in sorted(options.items(), key=lambda pair: pair[1])]
    chosen = value if value in options else None
    identity = {"type": "filter", "name": name}
    choice = dcc.Dropdown(listed, chosen, id=identity, placeholder="all", searchable=len(listed) > 8)
    return html.Label([html.Span(name), choice])


def _table(found: Sequence[Tuned], address: Address, sort: str, total: int) -> Component:
    columns = ("workload", "machine", "winner", "default", "gain", "95 % interval", "measurements", "failed")
    heads: list[Part] = [
        dcc.Link(f"{name} ▾" if name == sort else name, href=address.with_(sort=name, page=None))
        if name in SORTS
        else name
        for name in columns
    ]
    aside = html.Div([html.Span(units.count(total, "workload"), className="soft"), *downloads("workloads", address)])
    if not found:
        return panel("Workloads", html.P("None fits these filters.", className="soft"), aside=aside)
    listed = table(heads, map(_row, found), numbers=range(2, 8), label="Workloads with their winners")
    return panel("Workloads", listed, turner(address, total), aside=aside)


def _row(each: Tuned) -> Iterable[Part]:
    interval = f"{each.ratio_low:.2f} to {each.ratio_high:.2f}" if each.ratio_low and each.ratio_high else ""
    return (
        workload(each.key, link("/workload", workload=each.workload_id, machine=each.machine_id)),
        machine(each.cpu, each.machine),
        time(each.seconds),
        time(each.default_seconds),
        f"{each.gain:.2f}x" if each.gain else "not proven",
        interval,
        f"{each.measurements:,}",
        f"{each.failed:,}",
    )


def downloads(what: str, address: Address) -> list[Component]:
    """Links to the same data as files; not `dcc.Link`, which would look for a page."""
    return [
        html.A(kind.upper(), href=link(f"/download/{what}.{kind}", **address.query), className="button", download="")
        for kind in ("csv", "json")
    ]
