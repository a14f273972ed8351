"""The report of a database: what tuning gained, and how it went for each workload."""

from collections.abc import Iterator, Sequence

from autotune import figures, markup, units
from autotune.database import Database, views
from autotune.database.views import Filters, Tuned
from autotune.errors import UsageError
from autotune.figures import captions
from autotune.machine import versions
from autotune.measure.measurement import now
from autotune.report.lines import Bench, lines_of
from autotune.report.page import Plot, Section, page

DETAILED = 24  # workloads with figures of their own, the last measured; more would only make the file slow to open


def report(
    database: Database, *, kernel: str | None = None, benches: Sequence[Bench] = (), details: int = DETAILED
) -> str:
    """The HTML of a report on all workloads of a database, or of one kernel.

    Raises `UsageError` where nothing was measured and where Plotly is not installed.
    """
    tuned = views.workloads(database, Filters(kernel=kernel))
    if not tuned:
        of = f" of {kernel!r}" if kernel else ""
        message = f"database {database.place} holds no measurement{of}: tune a kernel first (autotune run --help)"
        raise UsageError(message)
    latest = sorted(tuned, key=lambda each: each.last or each.proven or "", reverse=True)[:details]
    sections = [*_overview(tuned), *(part for each in latest for part in _details(database, each, benches))]
    left_out = len(tuned) - len(latest)
    if left_out:
        text = f"{units.count(left_out, 'workload')} measured earlier have no figures here; name a KERNEL to see them."
        sections.append(Section("Left out", [f"<p>{markup.text(text)}</p>"]))
    return page(_title(kernel), _subtitle(tuned), sections)


def _title(kernel: str | None) -> str:
    return f"Tuning report: {kernel}" if kernel else "Tuning report"


def _subtitle(tuned: Sequence[Tuned]) -> str:
    measured = sum(each.measurements for each in tuned)
    machines = len({each.machine for each in tuned})
    made = f"{now()[:16].replace('T', ' ')} UTC by autotune {versions().get('autotune', '?')}"
    what = (
        units.count(len({each.workload_id for each in tuned}), "workload"),
        units.count(measured, "measurement"),
        units.count(machines, "machine"),
    )
    return f"{', '.join(what)}; written {made}"


def _overview(tuned: Sequence[Tuned]) -> Iterator[Section]:
    yield Section("Workloads", [_table(tuned)])
    yield Section("What tuning gained", [Plot(figures.gains(tuned), captions.GAINS)])
    yield Section("Forward and gradients", [Plot(figures.directions(tuned), captions.DIRECTIONS)])
    if len({each.machine for each in tuned}) > 1:
        yield Section("Machines", [Plot(figures.machines(tuned), captions.MACHINES)])
    yield Section("Failures by kind", [Plot(figures.failures(tuned), captions.FAILURES)])


def _table(tuned: Sequence[Tuned]) -> str:
    several = len({each.machine for each in tuned}) > 1
    numbers = ("winner", "default", "gain", "95 % interval", "measurements", "failed")
    columns = ("workload", "machine", *numbers) if several else ("workload", *numbers)
    rows = [
        (
            each.key,
            *((f"{each.cpu} ({each.machine})",) if several else ()),
            units.duration(each.seconds) if each.seconds else "not proven",
            units.duration(each.default_seconds) if each.default_seconds else "",
            f"{each.gain:.2f}x" if each.gain else "",
            f"{each.ratio_low:.2f} to {each.ratio_high:.2f}" if each.ratio_low and each.ratio_high else "",
            f"{each.measurements:,}",
            f"{each.failed:,}",
        )
        for each in tuned
    ]
    return markup.table(columns, rows, numbers=numbers)


def _details(database: Database, each: Tuned, benches: Sequence[Bench]) -> Iterator[Section]:
    pair = (each.workload_id, each.machine_id)
    curve, samples = views.curve(database, *pair), views.samples(database, *pair)
    if not curve.steps:
        return
    lines = lines_of(each, benches)
    run = next(iter(views.runs_of(database, *pair)), None)
    expected = views.predictions(database, run) if run else ()
    blocks: list[Plot | str] = [
        Plot(figures.best_so_far([curve], lines), captions.TRIALS),
        Plot(figures.best_so_far([curve], lines, over="time"), captions.TIME),
        Plot(
            figures.predicted(expected),
            captions.PREDICTED,
        ),
        Plot(
            figures.importance(samples),
            captions.IMPORTANCE,
        ),
    ]
    yield Section(f"{each.key} on {each.cpu}", blocks, wide=False)
    coordinates = Plot(figures.parallel_coordinates(samples), captions.COORDINATES)
    yield Section(f"Configs of {each.key}", [coordinates], level=3)
