"""`autotune export`."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from autotune.cli.options import AsJson, DatabasePlace, OptionWords, database_place, kernel_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autotune.lang import Kernel
    from autotune.machine import Machine
    from autotune.runtime.export import Chosen

    Functions = dict[Kernel, tuple[Chosen, ...]]


def export(
    kernel: Annotated[
        list[str],
        typer.Argument(
            metavar="KERNEL",
            help="Built-in names, package.module:kernel or file.py:kernel.",
            autocompletion=kernel_names,
        ),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE|-", help="The module to write, - for standard output.")
    ],
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="SIZES", help="For which size (m=1024,k=512); all that are tuned if not given."),
    ] = None,
    option: OptionWords = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="DTYPES", help="float32,float64; those tuned if not given.")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option("--direction", metavar="NAMES", help="Such as forward,vjp:a; all that are tuned if not given."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, metavar="N", help="Threads of a call; all cores if not given.")
    ] = None,
    db: DatabasePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write tuned kernels as a Python module of their own.

    The module needs only NumPy and Numba. It has a function for each kernel and direction (matmul, matmul_vjp_a), which
    runs the schedule tuned for the nearest sizes. A size that was not tuned gets the nearest schedule that was, else
    the default, and the module says so. The same schedules give the same text.

    \b
    Examples:
      autotune export matmul softmax -o tuned.py
      autotune export conv2d --option stride=2 --size x=8x64x56x56,w=64x64x3x3 -o conv.py
      autotune export my_kernels.py:attention --threads 1 -o - | less
    """
    from autotune import settings
    from autotune.cli import files
    from autotune.machine import detect
    from autotune.runtime.export import module_text

    machine = detect()
    asked = Asked(size, option or (), dtype, direction, threads or settings.thread_count())
    functions = _functions(kernel, asked, database_place(db), machine)
    text = module_text(functions, machine)
    if output == "-":
        sys.stdout.write(text)
        return
    with files.writing(output) as stream:
        stream.write(text)
    if as_json:
        _print_json(functions, output)
    else:
        _print_table(functions, output)


@dataclass(frozen=True)
class Asked:
    """What the options say, as it was written."""

    size: str | None
    option: "Sequence[str]"
    dtype: str | None
    direction: str | None
    threads: int


def _functions(names: "Sequence[str]", asked: Asked, database: str, machine: "Machine") -> "Functions":
    """The schedules of each kernel and direction; raises UsageError where two functions would have one name."""
    from autotune.cli import kernels, words
    from autotune.errors import UsageError
    from autotune.runtime.export import Request, chosen, function_name

    functions: Functions = {}
    for name in names:
        found, options = kernels.find(name), words.options(asked.option)
        if len(names) > 1:
            options = {option: value for option, value in options.items() if option in found.options}
        found = found.specialized(**options)
        request = Request(
            directions=words.listed(asked.direction, "--direction") if asked.direction else None,
            extents=found.extents(words.shapes(asked.size)) if asked.size else None,
            dtypes=words.chosen(asked.dtype, "--dtype", ("float32", "float64")) if asked.dtype else None,
            threads=asked.threads,
        )
        for definition, schedules in chosen(found, request, database, machine).items():
            if any(function_name(definition) == function_name(other) for other in functions):
                message = f"{function_name(definition)} is given twice; export one of them to another file"
                raise UsageError(message)
            functions[definition] = schedules
    return functions


def _each(functions: "Functions") -> "list[tuple[str, Chosen]]":
    """Names of functions with each of their schedules."""
    from autotune.runtime.export import function_name

    return [(function_name(definition), one) for definition, schedules in functions.items() for one in schedules]


def _print_json(functions: "Functions", output: str) -> None:
    from autotune.cli import terminal

    rows = [
        {
            "function": name,
            "size": dict(one.workload.extents),
            "dtype": one.workload.dtype,
            "threads": one.workload.threads,
            "schedule": one.choice.origin.value,
        }
        for name, one in _each(functions)
    ]
    terminal.print_json({"file": output, "rows": rows})


def _print_table(functions: "Functions", output: str) -> None:
    from autotune.cli import terminal

    table = terminal.table("function", "size", "dtype", "schedule")
    for name, one in _each(functions):
        sizes = ",".join(f"{extent}={elements}" for extent, elements in one.workload.extents)
        table.add_row(name, sizes, one.workload.dtype, one.choice.origin.value)
    terminal.console().print(table)
    typer.echo(f"{len(functions)} function{'s' if len(functions) > 1 else ''} written to {output}")
