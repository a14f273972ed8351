"""Who measured when: the runs of a database, the latest first, and whether they still go on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, String, cast, func, select
from sqlalchemy.orm import aliased

from autotune.database.models import MachineRow, MeasurementRow, WinnerRow, WorkloadRow
from autotune.database.store import Database
from autotune.database.views.curves import moment
from autotune.database.views.reading import STUDIES, TRIALS, Row, has_table, readable, rows
from autotune.database.views.workloads import cpu_of, key_of
from autotune.database.workload_key import WorkloadKey
from autotune.measure.measurement import Status

PAUSE = timedelta(minutes=3)  # the longest between two measurements of a run that still has trials without a result
MOMENT = timedelta(seconds=15)  # how long after its last measurement a run without such trials may still be proving
_TICK = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run: the Optuna study of one workload on one machine in one space, over all times it was continued.

    `measurements` counts all attempts and `ok` those that did not fail; `best_seconds` is the least median. `going`
    says that it seems to be in progress.
    """

    name: str
    workload_id: int
    machine_id: int
    key: WorkloadKey
    machine: str
    cpu: str
    measurements: int
    ok: int
    best_seconds: float | None
    first: datetime
    last: datetime
    going: bool


def runs(database: Database, *, limit: int = 25, offset: int = 0, now: datetime | None = None) -> tuple[Run, ...]:
    """Runs in the order of their last measurements, the latest first."""
    return _runs(database, _spans(limit=limit, offset=offset), now or datetime.now(UTC))


def run(database: Database, name: str, *, now: datetime | None = None) -> Run | None:
    """The run of that name."""
    found = _runs(database, _spans(limit=1, offset=0, name=name), now or datetime.now(UTC))
    return found[0] if found else None


def run_names(database: Database, *, limit: int) -> tuple[str, ...]:
    """Names of so many runs, the latest first; without what `runs` counts, which takes longer."""
    return tuple(row["run"] for row in rows(database, _spans(limit=limit, offset=0)))


def count_runs(database: Database) -> int:
    """How many runs there are."""
    (row,) = rows(database, select(func.count(MeasurementRow.run.distinct()).label("count")))
    return int(row["count"])


def stamp(database: Database, *, now: datetime | None = None) -> str:
    """A text that changes when a measurement or a winner is added, when a trial begins, and while a run may be ending.

    Whether a run has ended is told by the time alone, so for some minutes after the last measurement it is part of it.
    """
    latest = rows(
        database, select(MeasurementRow.id, MeasurementRow.started).order_by(MeasurementRow.id.desc()).limit(1)
    )
    parts = [str(row) for row in latest]
    last = [select(func.max(WinnerRow.id).label("last"))]
    if has_table(database, "trials"):
        last.append(select(func.max(TRIALS.c.trial_id).label("last")))
    parts += [str(rows(database, statement)[0]["last"]) for statement in last]
    for row in latest:
        age = (now or datetime.now(UTC)) - moment(row["started"])
        parts.append(str(age // _TICK) if age < 2 * PAUSE else "")
    return " ".join(parts)


def runs_of(database: Database, workload_id: int, machine_id: int) -> tuple[str, ...]:
    """Names of the runs that measured a workload on a machine, the latest first."""
    last = func.max(MeasurementRow.id)
    statement = (
        select(MeasurementRow.run)
        .where(MeasurementRow.workload_id == workload_id, MeasurementRow.machine_id == machine_id)
        .where(MeasurementRow.run.is_not(None))
        .group_by(MeasurementRow.run)
        .order_by(last.desc())
    )
    return tuple(row["run"] for row in rows(database, statement))


def _runs(database: Database, spans: Select[*tuple[Any, ...]], now: datetime) -> tuple[Run, ...]:
    found = rows(database, _ends(spans))
    names = [row["run"] for row in found]
    counted = {row["run"]: row for row in rows(database, _counts(names))}
    recent = [row["run"] for row in found if now - moment(row["last"]) < PAUSE]
    waiting = _waiting(database, recent)

    def read(row: Row) -> Run:
        last = moment(row["last"])
        return Run(
            name=row["run"],
            workload_id=row["workload_id"],
            machine_id=row["machine_id"],
            key=key_of(row),
            machine=row["fingerprint"],
            cpu=cpu_of(row["description"]),
            measurements=row["count"],
            ok=counted[row["run"]]["ok"] if row["run"] in counted else 0,
            best_seconds=counted[row["run"]]["seconds"] if row["run"] in counted else None,
            first=moment(row["first"]),
            last=last,
            going=now - last < (PAUSE if waiting.get(row["run"]) else MOMENT),
        )

    return tuple(readable(found, read))


def _spans(*, limit: int, offset: int, name: str | None = None) -> Select[*tuple[Any, ...]]:
    """Name, first and last id and number of measurements of each run: all of it from the index of names."""
    last = func.max(MeasurementRow.id)
    wanted = MeasurementRow.run.is_not(None) if name is None else MeasurementRow.run == name
    return (
        select(
            MeasurementRow.run,
            func.min(MeasurementRow.id).label("first_id"),
            last.label("last_id"),
            func.count().label("count"),
        )
        .where(wanted)
        .group_by(MeasurementRow.run)
        .order_by(last.desc())
        .limit(limit)
        .offset(offset)
    )


def _ends(spans: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The same with what the first and the last measurement say."""
    span = spans.subquery()
    first, last = aliased(MeasurementRow), aliased(MeasurementRow)
    parts = [
        getattr(WorkloadRow, name) for name in ("kernel", "definition", "direction", "extents", "dtype", "threads")
    ]
    return (
        select(
            span.c.run,
            span.c["count"],
            first.started.label("first"),
            last.started.label("last"),
            last.workload_id,
            last.machine_id,
            *parts,
            MachineRow.fingerprint,
            MachineRow.description,
        )
        .join(first, first.id == span.c.first_id)
        .join(last, last.id == span.c.last_id)
        .join(WorkloadRow, WorkloadRow.id == last.workload_id)
        .join(MachineRow, MachineRow.id == last.machine_id)
        .order_by(span.c.last_id.desc())
    )


def _counts(names: Collection[str]) -> Select[*tuple[Any, ...]]:
    return (
        select(MeasurementRow.run, func.count().label("ok"), func.min(MeasurementRow.seconds).label("seconds"))
        .where(MeasurementRow.run.in_(names), MeasurementRow.status == Status.OK)
        .group_by(MeasurementRow.run)
    )


def _waiting(database: Database, names: Collection[str]) -> Mapping[str, int]:
    """How many trials of the studies of these names have no result yet; a killed run leaves such trials too."""
    if not names or not has_table(database, "trials"):
        return {}
    statement = (
        select(STUDIES.c.study_name, func.count().label("count"))
        .select_from(STUDIES.join(TRIALS, TRIALS.c.study_id == STUDIES.c.study_id))
        .where(STUDIES.c.study_name.in_(names), cast(TRIALS.c.state, String) == "RUNNING")
        .group_by(STUDIES.c.study_name)
    )
    return {row["study_name"]: row["count"] for row in rows(database, statement)}
