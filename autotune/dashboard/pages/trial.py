"""One trial beside the default: config, source and machine code."""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from autotune import units
from autotune.dashboard import code
from autotune.dashboard.address import Address, link
from autotune.dashboard.components import Page, Part, alert, facts, panel, table, time, workload
from autotune.dashboard.context import Context
from autotune.dashboard.highlight import python
from autotune.database import views
from autotune.database.views import Trial
from autotune.database.workload_key import WorkloadKey
from autotune.errors import AutotuneError, UsageError
from autotune.machine import Machine
from autotune.measure.measurement import Measurement, Status


def render(address: Address, context: Context) -> Page:
    """Nothing of it is live: a measurement never changes."""
    identity = address.number("id")
    trial = views.trial(context.database, identity)
    if trial is None:
        return Page("Trial", [alert(f"There is no trial {identity}, or its row is damaged.")])
    key = WorkloadKey.parse(trial.measurement.workload)
    parts: list[Part] = [_head(trial, key)]
    try:
        pair = code.pair_of(key, dict(trial.measurement.config), _machine(trial, context), tuple(context.kernels))
    except AutotuneError as error:
        parts += [_config(trial.measurement), panel("Source", alert(str(error)))]
        return Page(f"Trial {identity}", [], parts)
    parts += [_configs(pair), _sources(pair), _machine_code(identity)]
    return Page(f"Trial {identity}", [], parts)


def assemblies(identity: int, context: Context) -> Component:
    """The machine code of a trial and of the default, which takes seconds to compile."""
    trial = views.trial(context.database, identity)
    if trial is None:
        return alert(f"There is no trial {identity}, or its row is damaged.")
    key, machine = WorkloadKey.parse(trial.measurement.workload), _machine(trial, context)
    try:
        pair = code.pair_of(key, dict(trial.measurement.config), machine, tuple(context.kernels))
        texts = code.machine_code(pair, machine)
    except AutotuneError as error:
        return alert(str(error))
    return _beside([html.Pre(html.Code(text), tabIndex="0") for text in texts], [_instructions(text) for text in texts])


def _machine(trial: Trial, context: Context) -> Machine:
    fingerprint = trial.measurement.machine
    machine = context.database.machines().get(fingerprint)
    if machine is None:
        message = f"the description of machine {fingerprint} is damaged, so no source can be written for it"
        raise UsageError(message)
    return machine


def _head(trial: Trial, key: WorkloadKey) -> Component:
    measured, pair = trial.measurement, {"workload": trial.workload_id, "machine": trial.machine_id}
    values: dict[str, Part] = {
        "status": measured.status.replace("_", " "),
        "time": time(measured.seconds if measured.status is Status.OK else None),
        "samples": _samples(measured),
        "machine": measured.machine,
        "started, UTC": measured.started[:19].replace("T", " "),
        "build": units.duration(measured.build_seconds) if measured.build_seconds else "from the cache",
        "quiet": units.percent(measured.load),
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(measured.versions.items())),
        "source digest": html.Code(measured.source[:16]),
    }
    if trial.run:
        values["run"] = dcc.Link(trial.run, href=link("/workload", **pair, run=trial.run))
    error = [html.Pre(measured.error, className="error", tabIndex="0")] if measured.error else []
    return panel(f"Trial {trial.identity}", workload(key, link("/workload", **pair)), facts(values), *error)


def _samples(measured: Measurement) -> str:
    if not measured.samples:
        return "none"
    low, high = min(measured.samples), max(measured.samples)
    early = ", stopped early" if measured.stopped_early else ""
    return f"{len(measured.samples)} from {units.duration(low)} to {units.duration(high)}{early}"


def _config(measured: Measurement) -> Component:
    rows = [(html.Code(name), str(value)) for name, value in measured.config.items()]
    return panel("Config", table(("knob", "value"), rows, label="Config"))


def _configs(pair: code.Pair) -> Component:
    other = set(code.differing(pair))
    rows = [
        (html.Code(name), html.Strong(str(value)) if name in other else str(value), str(pair.default[name]))
        for name, value in pair.config.items()
    ]
    differing = f"{units.count(len(other), 'knob')} other than the default's" if other else "it is the default"
    listed = table(("knob", "this trial", "default"), rows, label="Config beside the default")
    return panel("Config", listed, aside=html.Span(differing, className="soft"))


def _sources(pair: code.Pair) -> Component:
    texts = (pair.source, pair.default_source)
    shown = [html.Pre(html.Code(python(text)), tabIndex="0") for text in texts]
    lines = [f"{text.count(chr(10)):,} lines" for text in texts]
    return panel("Source", _beside(shown, lines))


def _machine_code(identity: int) -> Component:
    button = html.Button("Compile and show", id={"type": "assemble", "trial": identity}, type="button")
    waiting = dcc.Loading(html.Div(id={"type": "assembly", "trial": identity}), type="dot", color="var(--accent)")
    said = html.P("Made when asked for: both are compiled, which takes some seconds.", className="soft")
    return panel("Machine code", said, button, waiting)


def _instructions(text: str) -> str:
    """How many instructions there are, and how many multiply and add."""
    words = [line.split()[0] for line in text.splitlines() if line.startswith(" ")]
    fused = sum(word.startswith(("vfmadd", "vfnmadd", "vfmsub", "fmla", "fmadd")) for word in words)
    return f"{len(words):,} instructions, {fused:,} of them fused multiply-adds"


def _beside(shown: Sequence[Component], below: Sequence[str]) -> Component:
    titles = ("this trial", "default")
    return html.Div(
        [
            html.Div([html.H3([title, html.Span(f" {text}", className="soft")]), pane])
            for title, text, pane in zip(titles, below, shown, strict=True)
        ],
        className="pair code",
    )
