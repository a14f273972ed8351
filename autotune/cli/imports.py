"""What an import or a merge did, for people."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from autotune.database import ImportReport


def conclude(report: "ImportReport", *, as_json: bool) -> None:
    """Print the counts, and what was wrong with the first rejected lines; exit with 1 if there were any."""
    if as_json:
        _print_json(report)
    else:
        _print(report)
    if report.rejected:
        raise typer.Exit(1)


def _print_json(report: "ImportReport") -> None:
    from autotune.cli import terminal

    counts = {"added": report.added, "already_there": report.already_there, "rejected": report.rejected}
    rows = [{"line": rejection.line, "reason": rejection.reason} for rejection in report.rejections]
    terminal.print_json({**counts, "rejections": rows})


def _print(report: "ImportReport") -> None:
    typer.echo(f"{report.added} added, {report.already_there} already there, {report.rejected} rejected")
    for rejection in report.rejections:
        sys.stderr.write(f"line {rejection.line}: {rejection.reason}\n")
    if unnamed := report.rejected - len(report.rejections):
        sys.stderr.write(f"and {unnamed} more\n")
