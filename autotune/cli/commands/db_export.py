"""`autotune db export`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place


class Format(StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"


def db_export(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The file to write, - for standard output.")],
    format_: Annotated[
        Format, typer.Option("--format", help="One measurement or winner a line, as JSON.")
    ] = Format.JSONL,
    winners: Annotated[bool, typer.Option("--winners", help="Only the winners that count, one a workload.")] = False,
    db: DatabasePlace = None,
) -> None:
    """Write every measurement and winner to a file.

    The file appears whole or not at all; one that is there is replaced.

    \b
    Examples:
      autotune db export results.jsonl
      autotune db export --winners amd-zen4.jsonl
      autotune db export - | gzip > results.jsonl.gz
    """
    del format_  # there is one as yet
    from autotune.cli.files import writing
    from autotune.database import Database

    with Database.open(database_place(db), read_only=True) as database:
        if file == "-":
            database.export_jsonl(sys.stdout, winners=winners)
            return
        with writing(file) as stream:
            lines = database.export_jsonl(stream, winners=winners)
    typer.echo(f"{lines} lines written to {file}")
