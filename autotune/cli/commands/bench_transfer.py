"""`autotune bench transfer`."""

from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place


def bench_transfer(
    trials: Annotated[int, typer.Option("--trials", min=1, metavar="N", help="Trials of each new shape.")] = 32,
    only: Annotated[
        str | None, typer.Option("--only", metavar="KERNELS", help="These kernels; all of the bench if not given.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Keep the rows there; rows that are there stay.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Tune again these cases of the file.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the search.")] = 0,
    db: DatabasePlace = None,
) -> None:
    """Measure how soon new shapes of known kernels are tuned.

    The known shapes are tuned into the database first, unless it holds them; a new one is tuned with what all of them
    have taught, and is then forgotten. Ctrl-C loses no more than the shape it is at: the same command goes on.

    \b
    Examples:
      autotune bench transfer --db transfer.db --only softmax --trials 16
      autotune bench transfer --db transfer.db --json results/transfer.json
    """
    from autotune.cli import words
    from autotune.cli.bench.transfer.bench import Plan, bench
    from autotune.cli.bench.transfer.shapes import FAMILIES

    kernels = tuple(dict.fromkeys(family.kernel for family in FAMILIES))
    chosen = words.chosen(only, "--only", kernels) if only is not None else kernels
    families = tuple(family for family in FAMILIES if family.kernel in chosen)
    bench(Plan(families=families, trials=trials, seed=seed), database_place(db), json_file, refresh=refresh)
