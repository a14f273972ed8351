"""Single measurements: pages of them, one with all that is known, and samples for statistics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from autotune.database import canonical, fields, queries
from autotune.database.models import MeasurementRow
from autotune.database.rows import measurement_of
from autotune.database.store import Database
from autotune.database.views.reading import Row, readable, rows
from autotune.measure.measurement import Measurement, Status
from autotune.schedule.space import Config


@dataclass(frozen=True)
class Sample:
    """A config and its median seconds."""

    identity: int
    config: Config
    seconds: float


@dataclass(frozen=True)
class Trial:
    """A measurement with the ids of its row, its workload and its machine, and the name of its run."""

    identity: int
    workload_id: int
    machine_id: int
    run: str | None
    measurement: Measurement


def samples(database: Database, workload_id: int, machine_id: int, *, limit: int = 1000) -> tuple[Sample, ...]:
    """At most so many measurements without failure: the fastest fifth of these, and others evenly spread in time."""
    of = [*_of(workload_id, machine_id), MeasurementRow.status == Status.OK]
    (total,) = rows(database, select(func.count().label("count")).where(*of))
    quickest = limit // 5
    every = max(1, -(-int(total["count"]) // (limit - quickest)))
    fastest = select(MeasurementRow.id).where(*of).order_by(MeasurementRow.seconds, MeasurementRow.id).limit(quickest)
    placed = select(MeasurementRow.id, func.row_number().over(order_by=MeasurementRow.started).label("place")).where(
        *of
    )
    places = placed.subquery()
    spread = select(places.c.id).where(places.c.place % every == 0)
    chosen = {row["id"] for row in (*rows(database, fastest), *rows(database, spread))}
    statement = (
        select(MeasurementRow.id, MeasurementRow.config, MeasurementRow.seconds)
        .where(MeasurementRow.id.in_(chosen))
        .order_by(MeasurementRow.id)
    )
    return tuple(readable(rows(database, statement), _sample))


def trials(
    database: Database,
    workload_id: int,
    machine_id: int,
    *,
    status: str | None = None,
    fastest_first: bool = True,
    limit: int = 25,
    offset: int = 0,
) -> tuple[Trial, ...]:
    """A page of the measurements of a workload on a machine, the fastest or the latest first."""
    conditions = _of(workload_id, machine_id)
    if status is not None:
        conditions.append(MeasurementRow.status == status)
    order: list[Any] = [MeasurementRow.id.desc()]
    if fastest_first:
        order = [MeasurementRow.seconds.is_(None), MeasurementRow.seconds, *order]
    page = select(MeasurementRow.id).where(*conditions).order_by(*order).limit(limit).offset(offset)
    places = {row["id"]: place for place, row in enumerate(rows(database, page))}
    found = readable(rows(database, queries.measurements().where(MeasurementRow.id.in_(places))), _trial)
    return tuple(sorted(found, key=lambda each: places[each.identity]))


def every_trial(
    database: Database, workload_id: int, machine_id: int, *, status: str | None = None, page: int = 1000
) -> Iterator[Trial]:
    """All measurements of a workload on a machine in the order they were stored, read in pages."""
    conditions = _of(workload_id, machine_id)
    if status is not None:
        conditions.append(MeasurementRow.status == status)
    last = 0
    while True:
        statement = queries.measurements().where(*conditions, MeasurementRow.id > last)
        found = rows(database, statement.order_by(MeasurementRow.id).limit(page))
        if not found:
            return
        yield from readable(found, _trial)
        last = found[-1]["id"]


def count_trials(database: Database, workload_id: int, machine_id: int) -> Mapping[str, int]:
    """How many measurements there are by status."""
    statement = (
        select(MeasurementRow.status, func.count().label("count"))
        .where(*_of(workload_id, machine_id))
        .group_by(MeasurementRow.status)
    )
    return {row["status"]: row["count"] for row in rows(database, statement)}


def trial(database: Database, identity: int) -> Trial | None:
    """One measurement; None where there is none of that id, or it is damaged."""
    statement: Select[*tuple[Any, ...]] = queries.measurements().where(MeasurementRow.id == identity)
    return next(readable(rows(database, statement), _trial), None)


def _of(workload_id: int, machine_id: int) -> list[ColumnElement[bool]]:
    return [MeasurementRow.workload_id == workload_id, MeasurementRow.machine_id == machine_id]


def _trial(row: Row) -> Trial:
    return Trial(row["id"], row["workload_id"], row["machine_id"], row["run"], measurement_of(row))


def _sample(row: Row) -> Sample:
    return Sample(row["id"], fields.config(canonical.loads(row["config"])), row["seconds"])
