"""What the database's library says went wrong, in words that say what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from autotune.errors import DatabaseError

_ADVICE = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database; it was left as it is. Name another file, or move this one away",
    sqlite3.SQLITE_CORRUPT: "is damaged; it was left as it is. Keep a copy, save what is readable with "
    "`sqlite3 FILE .recover`, or name another file",
    sqlite3.SQLITE_FULL: "could not grow: the disk is full. Rows committed before are intact; free some space and run "
    "again",
    sqlite3.SQLITE_BUSY: "is locked by another process and did not become free in time. Try again when it has finished",
    sqlite3.SQLITE_LOCKED: "is locked by another connection of this process. Try again when it has finished",
    sqlite3.SQLITE_READONLY: "cannot be written. Make the file and its folder writable, or name another file",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened. Check that it is a file and that it and its folder are accessible",
    sqlite3.SQLITE_PERM: "cannot be accessed. Check its permissions",
    sqlite3.SQLITE_IOERR: "could not be read or written. Check the disk",
}


def explain(error: BaseException, place: str) -> DatabaseError:
    """The error of SQLite, of the operating system or of a server's driver as one that names the place and a remedy."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    # The driver fails like this on a message of SQLite's that quotes damaged text.
    code = sqlite3.SQLITE_CORRUPT if isinstance(error, UnicodeDecodeError) else getattr(error, "sqlite_errorcode", None)
    advice = None if code is None else _ADVICE.get(code & 0xFF)  # the low byte is the kind, the rest details
    return DatabaseError(f"database {place} {advice} ({said})" if advice else f"database {place}: {said}")


@contextmanager
def reporting(place: str) -> Iterator[None]:
    """Turns errors of SQLite and of the operating system into `DatabaseError`."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise explain(error, place) from error
