"""The winners of one kernel on one machine, read without SQLAlchemy: the path of a kernel's first call in a process."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotune.database import canonical
from autotune.database import fields as checks
from autotune.database.failures import reporting
from autotune.database.location import Location, connect
from autotune.database.revision import VERSION_TABLE, check_current
from autotune.errors import FormatError
from autotune.machine.fields import typed

if TYPE_CHECKING:
    from autotune.schedule.space import Config

logger = logging.getLogger(__name__)

# SQLite and PostgreSQL both take this text, so one statement serves both; the test suite holds it against the models.
LIVE_WINNERS = """
SELECT winners.id, workloads.extents, winners.config, winners.config_digest, winners.source, winners.seconds
FROM workloads
JOIN winners ON winners.workload_id = workloads.id
JOIN machines ON machines.id = winners.machine_id
WHERE workloads.kernel = :kernel
  AND workloads.definition = :definition
  AND workloads.direction = :direction
  AND workloads.dtype = :dtype
  AND workloads.threads = :threads
  AND machines.fingerprint = :fingerprint
  AND NOT EXISTS (
    SELECT 1 FROM winners AS newer
    WHERE newer.workload_id = winners.workload_id
      AND newer.machine_id = winners.machine_id
      AND (newer.proven, newer.digest) > (winners.proven, winners.digest)
  )
ORDER BY workloads.key
"""


@dataclass(frozen=True)
class Record:
    """A winner as the run-time path needs it; `source` is the digest of its source, `seconds` its median time.

    `shipped` says on which CPU it was found and in which file it ships; it is empty for a machine's own.
    """

    extents: dict[str, int]
    config: "Config"
    source: str
    seconds: float
    shipped: str = ""


def find_winners(
    database: str | os.PathLike[str],
    *,
    kernel: str,
    definition: str,
    direction: str,
    dtype: str,
    threads: int,
    fingerprint: str,
) -> tuple[Record, ...]:
    """The winners that count for these on the machine of `fingerprint`, one for each tuned shape.

    A database that is not there or holds no tuning tables yet gives none; a damaged row is skipped with a warning.
    Raises `DatabaseError` for a database that cannot be read or has another layout.
    """
    wanted: dict[str, str | int] = {
        "kernel": kernel,
        "definition": definition,
        "direction": direction,
        "dtype": dtype,
        "threads": threads,
        "fingerprint": fingerprint,
    }
    location = Location.parse(database)
    if location.path is None:
        rows = _rows_of_server(location.url, wanted)
    else:
        with reporting(str(location.path)):
            rows = _rows_of_file(location.path, wanted)
    return tuple(_readable(rows))


def _rows_of_file(path: Path, wanted: Mapping[str, str | int]) -> Sequence[Sequence[Any]]:
    if not path.exists():
        return ()
    with closing(connect(path, read_only=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone():
            return ()
        for (revision,) in connection.execute(f"SELECT version_num FROM {VERSION_TABLE}"):
            check_current(revision, str(path))
        return connection.execute(LIVE_WINNERS, wanted).fetchall()


def _rows_of_server(url: str, wanted: Mapping[str, str | int]) -> Sequence[Sequence[Any]]:
    from autotune.database.store import Database

    with Database.open(url, read_only=True) as database:
        return database.select(LIVE_WINNERS, wanted)


def _readable(rows: Iterable[Sequence[Any]]) -> Iterator[Record]:
    for identity, extents, config, config_digest, source, seconds in rows:
        try:
            yield Record(
                extents=checks.extents(canonical.loads(extents)),
                config=checks.stored_config(config, config_digest),
                source=checks.text(source, where="source of a winner"),
                seconds=typed(seconds, float, where="seconds of a winner"),
            )
        except FormatError as error:
            logger.warning("row %s of table winners is damaged and left out: %s", identity, error)
