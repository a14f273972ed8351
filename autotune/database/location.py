"""Where a database is: a SQLite file, or the URL of a server."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from autotune.errors import DatabaseError


@dataclass(frozen=True)
class Location:
    """`path` of a SQLite file, or None and the `url` of a server."""

    url: str
    path: Path | None

    @classmethod
    def parse(cls, url_or_path: str | os.PathLike[str]) -> Self:
        """Tells a path from a URL; raises `DatabaseError` for a SQLite URL that names no file or sets options."""
        text = os.fspath(url_or_path)
        if "://" not in text:
            return cls(text, _file(text, text))
        scheme, _, rest = text.partition("://")
        if scheme not in ("sqlite", "sqlite+pysqlite"):
            return cls(text, None)
        if "?" in rest:
            message = f"{text}: a SQLite database takes no options, the connection's settings are fixed"
            raise DatabaseError(message)
        return cls(text, _file(text, unquote(rest.removeprefix("/"))))


def connect(path: Path, *, read_only: bool = False, lock_timeout: float = 30.0) -> sqlite3.Connection:
    """A connection to a SQLite file, in autocommit mode; `lock_timeout` in seconds.

    Texts are decoded without ever failing, so that one damaged text spoils its own row only. In WAL mode with
    `synchronous=NORMAL` a committed row survives a killed process; a power failure can take the last commits before
    the next checkpoint, but never leaves the file inconsistent.
    """
    uri = path.absolute().as_uri() + _mode(path, read_only=read_only)
    connection = sqlite3.connect(uri, uri=True, timeout=lock_timeout, isolation_level=None, check_same_thread=False)
    connection.text_factory = _decode
    if not read_only:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _file(given: str, path: str) -> Path:
    if path in ("", ":memory:") or "\0" in path:
        message = f"{given!r} names no file: a tuning database is a file, or a server's URL"
        raise DatabaseError(message)
    return Path(path).expanduser()


def _mode(path: Path, *, read_only: bool) -> str:
    """Query part of the SQLite URI.

    A reader of a WAL database needs `-wal` and `-shm` files beside it. Where they are not there and the folder takes no
    new files, nobody is writing and nothing waits to be written, so `immutable` does without them.
    """
    if not read_only:
        return "?mode=rwc"
    if os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists() or Path(f"{path}-shm").exists():
        return "?mode=ro"
    return "?mode=ro&immutable=1"


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")
