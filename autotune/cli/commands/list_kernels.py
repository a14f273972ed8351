"""`autotune list`."""

from typing import Annotated

import typer

from autotune.cli.options import AsJson


def list_kernels(
    place: Annotated[
        str | None, typer.Argument(metavar="[MODULE|FILE]", help="Whose kernels; the built-in ones if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List kernels: inputs and outputs, directions, extents, and options with their defaults.

    \b
    Examples:
      autotune list
      autotune list --json
      autotune list my_kernels.py
    """
    from autotune.cli import terminal
    from autotune.cli.kernels import built_in, within

    kernels = built_in() if place is None else within(place)
    if as_json:
        rows = [
            {"kernel": name, "directions": list(kernel.directions), "axes": list(kernel.definition.extent_names)}
            for name, kernel in kernels.items()
        ]
        terminal.print_json({"rows": rows})
        return
    table = terminal.table("kernel", "directions", "axes", "options")
    for kernel in kernels.values():
        definition = kernel.definition
        options = ", ".join(f"{name}={value}" for name, value in kernel.options.items())
        table.add_row(definition.signature(), ", ".join(kernel.directions), ", ".join(definition.extent_names), options)
    terminal.console().print(table)
