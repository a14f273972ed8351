"""`autotune db merge`."""

from typing import Annotated

import typer

from autotune.cli.options import AsJson, DatabasePlace, database_place


def db_merge(
    other: Annotated[str, typer.Argument(metavar="PATH|URL", help="The database to take from; it is only read.")],
    db: DatabasePlace = None,
    as_json: AsJson = False,
) -> None:
    """Add the measurements and winners of another database.

    \b
    Examples:
      autotune db merge /mnt/laptop/autotune.db
      autotune db merge postgresql://tuner@server/autotune
    """
    from autotune.cli.imports import conclude
    from autotune.database import Database

    with Database.open(other, read_only=True) as source, Database.open(database_place(db)) as database:
        report = database.merge(source)
    conclude(report, as_json=as_json)
