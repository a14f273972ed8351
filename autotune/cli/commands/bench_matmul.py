"""`autotune bench matmul`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place

if TYPE_CHECKING:
    from autotune.cli.bench.cases import Case


def bench_matmul(
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Keep the results there; rows that are there stay.")
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option("--sizes", metavar="SIZES", help="m, k and n as 1024,17x33x65; the whole suite if not given."),
    ] = None,
    threads: Annotated[
        str | None, typer.Option("--threads", metavar="N,...", help="Numbers of threads; 1,2 if not given.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, metavar="N", help="Trials to tune each case with; 64 if not given.")
    ] = None,
    peers: Annotated[
        str, typer.Option("--peers", metavar="NAMES", help="Libraries to compare with, if installed.")
    ] = "numpy,torch",
    repeats: Annotated[
        int | None, typer.Option("--repeats", min=1, metavar="N", help="Processes for each case; 3 if not given.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Three sizes, 1 thread, 16 trials and 1 process, where not given.")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Measure again these cases of the file.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the search.")] = 0,
    db: DatabasePlace = None,
) -> None:
    """Compare matrix products with NumPy's and PyTorch's.

    Each case is tuned first, which goes on from the trials that the database holds. Then all contestants, the untuned
    product among them, are called in turn, in random order, in several processes; times are medians. Ctrl-C loses
    nothing: the same command goes on.

    \b
    Examples:
      autotune bench matmul --quick
      autotune bench matmul --json results/matmul.json
      autotune bench matmul --sizes 1024,17x33x65 --threads 1 --peers numpy
    """
    from autotune.cli import words
    from autotune.cli.bench.matmul import Plan, bench
    from autotune.cli.tuning import Effort

    counts = words.counts(threads or ("1" if quick else "1,2"), "--threads")
    plan = Plan(
        effort=Effort(trials=trials or (16 if quick else 64), seed=seed),
        cases=_cases(sizes, counts, quick=quick),
        processes=repeats or (1 if quick else 3),
        peers=words.chosen(peers, "--peers", ("numpy", "torch")),
    )
    bench(plan, database_place(db), json_file, refresh=refresh)


def _cases(sizes: str | None, threads: tuple[int, ...], *, quick: bool) -> "tuple[Case, ...]":
    from autotune.cli import words
    from autotune.cli.bench import cases

    if sizes is not None:
        return cases.of_sizes(words.dimensions(sizes, "--sizes"), threads)
    return cases.quick(threads) if quick else cases.suite(threads)
