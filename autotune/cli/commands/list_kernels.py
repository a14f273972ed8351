"""`autotune list`."""

from typing import TYPE_CHECKING, Annotated

import typer

from autotune.cli.options import AsJson

if TYPE_CHECKING:
    from autotune.runtime import TunedKernel


def list_kernels(
    place: Annotated[
        str | None, typer.Argument(metavar="MODULE|FILE", help="Whose kernels; the built-in ones if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List kernels with their inputs and outputs.

    Each with the extents of its arrays, the inputs that it has a gradient by (directions vjp:x), and its options with
    their defaults.

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
    out = terminal.console()
    for kernel in kernels.values():
        out.print(kernel.definition.signature())
        out.print(f"    {_notes(kernel)}", style="dim")


def _notes(kernel: "TunedKernel") -> str:
    from autotune.autodiff import gradient_inputs
    from autotune.lang import FORWARD

    inputs = () if kernel.directions == (FORWARD,) else gradient_inputs(kernel.definition)
    gradients = f"gradients by {', '.join(inputs)}" if inputs else "no gradients"
    options = ", ".join(f"{name}={value}" for name, value in kernel.options.items())
    return f"{gradients}; options {options}" if options else gradients
