"""`autotune run`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from autotune.cli.options import AsJson, DatabasePlace, KernelWord, OptionWords, database_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from autotune.cli.tuned import Tuned
    from autotune.cli.tuning import Effort
    from autotune.database import Database
    from autotune.machine import Machine
    from autotune.runtime import TunedKernel
    from autotune.schedule import Workload


def run(
    kernel: KernelWord,
    size: Annotated[
        str, typer.Option("--size", metavar="SIZES", help="Extents (m=1024,k=512) or shapes of tensors (a=1024x512).")
    ],
    option: OptionWords = None,
    dtype: Annotated[str, typer.Option("--dtype", metavar="DTYPE", help="float32 or float64.")] = "float32",
    direction: Annotated[
        str | None,
        typer.Option(
            "--direction",
            metavar="NAMES",
            help="Such as forward,vjp:a,jvp; the kernel and its gradients if not given.",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, metavar="N", help="Threads a call uses; all cores if not given.")
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            "--trials", min=1, metavar="N", help="Candidates to measure for each direction, earlier runs included."
        ),
    ] = 64,
    time_: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="When to end at the latest: 90s, 2m, 1h30m.")
    ] = None,
    db: DatabasePlace = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the search.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Tune a kernel and its gradients for one size.

    Every measurement is kept: after Ctrl-C, or whatever else ends it, the same command goes on where it stopped.

    \b
    Examples:
      autotune run matmul --size m=1024,n=1024,k=1024
      autotune run matmul --size a=512x64,b=64x512 --direction forward --dtype float64 --threads 1
      autotune run conv2d --size x=8x64x56x56,w=64x64x3x3 --option stride=2,padding=1
      autotune run my_kernels.py:attention --size t=2048,d=64 --time 2m
    """
    from autotune.cli import kernels, terminal, words
    from autotune.cli.tuned import look_up
    from autotune.cli.tuning import Effort
    from autotune.database import Database
    from autotune.machine import detect

    workloads = _workloads(
        kernels.find(kernel).specialized(**words.options(option)),
        words.shapes(size),
        directions=words.listed(direction, "--direction") if direction else None,
        dtype=dtype,
        threads=threads,
    )
    effort = Effort(trials=trials, seconds=words.seconds(time_) if time_ else None, seed=seed)
    machine, out = detect(), terminal.console(stderr=as_json)
    with Database.open(database_place(db)) as database:
        interrupted = not _tune(workloads, effort, database, machine, out)
        tuned = [found for workload in workloads if (found := look_up(database, workload, machine)).counts]
    if as_json:
        _print_json(machine, tuned, interrupted=interrupted)
    else:
        _print_table(out, tuned)
    if interrupted:
        raise KeyboardInterrupt  # which `app` turns into the exit code


def _tune(
    workloads: "Sequence[Workload]", effort: "Effort", database: "Database", machine: "Machine", out: "Console"
) -> bool:
    """Tune all workloads; False where Ctrl-C ended that early."""
    from autotune.cli.tuning import tune_each

    try:
        for outcome in tune_each(workloads, effort, database=database, machine=machine, out=out):
            if outcome.error:
                sys.stderr.write(f"autotune: {outcome.workload.describe()}: no winner proven: {outcome.error}\n")
            elif outcome.exhausted and outcome.progress.trials == 1:
                out.print("  it has one schedule as yet, so there was nothing to choose", soft_wrap=True)
            if outcome.interrupted:
                return False
    except KeyboardInterrupt:
        return False
    return True


def _workloads(
    kernel: "TunedKernel",
    shapes: "Mapping[str, int | tuple[int, ...]]",
    *,
    directions: tuple[str, ...] | None,
    dtype: str,
    threads: int | None,
) -> "tuple[Workload, ...]":
    """One workload a direction; raises ShapeError, DtypeError and DifferentiationError for what the kernel has not."""
    extents = kernel.extents(shapes)
    return tuple(
        kernel.workload(direction, extents, dtype=dtype, threads=threads)
        for direction in directions or kernel.tuned_directions
    )


def _print_json(machine: "Machine", tuned: "Sequence[Tuned]", *, interrupted: bool) -> None:
    from autotune.cli import terminal
    from autotune.cli.tuning import peak_memory, process_seconds
    from autotune.machine import versions

    terminal.print_json(
        {
            "machine": {"fingerprint": machine.fingerprint, **machine.to_json()},
            "versions": versions(),
            "command": terminal.command_line(),
            "interrupted": interrupted,
            "seconds": process_seconds(),
            "peak_memory_bytes": peak_memory(),
            "rows": [found.to_json() for found in tuned],
        }
    )


def _print_table(out: "Console", tuned: "Sequence[Tuned]") -> None:
    from autotune.cli import terminal

    if not tuned:
        out.print("nothing was measured")
        return
    numbers = ("GFLOP/s", "% of peak", "time", "default")
    table = terminal.table("direction", *numbers, "gain (95 % interval)", numbers=numbers)
    for found in tuned:
        table.add_row(found.workload.kernel.direction, *_cells(found))
    out.print()
    out.print(table)
    out.print()
    for found in tuned:
        if found.source is not None:
            out.print(f"{found.workload.kernel.direction}: {found.source}", soft_wrap=True)


def _cells(found: "Tuned") -> tuple[str, ...]:
    from autotune import units

    if found.seconds is None:
        return ("-", "-", "-", "-", found.gain_words)
    default = units.duration(found.winner.default_seconds) if found.winner else "-"
    rate, share = "-", "-"
    if found.flops and found.fraction is not None:  # there are none where data are only moved
        rate, share = units.gigaflops(found.flops), f"{100 * found.fraction:.1f}"
    return (rate, share, units.duration(found.seconds), default, found.gain_words)
