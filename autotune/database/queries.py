"""The questions that the database answers, as SQLAlchemy statements."""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import aliased

from autotune.database.models import MachineRow, MeasurementRow, WinnerRow, WorkloadRow

Statement = Select[*tuple[Any, ...]]


def measurements() -> Statement:
    """All measurements, each with its workload's `key` and its machine's `fingerprint`."""
    return (
        select(MeasurementRow.__table__, WorkloadRow.key, MachineRow.fingerprint)
        .join(WorkloadRow, WorkloadRow.id == MeasurementRow.workload_id)
        .join(MachineRow, MachineRow.id == MeasurementRow.machine_id)
    )


def winners() -> Statement:
    """All winners, the superseded ones included, each with its workload's `key` and its machine's `fingerprint`."""
    return (
        select(WinnerRow.__table__, WorkloadRow.key, MachineRow.fingerprint)
        .join(WorkloadRow, WorkloadRow.id == WinnerRow.workload_id)
        .join(MachineRow, MachineRow.id == WinnerRow.machine_id)
    )


def winner_counts() -> ColumnElement[bool]:
    """Whether a winner is the one that counts: none of the same workload and machine was proven later."""
    newer = aliased(WinnerRow)
    later = select(newer.id).where(
        newer.workload_id == WinnerRow.workload_id,
        newer.machine_id == WinnerRow.machine_id,
        tuple_(newer.proven, newer.digest) > tuple_(WinnerRow.proven, WinnerRow.digest),
    )
    return ~later.exists()


def workload_is(*, kernel: str | None, direction: str | None, **parts: str | int | None) -> list[ColumnElement[bool]]:
    """Conditions that a workload's parts have these values, where they are not None."""
    wanted = {"kernel": kernel, "direction": direction, **parts}
    return [getattr(WorkloadRow, name) == value for name, value in wanted.items() if value is not None]


def summaries(*conditions: ColumnElement[bool], since: str | None = None) -> Statement:
    """`key`, `fingerprint`, `status`, `count`, `seconds` (least median), `first` and `last` start.

    One row for each workload that meets the conditions, machine and status. Grouped before the join, so that the index
    made for it answers and no measurement is read.
    """
    grouped = select(
        MeasurementRow.workload_id,
        MeasurementRow.machine_id,
        MeasurementRow.status,
        func.count().label("count"),
        func.min(MeasurementRow.seconds).label("seconds"),
        func.min(MeasurementRow.started).label("first"),
        func.max(MeasurementRow.started).label("last"),
    ).group_by(MeasurementRow.workload_id, MeasurementRow.machine_id, MeasurementRow.status)
    if conditions:
        grouped = grouped.where(MeasurementRow.workload_id.in_(select(WorkloadRow.id).where(*conditions)))
    if since is not None:
        grouped = grouped.where(MeasurementRow.started >= since)
    group = grouped.subquery()
    return (
        select(WorkloadRow.key, MachineRow.fingerprint, *(group.c[name] for name in _SUMMARY))
        .join(group, group.c.workload_id == WorkloadRow.id)
        .join(MachineRow, MachineRow.id == group.c.machine_id)
        .order_by(WorkloadRow.key, MachineRow.fingerprint)
    )


_SUMMARY = ("status", "count", "seconds", "first", "last")
