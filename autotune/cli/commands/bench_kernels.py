"""`autotune bench kernels`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place

if TYPE_CHECKING:
    from autotune.cli.bench.kernels.cases import KernelCase


def bench_kernels(
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Keep the results there; rows that are there stay.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="NAMES", help="Kernels such as softmax,conv2d; all if not given.")
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option("--threads", metavar="N,...", help="The first for all sizes, others for large ones; 1,2."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", min=0, metavar="N", help="Trials to tune each case with; 32; 0 for the default alone."
        ),
    ] = None,
    peers: Annotated[
        str | None,
        typer.Option("--peers", metavar="NAMES", help="Who to compare with, if installed; all if not given."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Sizes in cache, 1 thread and 8 trials, where not given.")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the ratios beside the results, as `bench plot` does.")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Measure again these cases of the file.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the search.")] = 0,
    db: DatabasePlace = None,
) -> None:
    """Compare the library's kernels with other libraries.

    Each case, a kernel in one direction, is tuned first, which goes on from the trials that the database holds. Then
    all contestants are called in turn, in random order; times are medians. Peers: numba (a plain loop), numpy, torch,
    torch.compile, jax, pot, scikit-image, scikit-survival. Ctrl-C loses nothing: the same command goes on.

    \b
    Examples:
      autotune bench kernels --quick
      autotune bench kernels --json results/kernels.json --plot
      autotune bench kernels --only softmax,conv2d --threads 1 --trials 0 --peers torch,jax
    """
    from autotune.cli import words
    from autotune.cli.bench.kernels.bench import Plan, bench
    from autotune.cli.bench.peers import PEERS
    from autotune.cli.tuning import Effort
    from autotune.errors import UsageError

    if plot and json_file is None:
        message = "--plot draws what --json keeps: give both"
        raise UsageError(message)
    counts = words.counts(threads or ("1" if quick else "1,2"), "--threads")
    default_trials = 8 if quick else 32
    plan = Plan(
        cases=_cases(only, counts, quick=quick),
        effort=Effort(trials=default_trials if trials is None else trials, seed=seed),
        peers=words.chosen(peers, "--peers", tuple(PEERS)) if peers is not None else tuple(PEERS),
    )
    bench(plan, database_place(db), json_file, refresh=refresh)
    if plot and json_file is not None:
        from autotune.cli.commands.bench_plot import bench_plot

        bench_plot(json_file)


def _cases(only: str | None, threads: tuple[int, ...], *, quick: bool) -> "tuple[KernelCase, ...]":
    from autotune.cli import words
    from autotune.cli.bench.kernels.cases import suite
    from autotune.cli.bench.kernels.sizes import ROWS

    names = words.chosen(only, "--only", tuple(ROWS)) if only is not None else tuple(ROWS)
    return suite(names, threads, quick=quick)
