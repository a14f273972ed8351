"""The layout of the tables: the migrations make what the models say, and every layout there was still opens."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias, TypeVar

import optuna
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from autotune.database import Database, Winner, find_winners
from autotune.database.lookup import LIVE_WINNERS
from autotune.database.models import Base
from autotune.database.revision import HEAD, REVISIONS, VERSION_TABLE
from autotune.errors import DatabaseError
from autotune.machine import Machine
from autotune.measure.measurement import Measurement

T = TypeVar("T")
Make: TypeAlias = Callable[..., T]

LAYOUTS = sorted((Path(__file__).parent / "layouts").glob("*.sql"))


def make_file(path: Path, statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
    return path


class TestMigrations:
    def test_make_what_the_models_say(self, database: Database) -> None:
        with database.engine.connect() as connection:
            options = {"version_table": VERSION_TABLE, "compare_type": True}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, Base.metadata) == []

    def test_are_those_the_package_knows(self) -> None:
        config = Config()
        config.set_main_option("script_location", "autotune.database:migrations")
        scripts = ScriptDirectory.from_config(config)
        assert [script.revision for script in scripts.walk_revisions()] == list(reversed(REVISIONS))

    def test_are_not_loaded_for_a_database_that_is_up_to_date(
        self, database_path: Path, environment: dict[str, str]
    ) -> None:
        program = (
            "import sys; from autotune.database import Database; "
            f"Database.open({str(database_path)!r}).close(); print('alembic' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
        )
        assert done.stdout == "False\n"

    def test_leave_a_file_with_tables_of_the_same_name_alone(self, tmp_path: Path) -> None:
        path = make_file(tmp_path / "other.db", "CREATE TABLE studies (x); CREATE TABLE winners (x)")
        with pytest.raises(DatabaseError, match=r"other\.db: table winners already exists"):
            Database.open(path)
        with closing(sqlite3.connect(path)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert tables == {"studies", "winners"}


class TestOldLayouts:
    def test_are_all_kept(self) -> None:
        assert [path.stem for path in LAYOUTS] == list(REVISIONS)

    @pytest.mark.parametrize("layout", LAYOUTS, ids=lambda path: path.stem)
    def test_open_with_all_they_hold(
        self, layout: Path, tmp_path: Path, measurement: Make[Measurement], winner: Make[Winner], key: Make[str]
    ) -> None:
        machine = "e63168d68a16"  # as it was when the file was written
        path = make_file(tmp_path / "old.db", layout.read_text())
        with Database.open(path) as database:
            assert list(database.measurements(key())) == [measurement(number, machine=machine) for number in (0, 1)]
            assert database.winner(key(), machine) == winner(1, machine=machine)
            assert database.winner_history(key(), machine) == tuple(
                winner(number, machine=machine) for number in (0, 1)
            )
            assert database.merge(database).added == 0  # rows are what they were, and so are their digests


class TestOtherLayouts:
    @pytest.fixture
    def newer(self, database_path: Path) -> Path:
        return make_file(database_path, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")

    def test_of_a_newer_version_are_refused(self, newer: Path) -> None:
        for read_only in (False, True):
            with pytest.raises(DatabaseError, match=r"newer autotune \(layout 9999\): upgrade autotune"):
                Database.open(newer, read_only=read_only)
        wanted = {"kernel": "k", "definition": "d", "direction": "forward", "dtype": "float32", "fingerprint": "f"}
        with pytest.raises(DatabaseError, match="upgrade autotune"):
            find_winners(newer, threads=1, **wanted)

    def test_of_an_older_version_need_a_writer(self, database_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("autotune.database.revision.REVISIONS", (HEAD, "next"))
        monkeypatch.setattr("autotune.database.revision.HEAD", "next")
        with pytest.raises(DatabaseError, match=r"older layout.*open it for writing once"):
            Database.open(database_path, read_only=True)


class TestLookupStatement:
    def test_names_only_columns_that_there_are(self) -> None:
        named = re.findall(r"\b(workloads|machines|winners|newer)\.(\w+)", LIVE_WINNERS)
        assert len(named) > 20
        for table, column in named:
            assert column in Base.metadata.tables["winners" if table == "newer" else table].columns


class TestOptuna:
    @pytest.mark.parametrize("ours_first", [True, False])
    def test_lives_in_the_same_file(
        self, tmp_path: Path, ours_first: bool, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        url = f"sqlite:///{tmp_path / 'tuning.db'}"
        if ours_first:
            Database.open(url).close()
        storage = optuna.storages.RDBStorage(url)
        study = optuna.create_study(storage=storage, study_name="matmul")
        with Database.open(url) as database:
            for number in range(5):
                trial = study.ask({"rows": optuna.distributions.IntDistribution(1, 8)})
                assert database.add_measurement(measurement(number), machine, run="matmul")
                study.tell(trial, number)
            assert len(list(database.measurements(key()))) == 5
        (summary,) = optuna.get_all_study_summaries(url)  # what optuna-dashboard lists
        assert (summary.study_name, summary.n_trials) == ("matmul", 5)
        assert len(optuna.load_study(study_name="matmul", storage=url).trials) == 5
        storage.engine.dispose()
        with Database.open(url, read_only=True) as database, database.engine.connect() as connection:
            versions = [connection.execute(text(f"SELECT version_num FROM {table}")).scalar() for table in
                        ("alembic_version", VERSION_TABLE)]  # fmt: skip
            assert versions[1] == HEAD != versions[0]
