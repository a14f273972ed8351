"""`autotune report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autotune.cli.options import AsJson, DatabasePlace, database_place

if TYPE_CHECKING:
    from autotune.report.lines import Bench


def report(
    kernel: Annotated[
        str | None,
        typer.Argument(metavar="KERNEL", help="Only workloads of the kernel of that name.", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")] = Path(
        "report.html"
    ),
    bench: Annotated[
        list[Path] | None,
        typer.Option("--bench", metavar="FILE", help="Results of a bench, for peers; results/*.json if not given."),
    ] = None,
    db: DatabasePlace = None,
    as_json: AsJson = False,
) -> None:
    """Report on all that was tuned, in one HTML file.

    The file opens without a network. It shows gains, gradients against forward, machines and failures, and for each
    workload how the best time fell, what the search expected, which knobs matter and where the fast configs lie.

    \b
    Examples:
      autotune report
      autotune report matmul -o matmul.html
      autotune report --bench results/kernels.json --db tuning.db
    """
    from autotune import report as reports
    from autotune.cli.files import writing
    from autotune.database import Database

    benches = _benches(bench)
    with Database.open(database_place(db), read_only=True) as database:
        text = reports.report(database, kernel=kernel, benches=benches)
    with writing(output) as stream:
        stream.write(text)
    if as_json:
        from autotune.cli import terminal

        terminal.print_json({"file": str(output)})
        return
    typer.echo(str(output))


def _benches(given: list[Path] | None) -> "list[Bench]":
    """Those given, which must be benches, or those of the results' folder, where there may be other files."""
    from contextlib import suppress

    from autotune.errors import FormatError
    from autotune.report.lines import Bench

    if given is not None:
        return [Bench.read(path) for path in given]
    found = []
    for path in sorted(Path("results").glob("*.json")):
        with suppress(FormatError):
            found.append(Bench.read(path))
    return found
