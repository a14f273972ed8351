"""Where commands print: tables as wide as the terminal, or wide enough for anything in a file or a pipe."""

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_OF_FILES = 320


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error that prints text as it is."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr, highlight=False, markup=False, emoji=False, width=None if terminal else _WIDTH_OF_FILES
    )


def print_json(value: Mapping[str, Any]) -> None:
    """Print an object for programs to read; numbers that JSON does not have are a bug and raise ValueError."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def command_line() -> str:
    """The command that this process was started with, as a shell takes it."""
    return shlex.join(["autotune", *sys.argv[1:]])


def table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """A table with these headings; the columns called `numbers` are aligned to the right."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    right = set(numbers)
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", no_wrap=name in right, overflow="fold")
    return made


def fields(**values: str | Text) -> Table:
    """Names and values, one pair a line, the values aligned."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in values.items():
        grid.add_row(f"  {name}", value)
    return grid
