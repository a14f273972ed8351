"""The run-time path: no SQLAlchemy, no other machine's winners, no damage passed on."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest

import autotune.database as package
from autotune.database import Database, Record, Winner, find_winners
from autotune.errors import DatabaseError
from autotune.machine import Machine

T = TypeVar("T")
Make: TypeAlias = Callable[..., T]

QUESTION: dict[str, Any] = {
    "kernel": "matmul",
    "definition": "d" * 64,
    "direction": "forward",
    "dtype": "float32",
    "threads": 1,
}


@pytest.fixture
def tuned(database_path: Path, winner: Make[Winner], machine: Machine, key: Make[str]) -> Path:
    """A database with winners of two shapes, one of them superseded once."""
    with Database.open(database_path) as database:
        database.set_winner(winner(1), machine)
        database.set_winner(winner(2), machine)
        database.set_winner(winner(3, workload=key(extents={"m": 1, "n": 0, "k": 10**12})), machine)
    return database_path


def test_gives_what_is_needed_to_call_a_kernel(tuned: Path, machine: Machine) -> None:
    large, small = find_winners(tuned, **QUESTION, fingerprint=machine.fingerprint)
    assert small == Record({"m": 16, "n": 24, "k": 32}, {"rows": 6, "unroll": 2, "pack": True}, "b" * 64, 0.2)
    assert large.extents == {"m": 1, "n": 0, "k": 10**12}
    with pytest.raises(FrozenInstanceError):
        small.seconds = 0.1  # type: ignore[misc]


@pytest.mark.parametrize(
    "part", [{"kernel": "dot"}, {"definition": "e"}, {"direction": "vjp:a"}, {"dtype": "float64"}, {"threads": 2}]
)
def test_gives_nothing_of_another_workload(tuned: Path, machine: Machine, part: dict[str, Any]) -> None:
    assert find_winners(tuned, **(QUESTION | part), fingerprint=machine.fingerprint) == ()


def test_gives_nothing_of_another_machine(tuned: Path, other_machine: Machine) -> None:
    assert find_winners(tuned, **QUESTION, fingerprint=other_machine.fingerprint) == ()


def test_of_a_missing_or_empty_database_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tuning.db"
    assert find_winners(path, **QUESTION, fingerprint="0" * 12) == ()
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    assert find_winners(f"sqlite:///{path}", **QUESTION, fingerprint="0" * 12) == ()


@pytest.mark.parametrize(
    "change",
    [
        """config = '{"rows":8}'""",
        "config = X'FFFE', config_digest = 'x'",
        "config_digest = NULL",
        "source = X'37'",
        "seconds = 'soon'",
    ],
)
def test_leaves_out_a_damaged_row(tuned: Path, machine: Machine, change: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(tuned)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")  # what damage can do, NOT NULL must not prevent here
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'winners'")
    with closing(sqlite3.connect(tuned)) as connection, connection:
        connection.execute(f"UPDATE winners SET {change} WHERE id = 2")
    with caplog.at_level(logging.WARNING):
        (left,) = find_winners(tuned, **QUESTION, fingerprint=machine.fingerprint)
    assert left.extents["m"] == 1
    assert "row 2 of table winners is damaged" in caplog.text


def test_leaves_out_a_damaged_shape(tuned: Path, machine: Machine) -> None:
    with closing(sqlite3.connect(tuned)) as connection, connection:
        connection.execute("UPDATE workloads SET extents = '{\"m\":-1}' WHERE id = 1")
    (left,) = find_winners(tuned, **QUESTION, fingerprint=machine.fingerprint)
    assert left.extents["m"] == 1


def test_of_a_damaged_database_is_an_error(tuned: Path, machine: Machine) -> None:
    tuned.write_bytes(tuned.read_bytes()[:5000])
    with pytest.raises(DatabaseError, match="is damaged"):
        find_winners(tuned, **QUESTION, fingerprint=machine.fingerprint)


def test_sees_what_a_running_tuner_has_just_stored(
    tuned: Path, winner: Make[Winner], machine: Machine, key: Make[str]
) -> None:
    with Database.open(tuned) as database:
        database.set_winner(winner(4, workload=key(extents={"m": 5, "n": 5, "k": 5})), machine)
        assert len(find_winners(tuned, **QUESTION, fingerprint=machine.fingerprint)) == 3


def test_loads_no_sqlalchemy(tuned: Path, machine: Machine, environment: dict[str, str]) -> None:
    program = (
        "import sys; from autotune.database import find_winners; "
        f"print(len(find_winners({str(tuned)!r}, fingerprint={machine.fingerprint!r}, **{QUESTION!r})), "
        "*sorted({'sqlalchemy', 'alembic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "2\n"


def test_the_package_has_the_names_it_lists() -> None:
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing
