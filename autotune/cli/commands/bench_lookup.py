"""`autotune bench lookup`."""

from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place


def bench_lookup(
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the results there, in the place of what is there."),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, metavar="N", help="Processes for each figure.")] = 7,
    db: DatabasePlace = None,
) -> None:
    """Measure what a call costs beside the computation.

    Of shapes that were called before and of new ones; and how long an import and the first call of a process take.

    \b
    Examples:
      autotune bench lookup
      autotune bench lookup --json results/lookup.json
    """
    from autotune.cli.bench.lookup import bench

    bench(database_place(db), json_file, processes=repeats)
