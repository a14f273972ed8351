"""Example values, an empty SQLite database to copy, and a PostgreSQL server where one is installed."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

import autotune
from autotune.database.store import Database
from autotune.database.winner import Winner
from autotune.machine import Cache, Machine
from autotune.measure.measurement import Measurement, Status

KeyMaker = Callable[..., str]


@pytest.fixture(scope="session")
def machine() -> Machine:
    caches = (Cache(level=1, size=32 * 1024, shared_by=1), Cache(level=2, size=512 * 1024, shared_by=1))
    return Machine(
        cpu="Example 9", architecture="x86_64", isa="avx2", llvm_cpu="znver3", cores=2, caches=caches, vector_bytes=32,
        vector_registers=16,
    )  # fmt: skip


@pytest.fixture(scope="session")
def other_machine() -> Machine:
    caches = (Cache(level=1, size=64 * 1024, shared_by=1),)
    return Machine(
        cpu="Example 10", architecture="aarch64", isa="neon", llvm_cpu="generic", cores=8, caches=caches,
        vector_bytes=16, vector_registers=32,
    )  # fmt: skip


@pytest.fixture(scope="session")
def key() -> KeyMaker:
    """Makes the key of a workload; arguments replace its parts."""

    def make(**parts: Any) -> str:
        example = {
            "kernel": "matmul",
            "definition": "d" * 64,
            "direction": "forward",
            "extents": {"m": 16, "n": 24, "k": 32},
            "dtype": "float32",
            "threads": 1,
        }
        return json.dumps(example | parts, sort_keys=True, separators=(",", ":"))

    return make


@pytest.fixture(scope="session")
def measurement(machine: Machine, key: KeyMaker) -> Callable[..., Measurement]:
    """Makes a measurement; arguments replace its fields, `number` makes it different from others."""

    def make(number: int = 0, **fields: Any) -> Measurement:
        example: dict[str, Any] = {
            "workload": key(),
            "config": {"rows": 6, "unroll": number, "pack": True, "share": 0.5, "order": "mnk"},
            "status": Status.OK,
            "samples": (0.25, 0.125, 0.5 + number),
            "source": "a" * 64,
            "machine": machine.fingerprint,
            "versions": {"autotune": "0.1.0", "numba": "0.68.1"},
            "started": f"2026-01-31T12:00:00.{number:06d}+00:00",
            "build_seconds": 1.5,
            "load": 0.99,
        }
        return Measurement(**(example | fields))

    return make


@pytest.fixture(scope="session")
def winner(machine: Machine, key: KeyMaker) -> Callable[..., Winner]:
    """Makes a winner; arguments replace its fields, a higher `number` is proven later."""

    def make(number: int = 0, **fields: Any) -> Winner:
        example: dict[str, Any] = {
            "workload": key(),
            "machine": machine.fingerprint,
            "config": {"rows": 6, "unroll": number, "pack": True},
            "source": "b" * 64,
            "samples": (0.1, 0.2, 0.3),
            "default_samples": (0.4, 0.5),
            "ratio_low": 1.75,
            "ratio_high": 2.5,
            "versions": {"autotune": "0.1.0"},
            "proven": f"2026-01-31T12:00:{number:02d}+00:00",
        }
        return Winner(**(example | fields))

    return make


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database without rows, to be copied: quicker than making one."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    Database.open(path).close()
    return path


@pytest.fixture
def database_path(empty_database: Path, tmp_path: Path) -> Path:
    """A SQLite database of the test's own."""
    return Path(shutil.copy(empty_database, tmp_path / "tuning.db"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest) -> str:
    """URL of a database of the test's own, of each kind that is supported."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('database_path')}"
    return _new_database(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An open database of the test's own, of each kind that is supported."""
    with Database.open(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment of a process that imports the package under test."""
    (folder,) = autotune.__path__
    path = os.pathsep.join([str(Path(folder).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path}


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL server that runs for the session, reached over a socket in its own folder."""
    pytest.importorskip("psycopg", reason="the PostgreSQL driver psycopg is not installed")
    if not (shutil.which("initdb") and shutil.which("postgres")):
        pytest.skip("PostgreSQL's initdb and postgres are not on the PATH")
    # The server refuses to run as root; pytest's own folders are closed to other users.
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="autotune-postgresql-") as folder:
        if user is not None:
            shutil.chown(folder, user)
        with _postgresql(Path(folder), user) as server:
            yield server


@pytest.fixture(scope="session")
def new_database() -> Callable[[str], str]:
    """Makes an empty database on the server of a URL and gives its URL."""
    return _new_database


@contextmanager
def _postgresql(folder: Path, user: str | None) -> Iterator[str]:
    data = folder / "data"
    subprocess.run(
        ["initdb", "--pgdata", data, "--auth=trust", "--username=tester", "--encoding=UTF8", "--no-sync"],
        user=user, cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    command: list[str | Path] = ["postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        server = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    try:
        url = f"postgresql+psycopg://tester@/postgres?host={folder}"
        _wait_for(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        server.wait(timeout=30)
        Path(log.name).unlink()


def _wait_for(url: str) -> None:
    engine = create_engine(url)
    for _ in range(100):
        try:
            with engine.connect():
                break
        except OperationalError:
            time.sleep(0.1)
    engine.dispose()


def _new_database(server: str) -> str:
    name = f"tuning_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")
