"""Adding rows: what is already there stays as it is, so that adding twice is the same as adding once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from autotune.database.exchange import Entry
from autotune.database.models import MachineRow, MeasurementRow, WinnerRow, WorkloadRow
from autotune.database.rows import Values, machine_values, measurement_values, winner_values, workload_values
from autotune.database.winner import Winner

_INSERT: dict[str, Callable[[Any], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True)
class Row:
    """A row ready to be added, with the rows of the workload and of the machine that it refers to."""

    table: type[MeasurementRow | WinnerRow]
    values: Values
    workload: Values
    machine: Values


def row_of(entry: Entry) -> Row:
    """The row of a measurement or a winner; raises `FormatError` for what no row can hold."""
    workload = workload_values(entry.value.workload)
    machine = machine_values(entry.value.machine, entry.machine)
    if isinstance(entry.value, Winner):
        return Row(WinnerRow, winner_values(entry.value), workload, machine)
    return Row(MeasurementRow, measurement_values(entry.value, entry.run), workload, machine)


def insert(connection: Connection, rows: Sequence[Row]) -> int:
    """Adds rows with the workloads and machines they refer to; returns how many were not there before."""
    workloads = _identities(connection, WorkloadRow, "key", [row.workload for row in rows])
    machines = _identities(connection, MachineRow, "fingerprint", [row.machine for row in rows])
    added = 0
    for table in (MeasurementRow, WinnerRow):
        complete = [
            row.values
            | {"workload_id": workloads[row.workload["key"]], "machine_id": machines[row.machine["fingerprint"]]}
            for row in rows
            if row.table is table
        ]
        added += _add(connection, table, complete)
    return added


def _identities(
    connection: Connection, table: type[WorkloadRow | MachineRow], name: str, rows: Iterable[Values]
) -> dict[str, int]:
    """The ids of rows by their unique column `name`, after those that are missing were added.

    Added in the order of that column, so that two writers of the same rows never wait for each other in a circle.
    """
    by_name = {row[name]: row for row in rows}
    column = getattr(table, name)
    identities: dict[str, int] = {}
    for unique, row in sorted(by_name.items()):
        wanted = select(table.id).where(column == unique)
        found = connection.execute(wanted).scalar()
        if found is None:
            _add(connection, table, [row])
            found = connection.execute(wanted).scalar_one()
        identities[unique] = found
    return identities


def _add(connection: Connection, table: type[Any], rows: Sequence[Values]) -> int:
    if not rows:
        return 0
    # The ids that come back are counted: drivers do not agree on `rowcount` of many rows.
    statement = _INSERT[connection.dialect.name](table).on_conflict_do_nothing().returning(table.id)
    return len(connection.execute(statement, rows).all())
