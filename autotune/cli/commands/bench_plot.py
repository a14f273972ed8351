"""`autotune bench plot`."""

from pathlib import Path
from typing import Annotated

import typer


def bench_plot(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Results of `bench kernels`.", exists=True)],
) -> None:
    """Draw how many times faster than the best peer each kernel is, as HTML and PNG beside the results.

    \b
    Example:
      autotune bench plot results/kernels.json
    """
    from autotune.cli.bench.kernels.plot import plot

    for path in plot(file):
        typer.echo(str(path))
