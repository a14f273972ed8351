"""What an import or a merge did, for people."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from autotune.database import ImportReport


def conclude(report: "ImportReport") -> None:
    """Print the counts, and what was wrong with the first rejected lines; exit with 1 if there were any."""
    typer.echo(f"{report.added} added, {report.already_there} already there, {report.rejected} rejected")
    for rejection in report.rejections:
        sys.stderr.write(f"line {rejection.line}: {rejection.reason}\n")
    if unnamed := report.rejected - len(report.rejections):
        sys.stderr.write(f"and {unnamed} more\n")
    if report.rejected:
        raise typer.Exit(1)
