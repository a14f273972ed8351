"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from autotune import settings


def kernel_names(incomplete: str) -> list[str]:
    """The built-in kernels whose names begin with what is typed so far, for the shell."""
    from autotune.cli.kernels import built_in

    return [name for name in built_in() if name.startswith(incomplete)]


KernelWord = Annotated[
    str,
    typer.Argument(
        metavar="KERNEL",
        help="A built-in name, package.module:kernel or file.py:kernel.",
        autocompletion=kernel_names,
    ),
]
KernelWords = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KERNEL",
        help="Built-in names, package.module:kernel or file.py:kernel.",
        autocompletion=kernel_names,
    ),
]
OptionWords = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="Structural constants of the kernel: stride=2,padding=1."),
]
DatabasePlace = Annotated[
    str | None,
    typer.Option("--db", metavar="PATH|URL", help="The tuning database; $AUTOTUNE_DB or your own file if not given."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output, and nothing else.")]


def database_place(given: str | None) -> str:
    """Where the database is: as given, or as the settings say."""
    return given or settings.database_url()
