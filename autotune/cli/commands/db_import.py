"""`autotune db import`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.options import AsJson, DatabasePlace, database_place


def db_import(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="An export to read, - for standard input.")],
    db: DatabasePlace = None,
    as_json: AsJson = False,
) -> None:
    """Add the measurements and winners of an export.

    What is there already is left as it is; a line that cannot be read is left out and reported, and makes the command
    exit with 1.

    \b
    Examples:
      autotune db import results.jsonl
      ssh other autotune db export - | autotune db import -
    """
    from autotune.cli.imports import conclude
    from autotune.database import Database

    if file == "-":
        with Database.open(database_place(db)) as database:
            report = database.import_jsonl(sys.stdin.buffer)
    else:
        with Path(file).open("rb") as lines, Database.open(database_place(db)) as database:
            report = database.import_jsonl(lines)
    conclude(report, as_json=as_json)
