"""`autotune bench plot`."""

from pathlib import Path
from typing import Annotated

import typer

from autotune.cli.options import AsJson


def bench_plot(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Results of `bench kernels`.", exists=True)],
    as_json: AsJson = False,
) -> None:
    """Draw the results of `bench kernels`.

    How many times faster than the best peer each kernel is, as HTML and PNG beside the results.

    \b
    Example:
      autotune bench plot results/kernels.json
    """
    from autotune.cli.bench.kernels.plot import plot

    paths = [str(path) for path in plot(file)]
    if as_json:
        from autotune.cli import terminal

        terminal.print_json({"files": paths})
        return
    for path in paths:
        typer.echo(path)
