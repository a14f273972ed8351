"""`autotune record`."""

import sys
from typing import Annotated

import typer

SHOWN = 20


def record(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="The program and its arguments, or a Python file.")
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="The list to write.")
    ] = "workloads.jsonl",
) -> None:
    """Run a program, and list the workloads that it calls.

    The list says how often each is called and how long that takes; `run --workloads` tunes what is in it. Calls of all
    processes that the program starts are in it; it is written also where the program fails or is interrupted. The exit
    code is the program's.

    \b
    Examples:
      autotune record python train.py --epochs 1
      autotune record -o prices.jsonl -- python -m pricing.calibrate
      autotune run --workloads workloads.jsonl --time 10m
    """
    from autotune.cli import terminal, workload_list
    from autotune.cli.recorded_program import run

    code, called = run(command)
    workload_list.write(called, output)
    out = terminal.console(stderr=True)
    if called:
        table = terminal.table("kernel", "size", "dtype", "calls", "seconds", numbers=("calls", "seconds"))
        for each in called[:SHOWN]:
            sizes = ",".join(f"{name}={extent}" for name, extent in each.size.items())
            table.add_row(
                f"{each.kernel} {each.direction}", sizes, each.dtype, f"{each.calls:.0f}", f"{each.seconds:.3g}"
            )
        out.print(table)
        more = f", and {len(called) - SHOWN} more" if len(called) > SHOWN else ""
        out.print(f"{min(len(called), SHOWN)} workloads{more}, in {output}", soft_wrap=True)
    else:
        out.print(f"no kernel of autotune was called; {output} is empty", soft_wrap=True)
    for each in called:
        if not each.importable:
            sys.stderr.write(f"autotune: {each.kernel} is at the top level of no module, so commands cannot find it\n")
    if code:
        raise typer.Exit(code)
