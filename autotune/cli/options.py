"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from autotune import settings

KernelWord = Annotated[
    str, typer.Argument(metavar="KERNEL", help="A built-in name, package.module:kernel or file.py:kernel.")
]
DatabasePlace = Annotated[
    str | None,
    typer.Option("--db", metavar="PATH|URL", help="The tuning database; $AUTOTUNE_DB or your own file if not given."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output, and nothing else.")]


def database_place(given: str | None) -> str:
    """Where the database is: as given, or as the settings say."""
    return given or settings.database_url()
