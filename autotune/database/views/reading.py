"""Rows of a statement, each as a dict."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import Select, column, inspect, table

from autotune.database.engine import reporting
from autotune.database.store import Database
from autotune.errors import FormatError

logger = logging.getLogger(__name__)

# Of Optuna, where a search keeps its trials.
STUDIES = table("studies", column("study_id"), column("study_name"))
TRIALS = table("trials", column("trial_id"), column("study_id"), column("number"), column("state"))

Row = dict[str, Any]
T = TypeVar("T")


def rows(database: Database, statement: Select[*tuple[Any, ...]]) -> list[Row]:
    """All rows of a statement; raises `DatabaseError` where the database fails."""
    with reporting(database.place), database.engine.connect() as connection:
        return [row._asdict() for row in connection.execute(statement)]


def has_table(database: Database, name: str) -> bool:
    """Whether there is such a table; Optuna's are not where every measurement was imported."""
    with reporting(database.place), database.engine.connect() as connection:
        return inspect(connection).has_table(name)


def readable(found: Iterable[Row], read: Callable[[Row], T]) -> Iterator[T]:
    """What `read` makes of the rows; one that it cannot read is left out with a warning."""
    for row in found:
        try:
            yield read(row)
        except FormatError as error:
            logger.warning("row %s is damaged and left out: %s", row.get("id"), error)
