"""The first page: runs in progress with their curves, and all runs, the latest first."""

from datetime import UTC, datetime

from dash import html
from dash.development.base_component import Component

from autotune import figures, units
from autotune.dashboard.address import Address, link
from autotune.dashboard.components import Page, Part, facts, graph, machine, panel, table, time, workload
from autotune.dashboard.context import Context
from autotune.dashboard.paging import SIZE, offset, turner
from autotune.database import views
from autotune.database.views import Run
from autotune.figures import captions

CURVES = 4  # runs in progress that are drawn; a machine rarely tunes more at a time


def render(address: Address, context: Context) -> Page:
    """All of it is live: it changes with every measurement."""
    found = views.runs(context.database, limit=SIZE, offset=offset(address))
    going = [run for run in found if run.going]
    total = views.count_runs(context.database)
    return Page("Runs", [*_going(going, context), _all(found, address, total)])


def _going(going: list[Run], context: Context) -> list[Part]:
    if not going:
        waiting = html.P("No run is in progress. One that starts appears here by itself.", className="soft")
        return [panel("In progress", waiting)]
    return [
        panel(
            "In progress",
            html.Div([_card(run, context) for run in going[:CURVES]], className="cards"),
            aside=html.Span(units.count(len(going), "run"), className="soft"),
        )
    ]


def _card(run: Run, context: Context) -> Component:
    curve = views.curve(context.database, run.workload_id, run.machine_id, run=run.name)
    proven = views.tuned(context.database, run.workload_id, run.machine_id)
    lines = figures.Lines(default=proven.default_seconds if proven else None)
    figure = figures.best_so_far([curve], lines, theme=context.theme)
    figure.update_layout(height=300)
    values: dict[str, Part] = {
        "best": time(run.best_seconds),
        "measurements": f"{run.measurements:,}",
        "failed": f"{run.measurements - run.ok:,}",
        "for": units.clock((run.last - run.first).total_seconds()),
    }
    return html.Article(
        [
            workload(run.key, _place(run)),
            facts(values),
            graph(figure, f"live-{run.workload_id}-{run.machine_id}", captions.TRIALS),
        ],
        className="card",
    )


def _all(found: tuple[Run, ...], address: Address, total: int) -> Component:
    if not found:
        return panel(
            "All runs", html.P("No run is recorded yet: tune a kernel (autotune run --help).", className="soft")
        )
    rows = [
        (
            workload(run.key, _place(run)),
            machine(run.cpu, run.machine),
            time(run.best_seconds),
            f"{run.measurements:,}",
            f"{run.measurements - run.ok:,}",
            _state(run),
            _moment(run.last),
        )
        for run in found
    ]
    columns = ("workload", "machine", "best", "measurements", "failed", "state", "last measurement, UTC")
    listed = table(columns, rows, numbers=(2, 3, 4), label="All runs, the latest first")
    return panel("All runs", listed, turner(address, total), aside=html.Span(f"{total:,}", className="soft"))


def _place(run: Run) -> str:
    return link("/workload", workload=run.workload_id, machine=run.machine_id, run=run.name)


def _state(run: Run) -> Component:
    return html.Span("in progress" if run.going else "ended", className="badge going" if run.going else "badge")


def _moment(moment: datetime) -> Component:
    return html.Time(
        moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"), className="mono", dateTime=moment.isoformat()
    )
