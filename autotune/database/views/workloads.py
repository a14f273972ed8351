"""What was tuned: each workload on each machine, its measurements counted, and its winner."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from autotune.database import canonical, fields, queries
from autotune.database.models import MachineRow, MeasurementRow, WinnerRow, WorkloadRow
from autotune.database.store import Database
from autotune.database.views.reading import Row, readable, rows
from autotune.database.workload_key import WorkloadKey
from autotune.errors import FormatError
from autotune.machine.fields import mapping
from autotune.measure.measurement import Status


@dataclass(frozen=True)
class Filters:
    """Which workloads: parts that must be equal, where given, and a text that the kernel's name contains."""

    kernel: str | None = None
    direction: str | None = None
    dtype: str | None = None
    machine: str | None = None
    name: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same in SQL, for a statement that has the workload; not the machine."""
        found = queries.workload_is(kernel=self.kernel, direction=self.direction, dtype=self.dtype)
        if self.name:
            found.append(WorkloadRow.kernel.icontains(self.name, autoescape=True))
        return found


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A workload on a machine: measurements by status, the least median in seconds, and the winner's figures.

    `machine` is the fingerprint and `cpu` its name; `seconds`, `default_seconds` and the bounds of their ratio are the
    winner's, None where none is proven. `first` and `last` are when measurements started, "" where there is a winner
    only. `workload_id` and `machine_id` find the rows again.
    """

    workload_id: int
    machine_id: int
    key: WorkloadKey
    machine: str
    cpu: str
    counts: Mapping[str, int]
    best_seconds: float | None
    first: str
    last: str
    seconds: float | None = None
    default_seconds: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    proven: str | None = None

    @property
    def measurements(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """How many ended in failure, of whatever kind."""
        return self.measurements - self.counts.get(Status.OK, 0)

    @property
    def gain(self) -> float | None:
        """The default's time over the winner's."""
        if self.seconds is None or self.default_seconds is None:
            return None
        return self.default_seconds / self.seconds


def workloads(database: Database, filters: Filters | None = None) -> tuple[Tuned, ...]:
    """All that fit, by key and machine; one covering index answers, no measurement is read."""
    wanted = filters or Filters()
    return _tuned(database, wanted.conditions(), machine=wanted.machine)


def proven(database: Database, filters: Filters | None = None) -> tuple[Tuned, ...]:
    """All that fit and have a winner, as `workloads`, but no measurement is counted, which is what takes long."""
    wanted = filters or Filters()
    found = _tuned(database, wanted.conditions(), machine=wanted.machine, count=False)
    return tuple(each for each in found if each.proven is not None)


def machines(database: Database) -> dict[str, str]:
    """Names of CPUs by the fingerprints of their machines."""
    return {row["fingerprint"]: cpu_of(row["description"]) for row in _machines(database, None, None).values()}


def tuned(database: Database, workload_id: int, machine_id: int) -> Tuned | None:
    """One workload on one machine; None where nothing is known of it."""
    found = _tuned(database, [WorkloadRow.id == workload_id], machine_id=machine_id)
    return found[0] if found else None


def _tuned(
    database: Database,
    conditions: list[ColumnElement[bool]],
    *,
    machine: str | None = None,
    machine_id: int | None = None,
    count: bool = True,
) -> tuple[Tuned, ...]:
    machines = _machines(database, machine, machine_id)
    known = {row["id"]: row for row in rows(database, select(WorkloadRow.__table__).where(*conditions))}
    counted = rows(database, _counts(conditions)) if count else ()
    winners = {(row["workload_id"], row["machine_id"]): row for row in rows(database, _winners(conditions))}
    groups = {
        pair: list(group) for pair, group in groupby(counted, key=lambda row: (row["workload_id"], row["machine_id"]))
    }
    pairs = sorted(pair for pair in groups.keys() | winners.keys() if pair[0] in known and pair[1] in machines)
    entries = [
        {"id": pair[0], "workload": known[pair[0]], "machine": machines[pair[1]], "counted": groups.get(pair, []),
         "winner": winners.get(pair, {})}
        for pair in pairs
    ]  # fmt: skip
    found = list(readable(entries, _entry))
    return tuple(sorted(found, key=lambda each: (str(each.key), each.machine)))


def _entry(row: Row) -> Tuned:
    workload, machine, counted, winner = (row[name] for name in ("workload", "machine", "counted", "winner"))
    figures = ("seconds", "default_seconds", "ratio_low", "ratio_high", "proven")
    return Tuned(
        workload_id=workload["id"],
        machine_id=machine["id"],
        key=key_of(workload),
        machine=machine["fingerprint"],
        cpu=cpu_of(machine["description"]),
        counts={line["status"]: line["count"] for line in counted},
        best_seconds=min((line["seconds"] for line in counted if line["seconds"] is not None), default=None),
        first=min((line["first"] for line in counted), default=""),
        last=max((line["last"] for line in counted), default=""),
        **{name: winner.get(name) for name in figures},
    )


def key_of(row: Row) -> WorkloadKey:
    """The parts of a workload from its row; raises `FormatError` where its extents are none."""
    return WorkloadKey(
        extents=fields.extents(canonical.loads(row["extents"])),
        **{name: row[name] for name in ("kernel", "definition", "direction", "dtype", "threads")},
    )


def cpu_of(description: str) -> str:
    """The name of a machine's CPU, "?" where the description has none."""
    try:
        return str(mapping(canonical.loads(description), where="a machine").get("cpu", "?"))
    except FormatError:
        return "?"


def _machines(database: Database, fingerprint: str | None, machine_id: int | None) -> dict[int, Row]:
    statement = select(MachineRow.__table__)
    if fingerprint is not None:
        statement = statement.where(MachineRow.fingerprint == fingerprint)
    if machine_id is not None:
        statement = statement.where(MachineRow.id == machine_id)
    return {row["id"]: row for row in rows(database, statement)}


def _counts(conditions: list[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    pair = (MeasurementRow.workload_id, MeasurementRow.machine_id)
    statement = select(
        *pair,
        MeasurementRow.status,
        func.count().label("count"),
        func.min(MeasurementRow.seconds).label("seconds"),
        func.min(MeasurementRow.started).label("first"),
        func.max(MeasurementRow.started).label("last"),
    ).group_by(*pair, MeasurementRow.status)
    if conditions:
        statement = statement.where(MeasurementRow.workload_id.in_(select(WorkloadRow.id).where(*conditions)))
    return statement.order_by(*pair)


def _winners(conditions: list[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    figures = [getattr(WinnerRow, name) for name in ("seconds", "default_seconds", "ratio_low", "ratio_high", "proven")]
    joined = and_(WorkloadRow.id == WinnerRow.workload_id, *conditions)
    return (
        select(WinnerRow.workload_id, WinnerRow.machine_id, *figures)
        .join(WorkloadRow, joined)
        .where(queries.winner_counts())
    )
