"""Brings a database to the newest layout, or says why it cannot be used."""

import sqlite3
import time

from sqlalchemy import Connection, Engine, column, delete, false, inspect, select, table, text

from autotune.database.engine import writer
from autotune.database.revision import HEAD, VERSION_TABLE, check_current, check_known
from autotune.errors import DatabaseError

_OPTUNA_TABLE = "studies"
_UPGRADE_LOCK = 0x6175746F74756E65  # "autotune": one upgrade of a server's database at a time


def check_layout(engine: Engine, place: str) -> None:
    """For a database that is only read: raises `DatabaseError` unless it has the newest layout."""
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision is None:
        message = f"database {place} holds no tuning tables yet: tune a kernel first"
        raise DatabaseError(message)
    check_current(revision, place)


def upgrade(engine: Engine, place: str, *, lock_timeout: float) -> None:
    """Makes or upgrades the tables where needed; raises `DatabaseError` for a database of something else.

    A database that is up to date costs one query, and Alembic is not loaded.
    """
    with engine.connect() as connection:
        revision = _revision(connection)
        if revision is None:
            _check_ours(connection, place)
    if revision == HEAD:
        return
    if revision is not None:
        check_known(revision, place)
    if engine.dialect.name == "sqlite":
        _write_ahead(engine, lock_timeout)
    with writer(engine).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        _run_alembic(connection)


def check_writable(engine: Engine) -> None:
    """Fails as a writer would, without a change: SQLite opens a file without write permission and says nothing."""
    with writer(engine).connect() as connection:
        connection.execute(delete(table(VERSION_TABLE)).where(false()))
        connection.rollback()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()


def _check_ours(connection: Connection, place: str) -> None:
    """A SQLite file of another program is left alone; a server's database and Optuna's file may be shared."""
    names = set(inspect(connection).get_table_names())
    if connection.dialect.name == "sqlite" and names and _OPTUNA_TABLE not in names:
        message = f"database {place} belongs to another program (it has a table {min(names)!r}): name another file"
        raise DatabaseError(message)


def _write_ahead(engine: Engine, lock_timeout: float) -> None:
    """Switches a SQLite file to WAL mode for good.

    SQLite does not wait for a lock here, so that of two processes which make the file at once, one would fail.
    """
    deadline = time.monotonic() + lock_timeout
    connection = engine.raw_connection()
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return
    finally:
        connection.close()


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "autotune.database:migrations")
    command.upgrade(config, "head")
