"""Queries of a database of 10^5 measurements are answered from indexes; the plan is tested, not the time."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from sqlalchemy import event

from autotune.database import Database, Winner
from autotune.database.lookup import LIVE_WINNERS
from autotune.machine import Machine
from autotune.measure.measurement import Measurement

T = TypeVar("T")
Make: TypeAlias = Callable[..., T]

ROWS = 100_000


@pytest.fixture(scope="module")
def large(
    tmp_path_factory: pytest.TempPathFactory,
    measurement: Make[Measurement],
    winner: Make[Winner],
    machine: Machine,
    key: Make[str],
) -> Iterator[Database]:
    """A database of 10^5 measurements of 10 workloads, each with a winner that superseded two others."""
    path = tmp_path_factory.mktemp("plans") / "large.db"
    workloads = [key(extents={"m": size, "n": 24, "k": 32}) for size in range(10)]
    with Database.open(path) as database:
        for number, workload in enumerate(workloads):
            database.add_measurement(measurement(number, workload=workload), machine)
            for proven in range(3):
                database.set_winner(winner(proven, workload=workload), machine)
        _multiply(path)
        yield database


def _multiply(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        names = [name for _, name, *_ in connection.execute("PRAGMA table_info(measurements)")]
        copied = ", ".join(name for name in names if name not in ("id", "digest"))
        connection.execute(
            f"WITH RECURSIVE copies(number) AS (SELECT 2 UNION ALL SELECT number + 1 FROM copies WHERE number < ?) "
            f"INSERT INTO measurements ({copied}, digest) SELECT {copied}, digest || number FROM measurements, copies",
            (ROWS // 10,),
        )


@contextmanager
def plans(database: Database) -> Iterator[list[str]]:
    """Collects SQLite's plan of every query in the with statement, a line each."""
    statements: list[tuple[str, Any]] = []

    def remember(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    lines: list[str] = []
    event.listen(database.engine, "before_cursor_execute", remember)
    yield lines
    event.remove(database.engine, "before_cursor_execute", remember)
    with database.engine.connect() as connection:
        for statement, parameters in statements:
            if statement.lstrip().startswith("SELECT"):
                explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                lines += [row.detail for row in explained]


def test_the_database_is_that_large(large: Database) -> None:
    assert sum(summary.counts["ok"] for summary in large.summaries()) == ROWS


def test_a_winner_is_found_by_index(large: Database, machine: Machine, key: Make[str]) -> None:
    with plans(large) as lines:
        assert large.winner(key(extents={"m": 3, "n": 24, "k": 32}), machine.fingerprint) is not None
    assert len(lines) > 3
    assert not [line for line in lines if line.startswith("SCAN") and "CONSTANT ROW" not in line]
    assert any("ix_winners_live (workload_id=? AND machine_id=?" in line for line in lines)


def test_the_winners_of_a_kernel_are_found_by_index(large: Database, machine: Machine) -> None:
    wanted: dict[str, Any] = {
        "kernel": "matmul",
        "definition": "d" * 64,
        "direction": "forward",
        "dtype": "float32",
        "threads": 1,
        "fingerprint": machine.fingerprint,
    }
    with plans(large) as lines:
        assert len(large.winners(**wanted)) == 10
        assert len(large.select(LIVE_WINNERS, wanted)) == 10
    assert not [line for line in lines if line.startswith("SCAN") and "CONSTANT ROW" not in line]
    assert sum("ix_workloads_parts (kernel=? AND definition=?" in line for line in lines) == 2


@pytest.mark.parametrize("on_one_machine", [True, False])
def test_the_measurements_of_a_workload_are_found_by_index(
    large: Database, machine: Machine, key: Make[str], on_one_machine: bool
) -> None:
    with plans(large) as lines:
        fingerprint = machine.fingerprint if on_one_machine else None
        assert sum(1 for _ in large.measurements(key(extents={"m": 3, "n": 24, "k": 32}), fingerprint)) == ROWS // 10
    assert not [line for line in lines if line.startswith("SCAN") or "TEMP B-TREE" in line]


@pytest.mark.parametrize("conditions", [{}, {"kernel": "matmul"}, {"kernel": "matmul", "direction": "forward"}])
def test_summaries_read_no_measurement(large: Database, conditions: dict[str, str]) -> None:
    for since in (None, "2026-01-31T12:00:00.000005+00:00"):
        with plans(large) as lines:
            large.summaries(**conditions, since=since)
        read = [line for line in lines if "measurements" in line]
        assert read
        assert all("COVERING INDEX ix_measurements_summary" in line for line in read)
