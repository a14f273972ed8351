"""The database as the rest of the package uses it."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, select, text
from sqlalchemy.orm import InstrumentedAttribute

from autotune.database import canonical, migrate, queries
from autotune.database.engine import make_engine, reporting, writer
from autotune.database.exchange import Entry, ImportReport, Rejection, entry_of, line_of
from autotune.database.insertion import Row, insert, row_of
from autotune.database.location import Location
from autotune.database.models import MachineRow, MeasurementRow, WinnerRow, WorkloadRow
from autotune.database.rows import Values, measurement_of, winner_of
from autotune.database.winner import Winner
from autotune.errors import DatabaseError, FormatError
from autotune.machine.description import Machine
from autotune.machine.fields import mapping
from autotune.measure.measurement import Measurement, Status

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PAGE = 1000  # rows read or written at a time: bounds memory, and how long a reader or a writer holds the database
_EXPLAINED = 100  # rejected lines that a report explains


@dataclass(frozen=True)
class Summary:
    """All measurements of one workload on one machine: how many by status, the best median, first and last start.

    `best_seconds` is None where none is ok.
    """

    workload: str
    machine: str
    counts: Mapping[str, int]
    best_seconds: float | None
    first: str
    last: str


class Database:
    """Measurements and winners, in a SQLite file or on a PostgreSQL server. Made by `Database.open`.

    Each method is one transaction or a sequence of short ones; several processes and threads may read and write at
    once. All methods raise `DatabaseError` where the database fails and `FormatError` for what it cannot hold.
    `engine` is SQLAlchemy's, for reports that need a query of their own.
    """

    def __init__(self, engine: Engine, place: str, *, read_only: bool) -> None:
        self.engine = engine
        self.place = place
        self._read_only = read_only
        self._writer = writer(engine)

    @classmethod
    def open(cls, url_or_path: str | os.PathLike[str], read_only: bool = False, *, lock_timeout: float = 30.0) -> Self:
        """Opens the SQLite file at a path, or the database of a SQLAlchemy URL.

        For writing, the file, its folder and the tables are made where they are missing, and an older layout is
        upgraded. `lock_timeout` is how many seconds to wait for other writers. Raises `DatabaseError` for a file that
        is missing (read-only), of another kind, damaged, locked or not writable; such a file is left as it is.
        """
        location = Location.parse(url_or_path)
        engine = make_engine(location, read_only=read_only, lock_timeout=lock_timeout)
        place = engine.url.render_as_string() if location.path is None else str(location.path)
        database = cls(engine, place, read_only=read_only)
        try:
            with reporting(place):
                database._prepare(location, lock_timeout)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, location: Location, lock_timeout: float) -> None:
        if self._read_only:
            if location.path is not None and not location.path.exists():
                message = f"there is no database {self.place}: tune a kernel first, or name another file"
                raise DatabaseError(message)
            migrate.check_layout(self.engine, self.place)
            return
        if location.path is not None:
            location.path.parent.mkdir(parents=True, exist_ok=True)
        migrate.upgrade(self.engine, self.place, lock_timeout=lock_timeout)
        migrate.check_writable(self.engine)

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database, password included, for other libraries that open it."""
        return self.engine.url.render_as_string(hide_password=False)

    # Measurements

    def add_measurement(self, measurement: Measurement, machine: Machine, run: str | None = None) -> bool:
        """Stores a measurement at once; `run` names the run or study that made it. False if it was there already."""
        return self.add_measurements([measurement], machine, run) == 1

    def add_measurements(self, measurements: Iterable[Measurement], machine: Machine, run: str | None = None) -> int:
        """Stores measurements of one machine, all or none; returns how many were not there already."""
        rows = [row_of(entry) for entry in _entries_on(machine, measurements, run)]
        with self._writing() as connection:
            return insert(connection, rows)

    def measurements(self, workload: str, fingerprint: str | None = None) -> Iterator[Measurement]:
        """Measurements of the workload with that key, on one machine or on all, in the order they were stored.

        A damaged row is left out with a warning.
        """
        conditions = [WorkloadRow.key == workload]
        if fingerprint is not None:
            conditions.append(MachineRow.fingerprint == fingerprint)
        rows = self._pages(queries.measurements().where(*conditions), MeasurementRow.id)
        return _readable("measurements", rows, measurement_of)

    def summaries(
        self, *, kernel: str | None = None, direction: str | None = None, since: str | None = None
    ) -> tuple[Summary, ...]:
        """What was measured, by workload and machine, counted in SQL; `since` is the earliest start, in UTC."""
        conditions = queries.workload_is(kernel=kernel, direction=direction)
        rows = self._all(queries.summaries(*conditions, since=since))
        return tuple(
            _summary(workload, machine, list(group))
            for (workload, machine), group in groupby(rows, key=lambda row: (row["key"], row["fingerprint"]))
        )

    # Winners

    def set_winner(self, winner: Winner, machine: Machine) -> bool:
        """Stores a winner; earlier ones stay as its history. Returns whether it is now the one that counts.

        It is not where another process has stored one that was proven later.
        """
        (row,) = (row_of(entry) for entry in _entries_on(machine, [winner]))
        counts = queries.winners().where(WinnerRow.digest == row.values["digest"], queries.winner_counts())
        with self._writing() as connection:
            insert(connection, [row])
            return connection.execute(counts).first() is not None

    def winner(self, workload: str, fingerprint: str) -> Winner | None:
        """The winner of the workload with that key on that machine."""
        conditions = (WorkloadRow.key == workload, MachineRow.fingerprint == fingerprint, queries.winner_counts())
        return next(self._winners(*conditions), None)

    def winner_history(self, workload: str, fingerprint: str) -> tuple[Winner, ...]:
        """All winners there were of the workload with that key on that machine, the one that counts last."""
        return tuple(self._winners(WorkloadRow.key == workload, MachineRow.fingerprint == fingerprint))

    def winners(
        self,
        *,
        kernel: str | None = None,
        definition: str | None = None,
        direction: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
        fingerprint: str | None = None,
    ) -> tuple[Winner, ...]:
        """The winners that count, of the workloads and the machine for which all of these hold that are given."""
        conditions = queries.workload_is(
            kernel=kernel, definition=definition, direction=direction, dtype=dtype, threads=threads
        )
        if fingerprint is not None:
            conditions.append(MachineRow.fingerprint == fingerprint)
        return tuple(self._winners(*conditions, queries.winner_counts()))

    # What the database knows of

    def workloads(self, *, kernel: str | None = None, direction: str | None = None) -> tuple[str, ...]:
        """Keys of the workloads that something is known of, in alphabetical order."""
        conditions = queries.workload_is(kernel=kernel, direction=direction)
        rows = self._all(select(WorkloadRow.key).where(*conditions).order_by(WorkloadRow.key))
        return tuple(row["key"] for row in rows)

    def machines(self) -> dict[str, Machine]:
        """The machines that something is known of, by fingerprint; a damaged row is left out with a warning."""
        rows = self._all(select(MachineRow.__table__).order_by(MachineRow.id))
        return dict(_readable("machines", rows, lambda row: (row["fingerprint"], Machine.from_json(_description(row)))))

    def select(self, statement: str, parameters: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """Rows of a query in SQL with `:name` parameters, for reports that need one of their own."""
        with self._reading() as connection:
            return connection.execute(text(statement), parameters).fetchall()

    # Other databases

    def export_jsonl(self, stream: TextIO, *, winners: bool = False) -> int:
        """Writes every measurement and winner as a line of JSON (see `exchange`), or just the `winners` that count.

        These are short lines, as they ship with programs: of a winner's samples they have some quantiles. Returns the
        number of lines.
        """
        written = 0
        for entry in self._winning_entries() if winners else self._entries():
            stream.write(line_of(entry) + "\n")
            written += 1
        return written

    def import_jsonl(self, lines: Iterable[str | bytes]) -> ImportReport:
        """Adds the lines of an export; a line that is not one is left out and reported, an empty line is nothing.

        Stored in pages as it goes, so that an import that was stopped can be run again.
        """
        return self._import(_row(number, line) for number, line in enumerate(lines, start=1) if line.strip())

    def merge(self, other: "Database") -> ImportReport:
        """Adds every measurement and winner of another database; lines are counted as its export would have them."""
        return self._import(_row(number, entry) for number, entry in enumerate(other._entries(), start=1))

    def _import(self, rows: Iterator[Row | Rejection]) -> ImportReport:
        added = there = rejected = 0
        explained: list[Rejection] = []
        while page := list(islice(rows, _PAGE)):
            good = [row for row in page if isinstance(row, Row)]
            bad = [row for row in page if isinstance(row, Rejection)]
            with self._writing() as connection:
                new = insert(connection, good)
            added, there, rejected = added + new, there + len(good) - new, rejected + len(bad)
            explained += bad[: _EXPLAINED - len(explained)]
        return ImportReport(added, there, rejected, tuple(explained))

    def _machines(self) -> dict[str, Mapping[str, Any]]:
        """Descriptions by fingerprint."""
        rows = self._all(select(MachineRow.__table__))
        return dict(_readable("machines", rows, lambda row: (row["fingerprint"], _description(row))))

    def _winning_entries(self) -> Iterator[Entry]:
        """The winners that count, in the order of their workloads, so that two exports can be compared."""
        machines = self._machines()
        for winner in sorted(self.winners(), key=lambda winner: (winner.workload, winner.machine)):
            yield Entry(winner.shortened(), machines.get(winner.machine, {}))

    def _entries(self) -> Iterator[Entry]:
        machines = self._machines()

        def entry_of_measurement(row: Values) -> Entry:
            return Entry(measurement_of(row), machines.get(row["fingerprint"], {}), row["run"])

        def entry_of_winner(row: Values) -> Entry:
            return Entry(winner_of(row), machines.get(row["fingerprint"], {}))

        yield from _readable(
            "measurements", self._pages(queries.measurements(), MeasurementRow.id), entry_of_measurement
        )
        yield from _readable("winners", self._pages(queries.winners(), WinnerRow.id), entry_of_winner)

    # Transactions

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with reporting(self.place), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._read_only:
            message = f"database {self.place} was opened for reading only"
            raise DatabaseError(message)
        with reporting(self.place), self._writer.begin() as connection:
            yield connection

    def _all(self, statement: queries.Statement) -> list[Values]:
        with self._reading() as connection:
            return [row._asdict() for row in connection.execute(statement)]

    def _pages(self, statement: queries.Statement, identity: InstrumentedAttribute[int]) -> Iterator[Values]:
        """Rows in the order of their ids, no transaction kept open between two pages."""
        last = 0
        while page := self._all(statement.where(identity > last).order_by(identity).limit(_PAGE)):
            yield from page
            last = page[-1]["id"]

    def _winners(self, *conditions: ColumnElement[bool]) -> Iterator[Winner]:
        rows = self._all(
            queries.winners().where(*conditions).order_by(WorkloadRow.key, WinnerRow.proven, WinnerRow.digest)
        )
        return _readable("winners", rows, winner_of)


def _readable(table: str, rows: Iterable[Values], read: Callable[[Values], T]) -> Iterator[T]:
    """What `read` makes of the rows; one that it cannot read is left out with a warning."""
    for row in rows:
        try:
            yield read(row)
        except FormatError as error:
            logger.warning("row %s of table %s is damaged and left out: %s", row["id"], table, error)


def _entries_on(
    machine: Machine, values: Iterable[Measurement] | Iterable[Winner], run: str | None = None
) -> Iterator[Entry]:
    description = machine.to_json()
    for value in values:
        if value.machine != machine.fingerprint:
            message = f"machine {value.machine} was given the description of machine {machine.fingerprint}"
            raise FormatError(message)
        yield Entry(value, description, run)


def _description(row: Values) -> Mapping[str, Any]:
    return mapping(canonical.loads(row["description"]), where="a machine")


def _row(number: int, source: Entry | str | bytes) -> Row | Rejection:
    try:
        return row_of(source if isinstance(source, Entry) else entry_of(source))
    except FormatError as error:
        return Rejection(number, str(error))


def _summary(workload: str, machine: str, rows: Sequence[Values]) -> Summary:
    best = [row["seconds"] for row in rows if row["status"] == Status.OK]
    return Summary(
        workload=workload,
        machine=machine,
        counts={row["status"]: row["count"] for row in rows},
        best_seconds=best[0] if best else None,
        first=min(row["first"] for row in rows),
        last=max(row["last"] for row in rows),
    )
