"""SQLAlchemy's engine for a location, with transactions that SQLite's driver would otherwise begin too late."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from autotune.database import failures
from autotune.database.location import Location, connect
from autotune.errors import DatabaseError

_WRITES = "autotune_writes"


def make_engine(location: Location, *, read_only: bool, lock_timeout: float) -> Engine:
    """An engine for the database at `location`; raises `DatabaseError` where there is no driver for it."""
    if location.path is None:
        return _server_engine(location.url, lock_timeout)
    path = location.path
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=lambda: connect(path, read_only=read_only, lock_timeout=lock_timeout),
    )
    event.listen(engine, "begin", _begin)
    return engine


def writer(engine: Engine) -> Engine:
    """The same engine for transactions that write: on SQLite they take the write lock at once.

    A transaction that reads first and writes later fails at once when another process has written in between, whatever
    the lock timeout; one that takes the lock at its beginning waits for it.
    """
    return engine.execution_options(**{_WRITES: True})


@contextmanager
def reporting(place: str) -> Iterator[None]:
    """Turns errors of SQLAlchemy, of the drivers and of the operating system into `DatabaseError`."""
    with failures.reporting(place):
        try:
            yield
        except DBAPIError as error:
            raise failures.explain(error.orig or error, place) from error
        except PoolTimeoutError as error:
            raise failures.explain(error, place) from error


def _server_engine(url: str, lock_timeout: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "postgresql":
            message = f"database {parsed.render_as_string()}: only SQLite files and PostgreSQL servers are supported"
            raise DatabaseError(message)
        engine = create_engine(parsed, pool_pre_ping=True, pool_timeout=lock_timeout)
    except (ArgumentError, NoSuchModuleError) as error:
        message = f"not the URL of a database: {error}"
        raise DatabaseError(message) from error
    except ModuleNotFoundError as error:
        message = f"PostgreSQL needs a driver that is not installed: pip install 'psycopg[binary]' ({error})"
        raise DatabaseError(message) from error
    event.listen(engine, "begin", partial(_begin_on_server, lock_timeout=lock_timeout))
    return engine


def _begin_on_server(connection: Connection, *, lock_timeout: float) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(lock_timeout * 1000)}")  # milliseconds


def _begin(connection: Connection) -> None:
    # The driver itself begins none (`location.connect`); it would do so before a row is changed only, too late.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
