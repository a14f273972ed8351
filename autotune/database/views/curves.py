"""How the best time of a workload fell while it was tuned."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, func, select

from autotune.database.models import MeasurementRow
from autotune.database.store import Database
from autotune.database.views.reading import Row, rows

POINTS = 600  # measurements that a curve shows beside its steps


@dataclass(frozen=True)
class Step:
    """A measurement faster than all before it: the how many-th it was, from 1, when it started, its seconds."""

    number: int
    started: datetime
    seconds: float


@dataclass(frozen=True)
class Point:
    """A measurement: its place and time as in `Step`, its status, and seconds where that is ok."""

    identity: int
    number: int
    started: datetime
    status: str
    seconds: float | None


@dataclass(frozen=True)
class Curve:
    """The steps of the best time, some of the measurements evenly spread over all, and how many there are.

    `first` and `last` are when the first and the last of them started; None where there are none.
    """

    name: str
    steps: tuple[Step, ...]
    points: tuple[Point, ...]
    total: int
    first: datetime | None
    last: datetime | None


def curve(
    database: Database,
    workload_id: int,
    machine_id: int,
    *,
    name: str = "",
    run: str | None = None,
    points: int = POINTS,
) -> Curve:
    """The curve of a workload on a machine, of one run or of all; `name` is what a legend calls it."""
    conditions: list[ColumnElement[bool]] = [
        MeasurementRow.workload_id == workload_id,
        MeasurementRow.machine_id == machine_id,
    ]
    if run is not None:
        conditions.append(MeasurementRow.run == run)
    counted = select(
        func.count().label("total"),
        func.min(MeasurementRow.started).label("first"),
        func.max(MeasurementRow.started).label("last"),
    ).where(*conditions)
    (count,) = rows(database, counted)
    total: int = count["total"]
    every = max(1, -(-total // points))
    numbered = _numbered(conditions)
    best = numbered.c.seconds == numbered.c.least
    spread = (numbered.c.number - 1) % every == 0
    shown = select(numbered, best.label("best"), spread.label("spread")).where(best | spread)  # one pass for both
    found = rows(database, shown.order_by(numbered.c.number))
    return Curve(
        name=name,
        steps=_steps(row for row in found if row["best"]),
        points=tuple(
            Point(row["id"], row["number"], moment(row["started"]), row["status"], row["seconds"])
            for row in found
            if row["spread"]
        ),
        total=total,
        first=moment(count["first"]) if total else None,
        last=moment(count["last"]) if total else None,
    )


def moment(text: str) -> datetime:
    """A stored time."""
    return datetime.fromisoformat(text)


def _steps(found: Iterable[Row]) -> tuple[Step, ...]:
    """Without the measurements that only equal the best before them."""
    steps: list[Step] = []
    for row in found:
        if not steps or row["seconds"] < steps[-1].seconds:
            steps.append(Step(row["number"], moment(row["started"]), row["seconds"]))
    return tuple(steps)


def _numbered(conditions: list[ColumnElement[bool]]) -> CTE:
    """The measurements in the order in which they were stored, each with the least seconds of all up to it.

    Both in one window: two would cost three times as much (0.37 s instead of 0.12 s of 10^5 measurements).
    """
    upto: dict[str, Any] = {"order_by": MeasurementRow.id, "rows": (None, 0)}
    return (
        select(
            MeasurementRow.id,
            MeasurementRow.started,
            MeasurementRow.status,
            MeasurementRow.seconds,
            func.row_number().over(**upto).label("number"),
            func.min(MeasurementRow.seconds).over(**upto).label("least"),
        )
        .where(*conditions)
        .cte("numbered")
    )
