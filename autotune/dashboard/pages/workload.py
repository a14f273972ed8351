"""One workload on one machine: how it was tuned, what matters, and its trials."""

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from autotune import figures, units
from autotune.dashboard.address import Address, link
from autotune.dashboard.components import NONE, Page, Part, alert, facts, graph, later, panel, table, time
from autotune.dashboard.context import Context
from autotune.dashboard.pages.workloads import downloads
from autotune.dashboard.paging import SIZE, offset, turner
from autotune.database import views
from autotune.database.views import Trial, Tuned
from autotune.figures import captions
from autotune.measure.measurement import Status

SAMPLES = 600  # measurements that importance and parallel coordinates are made of: enough, and quick


def render(address: Address, context: Context) -> Page:
    """Its head and curves are live, the trials stay; the statistics follow once these are seen."""
    pair = address.number("workload"), address.number("machine")
    tuned = views.tuned(context.database, *pair)
    if tuned is None:
        reason = "Nothing is known of this workload on this machine. It may be in another database."
        return Page("Workload", [alert(reason)])
    run = address.text("run")
    live = [_head(tuned, run, address), _curves(tuned, run, context)]
    rest = [_trials(tuned, address, context), later("statistics")]
    return Page(f"{tuned.key.kernel} {tuned.key.direction}", live, rest)


def _head(tuned: Tuned, run: str | None, address: Address) -> Component:
    key = tuned.key
    values: dict[str, Part] = {
        "size": " ".join(f"{name}={size}" for name, size in key.extents.items()),
        "dtype": key.dtype,
        "threads": str(key.threads),
        "machine": f"{tuned.cpu} ({tuned.machine})",
        "winner": time(tuned.seconds) if tuned.seconds else "not proven yet",
    }
    if tuned.gain is not None and tuned.ratio_low is not None and tuned.ratio_high is not None:
        values["default"] = time(tuned.default_seconds)
        values["gain, 95 % interval"] = units.gain(tuned.gain, tuned.ratio_low, tuned.ratio_high)
    values["best measured"] = time(tuned.best_seconds)
    values["measurements"] = f"{tuned.measurements:,}"
    values["failed"] = f"{tuned.failed:,}"
    which: list[Part] = []
    if run is not None:
        every = dcc.Link("All runs of it", href=address.with_(run=None))
        which = [html.P(["Curves of the run ", html.Code(run), ". ", every])]
    return panel(f"{key.kernel} {key.direction}", facts(values), *which)


def _curves(tuned: Tuned, run: str | None, context: Context) -> Component:
    curve = views.curve(context.database, tuned.workload_id, tuned.machine_id, run=run)
    lines = figures.Lines(default=tuned.default_seconds)
    by_trials = figures.best_so_far([curve], lines, theme=context.theme)
    by_time = figures.best_so_far([curve], lines, over="time", theme=context.theme)
    both = [graph(by_trials, "by-trials", captions.TRIALS), graph(by_time, "by-time", captions.TIME)]
    return panel("Best time so far", html.Div(both, className="pair"))


def statistics(address: Address, context: Context) -> list[Component]:
    """What matters and how well the search foretold times."""
    pair, theme = (address.number("workload"), address.number("machine")), context.theme
    samples = views.samples(context.database, *pair, limit=SAMPLES)
    run = address.text("run") or next(iter(views.runs_of(context.database, *pair)), None)
    expected = views.predictions(context.database, run) if run else ()
    importance = graph(figures.importance(samples, theme=theme), "importance", captions.IMPORTANCE)
    predicted = graph(figures.predicted(expected, theme=theme), "predicted", captions.PREDICTED)
    coordinates = graph(figures.parallel_coordinates(samples, theme=theme), "coordinates", captions.COORDINATES)
    beside = [panel("Which knobs matter", importance), panel("Expected and measured", predicted)]
    return [html.Div(beside, className="pair"), panel("Configs", coordinates)]


def _trials(tuned: Tuned, address: Address, context: Context) -> Component:
    status = address.text("status")
    status = status if status in set(Status) else None
    latest = address.text("order") == "latest"
    pair = tuned.workload_id, tuned.machine_id
    found = views.trials(
        context.database, *pair, status=status, fastest_first=not latest, limit=SIZE, offset=offset(address)
    )
    total = tuned.measurements if status is None else tuned.counts.get(status, 0)
    configs = [each.measurement.config for each in found]
    knobs = list(dict.fromkeys(name for config in configs for name in config))
    numbers = [place for place, knob in enumerate(knobs, 3) if all(_is_number(config.get(knob)) for config in configs)]
    columns: list[Part] = ["trial", "time", "status", *knobs, "started, UTC"]
    listed = table(columns, [_row(each, knobs) for each in found], numbers=(1, *numbers), label="Trials")
    choices = html.Div([_choices(tuned, address, status), *downloads("measurements", address)])
    body = listed if found else html.P("There are none.", className="soft")
    return panel("Trials", body, turner(address, total), aside=choices)


def _choices(tuned: Tuned, address: Address, status: str | None) -> Component:
    """Links that choose the order and the status."""
    latest = address.text("order") == "latest"
    order = [
        _choice("fastest first", address.with_(order=None, page=None), not latest),
        _choice("latest first", address.with_(order="latest", page=None), latest),
    ]
    kinds = [_choice("all", address.with_(status=None, page=None), status is None)]
    kinds += [
        _choice(f"{kind.replace('_', ' ')} {count:,}", address.with_(status=kind, page=None), status == kind)
        for kind, count in sorted(tuned.counts.items())
    ]
    return html.Span([html.Span(order, className="choices"), html.Span(kinds, className="choices")])


def _choice(name: str, href: str, chosen: bool) -> Component:
    return dcc.Link(name, href=href, className="choice chosen" if chosen else "choice")


def _row(each: Trial, knobs: list[str]) -> list[Part]:
    measured = each.measurement
    ok = measured.status is Status.OK
    look = "badge" if ok else "badge failed"
    badge = html.Span(measured.status.replace("_", " "), className=look, title=measured.error or None)
    config = [str(measured.config.get(knob, NONE)) for knob in knobs]
    href = link("/trial", id=each.identity)
    started = html.Span(measured.started[:19].replace("T", " "), className="mono")
    return [dcc.Link(str(each.identity), href=href), time(measured.seconds if ok else None), badge, *config, started]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
