"""The command line: a thin layer of words, tables and exit codes over the library."""

from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command that the process was started with, and exit with its code."""
    from autotune.cli.app import app  # brings Typer, which whoever imports `autotune.cli` for its types does not need

    raise SystemExit(app(prog_name="autotune"))
