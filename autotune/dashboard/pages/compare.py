"""Two machines or two runs side by side."""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from autotune import figures, units
from autotune.dashboard.address import Address, link
from autotune.dashboard.components import NONE, Page, Part, alert, graph, later, panel, table, time, workload
from autotune.dashboard.context import Context
from autotune.dashboard.paging import SIZE, offset, turner
from autotune.database import views
from autotune.database.views import Filters, Run, Tuned
from autotune.errors import UsageError
from autotune.figures import captions

RUNS = 200  # runs that can be chosen, the latest
MACHINE, RUN = "machine:", "run:"


def render(address: Address, context: Context) -> Page:
    """Two choices, and below them what can be said of both."""
    cpus = views.machines(context.database)
    names = views.run_names(context.database, limit=RUNS)
    options = {f"{MACHINE}{fingerprint}": f"machine {cpu} ({fingerprint})" for fingerprint, cpu in cpus.items()}
    options |= {f"{RUN}{name}": f"run {name}" for name in names}
    sides = _sides(address)
    # Those in the address can be chosen too, however long ago they ran.
    options |= {side: f"run {side.removeprefix(RUN)}" for side in sides if side is not None and side.startswith(RUN)}
    parts: list[Part] = [_choices(options, sides)]
    left, right = sides
    if left is None or right is None:
        parts.append(html.P("Choose two machines, or two runs.", className="soft"))
    elif left.startswith(MACHINE) and right.startswith(MACHINE):
        parts += _machines(left, right, address, context)
    elif left.startswith(RUN) and right.startswith(RUN):
        parts += _runs([name.removeprefix(RUN) for name in (left, right)], context)
    else:
        parts.append(alert("A machine and a run cannot be compared: choose two machines, or two runs."))
    return Page("Compare", [], parts)


def _choices(options: dict[str, str], sides: Sequence[str | None]) -> Component:
    listed = [{"value": value, "label": text} for value, text in options.items()]
    choices = []
    for title, name, side in zip(("this", "against that"), ("left", "right"), sides, strict=True):
        chosen = side if side in options else None
        identity = {"type": "filter", "name": name}
        choices.append(html.Label([html.Span(title), dcc.Dropdown(listed, chosen, id=identity, placeholder="choose")]))
    return html.Div(choices, className="filters wide")


def _machines(left: str, right: str, address: Address, context: Context) -> list[Part]:
    both = _proven_on_both(left, right, context)
    if not both or left == right:
        reason = "These are the same machine." if left == right else "No workload has a winner on both machines."
        return [html.P(reason, className="soft")]
    begin = offset(address)
    rows = [_row(*pair) for pair in both[begin : begin + SIZE]]
    first, second = both[0]
    columns = ("workload", *(f"{each.cpu} ({each.machine})" for each in (first, second)), "that / this")
    listed = table(columns, rows, numbers=(1, 2, 3), label="Winners on both machines")
    count = html.Span(units.count(len(both), "workload"), className="soft")
    winners = panel("Winners on both", listed, turner(address, len(both)), aside=count)
    return [winners, panel("Machines", later("machines"))]


def machines(address: Address, context: Context) -> Component:
    """The figure of two machines."""
    left, right = (side or "" for side in _sides(address))
    every = [each for pair in _proven_on_both(left, right, context) for each in pair]
    return graph(figures.machines(every, theme=context.theme), "machines", captions.MACHINES)


def _sides(address: Address) -> tuple[str | None, str | None]:
    return address.text("left"), address.text("right")


def _proven_on_both(left: str, right: str, context: Context) -> list[tuple[Tuned, Tuned]]:
    ours, theirs = (
        {str(each.key): each for each in views.proven(context.database, Filters(machine=side.removeprefix(MACHINE)))}
        for side in (left, right)
    )
    return [(ours[name], theirs[name]) for name in sorted(ours.keys() & theirs.keys())]


def _row(ours: Tuned, theirs: Tuned) -> Sequence[Part]:
    ratio = f"{theirs.seconds / ours.seconds:.2f}x" if ours.seconds and theirs.seconds else NONE
    return workload(ours.key), _time(ours), _time(theirs), ratio


def _time(each: Tuned) -> Component:
    return dcc.Link(time(each.seconds), href=link("/workload", workload=each.workload_id, machine=each.machine_id))


def _runs(names: list[str], context: Context) -> list[Part]:
    found = []
    for name in names:
        run = views.run(context.database, name)
        if run is None:
            message = f"there is no run {name!r} in this database"
            raise UsageError(message)
        found.append(run)
    curves = [
        views.curve(context.database, run.workload_id, run.machine_id, run=run.name, name=side)
        for side, run in zip(("this", "that"), found, strict=True)
    ]
    by_trials = figures.best_so_far(curves, theme=context.theme)
    by_time = figures.best_so_far(curves, over="time", theme=context.theme)
    both = [graph(by_trials, "by-trials", captions.TRIALS), graph(by_time, "by-time", captions.TIME)]
    columns = ("run", "best", "measurements", "failed", "time spanned")
    listed = table(columns, map(_run, found), numbers=(1, 2, 3, 4), label="Both runs")
    same = str(found[0].key) == str(found[1].key)
    warning = [] if same else [alert("These runs tuned different workloads: their times do not compare.")]
    return [*warning, panel("Runs", listed), panel("Best time so far", html.Div(both, className="pair"))]


def _run(run: Run) -> Sequence[Part]:
    return (
        dcc.Link(run.name, href=link("/workload", workload=run.workload_id, machine=run.machine_id, run=run.name)),
        time(run.best_seconds),
        f"{run.measurements:,}",
        f"{run.measurements - run.ok:,}",
        units.clock((run.last - run.first).total_seconds()),
    )
