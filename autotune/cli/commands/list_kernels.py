"""`autotune list`."""

from autotune.cli.options import AsJson


def list_kernels(as_json: AsJson = False) -> None:
    """List the built-in kernels: inputs and outputs, directions, extents, and options with their defaults.

    \b
    Examples:
      autotune list
      autotune list --json
    """
    from autotune.cli import terminal
    from autotune.cli.kernels import built_in

    kernels = built_in()
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
