"""`autotune bench search`."""

from pathlib import Path
from typing import Annotated

import typer


def bench_search(
    spaces: Annotated[
        Path, typer.Option("--spaces", metavar="DIR", help="Exhaustive tables: NAME.csv or NAME.csv.gz.", exists=True)
    ],
    budget: Annotated[str, typer.Option("--budget", metavar="N,...", help="Evaluations.")] = "100,200",
    repeats: Annotated[int, typer.Option("--repeats", min=1, metavar="N", help="Seeds of each strategy.")] = 30,
    strategies: Annotated[
        str | None,
        typer.Option("--strategies", metavar="NAMES", help="Such as ours,random,tpe; all but variants if not given."),
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="NAMES", help="These tables of the folder.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Processes.")] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Keep the results there; runs that are there stay.")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw the curves beside the results.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Replace what the file holds of these strategies.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Replace all that the file holds.")] = False,
) -> None:
    """Compare searches by replaying exhaustive tables.

    In these, every config of a space was measured. A folder's tables have a column for each knob and then time_ms,
    empty for a config that failed. Strategies: ours, random, tpe and gp (Optuna's), kt_… (Kernel Tuner's), and variants
    of ours (docs/search.md). Ctrl-C loses nothing: the same command goes on, and other strategies or more repeats can
    be added to a file.

    \b
    Examples:
      autotune bench search --spaces spaces --strategies ours,random --repeats 5
      autotune bench search --spaces spaces --jobs 2 --json results/search.json --plot
    """
    from autotune.cli import words
    from autotune.cli.bench.search.bench import Plan, bench
    from autotune.cli.bench.search.strategies import STRATEGIES
    from autotune.cli.bench.search.tables import name_of, tables
    from autotune.errors import UsageError

    if plot and json_file is None:
        message = "--plot draws what --json keeps: give both"
        raise UsageError(message)
    paths = tables(spaces)
    if only is not None:
        names = words.chosen(only, "--only", tuple(map(name_of, paths)))
        paths = tuple(path for path in paths if name_of(path) in names)
    plan = Plan(
        paths=paths,
        strategies=words.chosen(strategies, "--strategies", tuple(STRATEGIES))
        if strategies is not None
        else tuple(name for name, strategy in STRATEGIES.items() if not strategy.variant),
        budgets=tuple(sorted(words.counts(budget, "--budget"))),
        repeats=repeats,
        jobs=jobs,
        again=again,
    )
    bench(plan, json_file, refresh=refresh)
    if plot and json_file is not None:
        from autotune.cli.bench.search.plot import plot as draw

        for path in draw(json_file):
            typer.echo(str(path))
