"""Files that cannot be opened, read or written: a clear error each, and the file left as it is."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from sqlalchemy import event

from autotune.database import Database, Winner, find_winners
from autotune.errors import DatabaseError
from autotune.machine import Machine
from autotune.measure.measurement import Measurement

T = TypeVar("T")
Make: TypeAlias = Callable[..., T]

QUESTION: dict[str, Any] = {
    "kernel": "matmul",
    "definition": "d" * 64,
    "direction": "forward",
    "dtype": "float32",
    "threads": 1,
}


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions bind in here, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        Path(folder).chmod(0o755)


@pytest.fixture
def filled(database_path: Path, measurement: Make[Measurement], winner: Make[Winner], machine: Machine) -> Path:
    """A closed database of 200 measurements and a winner, all in the main file."""
    with Database.open(database_path) as database:
        database.add_measurements([measurement(number) for number in range(200)], machine)
        database.set_winner(winner(), machine)
    return database_path


class TestOpening:
    @pytest.mark.parametrize("prefix", ["", "sqlite:///", "sqlite+pysqlite:///"])
    def test_makes_the_folders_and_the_file(self, tmp_path: Path, prefix: str) -> None:
        path = tmp_path / "a" / "with space, % and ü" / "tuning?.db"
        given = str(path) if not prefix else prefix + str(path).replace("%", "%25").replace("?", "%3F")
        with Database.open(given) as database:
            assert database.place == str(path)
            assert path.exists()
        with Database.open(database.url, read_only=True) as again:
            assert again.place == str(path)

    def test_takes_a_path_relative_to_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        Database.open("~/tuning.db").close()
        assert (tmp_path / "tuning.db").exists()

    def test_leaves_a_file_in_wal_mode(self, database_path: Path) -> None:
        with closing(sqlite3.connect(database_path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_enforces_references(self, database_path: Path) -> None:
        with Database.open(database_path) as database, database.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("", "names no file"),
            ("sqlite://", "names no file"),
            ("sqlite:///:memory:", "names no file"),
            ("nul\0.db", "names no file"),
            ("sqlite:///tuning.db?timeout=1", "takes no options"),
            ("mysql+pymysql://user:secret@host/tuning", "driver|only SQLite"),
            ("oracle://user:secret@host/tuning", "driver|only SQLite"),
            ("nosuch://host/tuning", "not the URL|only SQLite"),
            ("://", "not the URL"),
        ],
    )
    def test_refuses_other_places(self, url: str, reason: str) -> None:
        with pytest.raises(DatabaseError, match=reason) as caught:
            Database.open(url)
        assert "secret" not in str(caught.value)

    def test_of_a_server_that_is_not_there_keeps_the_password_secret(self) -> None:
        pytest.importorskip("psycopg", reason="the PostgreSQL driver psycopg is not installed")
        with pytest.raises(DatabaseError, match=r"database postgresql\+psycopg://user:\*\*\*@") as caught:
            Database.open("postgresql+psycopg://user:secret@127.0.0.1:1/tuning")
        assert "secret" not in str(caught.value)

    def test_for_reading_needs_a_database(self, tmp_path: Path) -> None:
        path = tmp_path / "none" / "tuning.db"
        with pytest.raises(DatabaseError, match="there is no database"):
            Database.open(path, read_only=True)
        assert not path.parent.exists()
        path.parent.mkdir()
        path.touch()
        with pytest.raises(DatabaseError, match="holds no tuning tables yet"):
            Database.open(path, read_only=True)
        assert path.stat().st_size == 0

    def test_refuses_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseError, match="cannot be opened"):
            Database.open(tmp_path)

    def test_refuses_a_path_through_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(DatabaseError, match=r"tuning\.db"):
            Database.open(tmp_path / "file" / "tuning.db")


class TestReadOnly:
    def test_database_is_not_written_to(self, filled: Path, key: Make[str]) -> None:
        before = filled.read_bytes()
        with Database.open(filled, read_only=True) as database:
            assert len(list(database.measurements(key()))) == 200
            with (
                pytest.raises(sqlite3.OperationalError, match="readonly"),
                contextlib.closing(database.engine.raw_connection()) as connection,
            ):
                connection.cursor().execute("DELETE FROM measurements")
        assert filled.read_bytes() == before

    def test_file_opens_for_reading_only(self, filled: Path, open_folder: Path, key: Make[str]) -> None:
        path = Path(shutil.copy(filled, open_folder))
        open_folder.chmod(0o777)
        path.chmod(0o444)
        with unprivileged(), pytest.raises(DatabaseError, match="cannot be written"):
            Database.open(path)
        with unprivileged(), Database.open(path, read_only=True) as database:
            assert len(list(database.measurements(key()))) == 200

    def test_folder_opens_for_reading_only(
        self, filled: Path, open_folder: Path, key: Make[str], machine: Machine
    ) -> None:
        path = Path(shutil.copy(filled, open_folder))
        path.chmod(0o444)
        open_folder.chmod(0o555)
        with unprivileged(), pytest.raises(DatabaseError, match=r"cannot be (written|opened)"):
            Database.open(path)
        with unprivileged(), pytest.raises(DatabaseError, match="cannot be opened"):
            Database.open(open_folder / "new.db")
        with unprivileged(), pytest.raises(DatabaseError, match="Permission denied"):
            Database.open(open_folder / "folder" / "new.db")
        with unprivileged(), Database.open(path, read_only=True) as database:
            assert len(list(database.measurements(key()))) == 200
            assert len(find_winners(path, **QUESTION, fingerprint=machine.fingerprint)) == 1
        assert [entry.name for entry in open_folder.iterdir()] == [path.name]


class TestDamage:
    @pytest.mark.parametrize("content", [b"hello, this is text\n" * 100, b"\x89PNG\r\n" + bytes(5000), b"short"])
    def test_file_of_another_kind_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "notes.txt"
        path.write_bytes(content)
        for read_only in (False, True):
            with pytest.raises(DatabaseError, match=r"notes\.txt is not a SQLite database.*left as it is|damaged"):
                Database.open(path, read_only=read_only)
        with pytest.raises(DatabaseError, match="is not a SQLite database"):
            find_winners(path, **QUESTION, fingerprint="0" * 12)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]

    def test_database_of_another_program_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "places.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE bookmarks (url TEXT)")
        before = path.read_bytes()
        with pytest.raises(DatabaseError, match=r"another program.*bookmarks"):
            Database.open(path)
        assert find_winners(path, **QUESTION, fingerprint="0" * 12) == ()
        assert path.read_bytes() == before

    @pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.95])
    def test_truncated_file_is_an_error_and_stays(self, filled: Path, kept: float, key: Make[str]) -> None:
        content = filled.read_bytes()[: int(filled.stat().st_size * kept)]
        filled.write_bytes(content)
        for read_only in (True, False):
            with pytest.raises(DatabaseError, match="is damaged; it was left as it is"):
                self._read_all(filled, key, read_only=read_only)
        assert filled.read_bytes() == content

    @pytest.mark.parametrize("seed", range(30))
    def test_flipped_bytes_never_give_a_wrong_config(
        self, filled: Path, seed: int, key: Make[str], machine: Machine, measurement: Make[Measurement]
    ) -> None:
        generator = random.Random(seed)
        content = bytearray(filled.read_bytes())
        for _ in range(40):
            content[generator.randrange(100, len(content))] ^= 1 << generator.randrange(8)
        filled.write_bytes(content)
        configs = [measurement(number).config for number in range(200)]
        with contextlib.suppress(DatabaseError):
            assert all(one.config in configs for one in self._read_all(filled, key, read_only=True))
        with contextlib.suppress(DatabaseError):
            found = find_winners(filled, **QUESTION, fingerprint=machine.fingerprint)
            assert all(record.config == {"rows": 6, "unroll": 0, "pack": True} for record in found)
        assert filled.read_bytes() == content

    @staticmethod
    def _read_all(path: Path, key: Make[str], *, read_only: bool) -> list[Measurement]:
        with Database.open(path, read_only=read_only) as database:
            database.summaries()
            database.winners()
            return list(database.measurements(key()))


class TestWriting:
    def test_to_a_locked_database_gives_up_in_time(
        self, filled: Path, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        with Database.open(filled, lock_timeout=0.05) as database, closing(sqlite3.connect(filled)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseError, match="locked by another process"):
                database.add_measurement(measurement(1000), machine)
            with pytest.raises(DatabaseError, match="locked by another process"):
                Database.open(filled, lock_timeout=0.05)
            assert len(list(database.measurements(key()))) == 200
            other.rollback()
            assert database.add_measurement(measurement(1000), machine)

    def test_to_a_full_database_keeps_what_was_there(
        self, filled: Path, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        with Database.open(filled) as database:
            event.listen(database.engine, "checkout", _allow_no_more_pages)
            with pytest.raises(DatabaseError, match=r"tuning\.db could not grow: the disk is full"):
                database.add_measurements([measurement(number) for number in range(1000, 2000)], machine)
            assert len(list(database.measurements(key()))) == 200
            event.remove(database.engine, "checkout", _allow_no_more_pages)
            database.engine.dispose()
            assert database.add_measurement(measurement(1000), machine)

    @pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
    def test_to_a_full_disk_keeps_what_was_there(
        self, filled: Path, tmp_path: Path, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False).returncode != 0:
            pytest.skip("mounting a small file system is not allowed here")
        try:
            path = Path(shutil.copy(filled, disk))
            with Database.open(path) as database:
                with pytest.raises(DatabaseError, match=r"the disk is full|could not be read or written"):
                    _fill(database, measurement, machine)
                stored = len(list(database.measurements(key())))
                assert stored % 500 == 200
            with Database.open(path, read_only=True) as database:
                assert len(list(database.measurements(key()))) == stored
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_after_the_file_was_taken_away_keeps_the_row_or_says_that_it_is_not_kept(
        self, filled: Path, measurement: Make[Measurement], machine: Machine
    ) -> None:
        with Database.open(filled) as database:
            added = measurement(1000)
            before = len(list(database.measurements(added.workload)))
            filled.unlink()
            try:
                database.add_measurement(added, machine)
            except DatabaseError as error:
                assert str(filled) in str(error)  # noqa: PT017  (either outcome is right)
            else:
                assert len(list(database.measurements(added.workload))) == before + 1


def _fill(database: Database, measurement: Make[Measurement], machine: Machine) -> None:
    for number in range(1000, 100_000, 500):
        database.add_measurements([measurement(number + more) for more in range(500)], machine)


def _allow_no_more_pages(connection: Any, *_: object) -> None:
    cursor = connection.cursor()
    (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    cursor.execute(f"PRAGMA max_page_count = {pages}")
    cursor.close()
