"""`autotune bench space`."""

from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place


def bench_space(
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the tables are written.", file_okay=False)
    ] = Path("results/spaces"),
    only: Annotated[str | None, typer.Option("--only", metavar="NAMES", help="These spaces; all if not given.")] = None,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, metavar="N", help="Passes in which each config is measured.")
    ] = 3,
    refresh: Annotated[bool, typer.Option("--refresh", help="Replace tables of another machine or version.")] = False,
    db: DatabasePlace = None,
) -> None:
    """Measure every config of small spaces.

    That makes the tables for `bench search` and `bench model`. A matrix product and two gradients with some knobs of
    their template: some 800 configs each. Every measurement is kept in the database: after Ctrl-C the same command goes
    on.

    \b
    Examples:
      autotune bench space --out spaces --only matmul_forward --rounds 1
      autotune bench space --out results/spaces
    """
    from autotune.cli import words
    from autotune.cli.bench.space.bench import Plan, bench
    from autotune.cli.bench.space.spaces import SPACES

    names = tuple(space.name for space in SPACES)
    chosen = words.chosen(only, "--only", names) if only is not None else names
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(spaces=tuple(space for space in SPACES if space.name in chosen), rounds=rounds, folder=folder)
    bench(plan, database_place(db), refresh=refresh)
