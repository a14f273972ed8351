"""`autotune bench model`."""

from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place


def bench_model(
    spaces: Annotated[
        Path | None,
        typer.Option("--spaces", metavar="DIR", help="Tables of `bench space` to ask about too.", exists=True),
    ] = None,
    training: Annotated[
        str, typer.Option("--training", metavar="N,...", help="Own measurements that a model has learnt from.")
    ] = "8,16,32,64,128",
    repeats: Annotated[int, typer.Option("--repeats", min=1, metavar="N", help="Draws of these.")] = 3,
    draw: Annotated[
        int,
        typer.Option("--draw", min=0, metavar="N", help="Measure N drawn configs of each of some workloads first."),
    ] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Keep the rows there.")] = None,
    db: DatabasePlace = None,
) -> None:
    """See how well the cost model orders unseen configs.

    Each workload of the database in turn is held out: what have other shapes, kernels and machines taught of it, and
    what do a few of its own measurements add? Nothing is measured, unless configs are to be drawn; then those that the
    database lacks.

    \b
    Examples:
      autotune bench model
      autotune bench model --db tuning.db --spaces results/spaces --json model.json
      autotune bench model --db drawn.db --draw 24
    """
    from autotune.cli import terminal, words
    from autotune.cli.bench.model import drawn
    from autotune.cli.bench.model.bench import Plan, bench
    from autotune.cli.bench.model.data import from_database, from_tables
    from autotune.database import Database
    from autotune.errors import UsageError

    with Database.open(database_place(db), read_only=not draw) as database:
        if draw:
            drawn.measure(database, draw, terminal.console())
        found = from_database(database)
    if spaces is not None:
        found += from_tables(spaces)
    if len(found) < 2:
        message = f"the model learns from one workload what it is asked of another; the database holds {len(found)}"
        raise UsageError(message)
    bench(found, Plan(training=tuple(sorted(words.counts(training, "--training"))), repeats=repeats), json_file)
