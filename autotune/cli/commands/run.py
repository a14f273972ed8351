"""`autotune run`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autotune.cli.options import AsJson, DatabasePlace, KernelWords, OptionWords, database_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from autotune.cli.tuned import Tuned
    from autotune.cli.tuning import Effort
    from autotune.database import Database
    from autotune.machine import Machine
    from autotune.schedule import Workload
    from autotune.search import Demand, Outcome, Share

TRIALS = 64  # of a workload, where neither a number nor a time is given


SizeWords = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="SIZES",
        help="Extents (m=1024,k=512) or shapes of tensors (a=1024x512), once for each KERNEL or for all.",
    ),
]
WorkloadList = Annotated[
    Path | None,
    typer.Option("--workloads", metavar="FILE", help="Tune what `record` listed, as often as it is called."),
]
Dtype = Annotated[str, typer.Option("--dtype", metavar="DTYPE", help="float32 or float64.")]
Directions = Annotated[
    str | None,
    typer.Option(
        "--direction", metavar="NAMES", help="Such as forward,vjp:a,jvp; the kernel and its gradients if not given."
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, metavar="N", help="Threads a call uses; all cores if not given.")
]
Trials = Annotated[
    int | None,
    typer.Option(
        "--trials",
        min=1,
        metavar="N",
        help="Candidates to measure for each workload, earlier runs included; 64 unless there is a time.",
    ),
]
Time = Annotated[str | None, typer.Option("--time", metavar="TIME", help="When to end at the latest: 90s, 2m, 1h30m.")]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the search.")]


def run(
    kernel: KernelWords = None,
    size: SizeWords = None,
    workloads: WorkloadList = None,
    option: OptionWords = None,
    dtype: Dtype = "float32",
    direction: Directions = None,
    threads: Threads = None,
    trials: Trials = None,
    time_: Time = None,
    db: DatabasePlace = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Tune kernels and their gradients, or all that a program calls.

    A time is shared out among the workloads (kernels, directions, sizes): it goes where it is expected to win most, by
    calls and times. Every measurement is kept: after Ctrl-C, or whatever else ends it, the same command goes on where
    it stopped.

    \b
    Examples:
      autotune run matmul --size m=1024,n=1024,k=1024
      autotune run matmul --size a=512x64,b=64x512 --direction forward --dtype float64 --threads 1
      autotune run conv2d --size x=8x64x56x56,w=64x64x3x3 --option stride=2,padding=1
      autotune run my_kernels.py:attention --size t=2048,d=64 --time 2m
      autotune run matmul softmax --size m=512,n=512,k=64 --size rows=512,cols=512 --time 10m
      autotune run --workloads workloads.jsonl --time 1h
    """
    from autotune.cli import terminal, words
    from autotune.cli.tuned import look_up
    from autotune.cli.tuning import Effort
    from autotune.database import Database
    from autotune.machine import detect
    from autotune.search.budget import MOST_TRIALS

    seconds = words.seconds(time_) if time_ else None
    effort = Effort(trials=trials or (TRIALS if seconds is None else MOST_TRIALS), seconds=seconds, seed=seed)
    if workloads is None:
        demands = _demands(kernel or (), size or (), option or (), direction, dtype, threads)
    else:
        demands = _listed(workloads, kernel or (), {"--size": size, "--option": option, "--direction": direction})
    machine, out = detect(), terminal.console(stderr=as_json)
    shares: tuple[Share, ...] = ()
    with Database.open(database_place(db)) as database:
        if len(demands) > 1 and (seconds is not None or workloads is not None):
            shares = _share_out(demands, effort, database, machine, out)
            outcomes = [share.outcome for share in shares if share.outcome is not None]
            interrupted = any(outcome.interrupted for outcome in outcomes)
        else:
            outcomes, interrupted = _tune([demand.workload for demand in demands], effort, database, machine, out)
        tuned = [found for demand in demands if (found := look_up(database, demand.workload, machine)).counts]
    if as_json:
        _print_json(machine, tuned, outcomes, shares, seconds, interrupted=interrupted)
    else:
        _print_table(out, tuned, shares)
    if interrupted:
        raise KeyboardInterrupt  # which `app` turns into the exit code


def _demands(
    kernels: "Sequence[str]",
    sizes: "Sequence[str]",
    options: "Sequence[str]",
    direction: str | None,
    dtype: str,
    threads: int | None,
) -> "tuple[Demand, ...]":
    """What is to be tuned of kernels that were named."""
    from autotune.cli import words
    from autotune.cli.demands import Request
    from autotune.errors import UsageError

    if not kernels:
        message = "name a KERNEL with its --size, or a list: --workloads FILE (see autotune run --help)"
        raise UsageError(message)
    return Request(
        kernels=kernels,
        sizes=sizes,
        options=options,
        directions=words.listed(direction, "--direction") if direction else None,
        dtype=dtype,
        threads=threads,
    ).demands()


def _listed(path: Path, kernels: "Sequence[str]", given: "dict[str, Any]") -> "tuple[Demand, ...]":
    """What is to be tuned of a list."""
    from autotune.cli.demands import of_list
    from autotune.errors import UsageError

    for name, value in given.items():
        if value:
            message = f"the list says what {name} would: give {name} or --workloads"
            raise UsageError(message)
    return of_list(path, kernels)


def _share_out(
    demands: "Sequence[Demand]", effort: "Effort", database: "Database", machine: "Machine", out: "Console"
) -> "tuple[Share, ...]":
    """Tune all workloads, each as far as that is worth while."""
    from autotune.cli.budget_report import BudgetLines
    from autotune.cli.kernels import known
    from autotune.search import tune_all

    with BudgetLines(out, machine, len(demands), effort.seconds) as report:
        shares = tune_all(
            demands,
            machine=machine,
            database=database,
            seconds=effort.seconds,
            trials=effort.trials,
            seed=effort.seed,
            report=report,
            find=known,
        )
    for share in shares:
        if share.outcome is not None and share.outcome.error:
            sys.stderr.write(f"autotune: {share.demand.workload.describe()}: no winner proven: {share.outcome.error}\n")
    return shares


def _tune(
    workloads: "Sequence[Workload]", effort: "Effort", database: "Database", machine: "Machine", out: "Console"
) -> "tuple[list[Outcome], bool]":
    """Tune all workloads; what came of it, and whether Ctrl-C ended it early."""
    from autotune.cli.tuning import tune_each

    outcomes: list[Outcome] = []
    try:
        for outcome in tune_each(workloads, effort, database=database, machine=machine, out=out):
            outcomes.append(outcome)
            if outcome.error:
                sys.stderr.write(f"autotune: {outcome.workload.describe()}: no winner proven: {outcome.error}\n")
            elif outcome.exhausted and outcome.progress.trials == 1:
                out.print("  it has one schedule as yet, so there was nothing to choose", soft_wrap=True)
            if outcome.interrupted:
                return outcomes, True
    except KeyboardInterrupt:
        return outcomes, True
    return outcomes, False


def _print_json(
    machine: "Machine",
    tuned: "Sequence[Tuned]",
    outcomes: "Sequence[Outcome]",
    shares: "Sequence[Share]",
    seconds: float | None,
    *,
    interrupted: bool,
) -> None:
    from autotune.cli import budget_report, terminal
    from autotune.cli.tuning import peak_memory, process_seconds, thinking
    from autotune.machine import versions

    terminal.print_json(
        {
            "machine": {"fingerprint": machine.fingerprint, **machine.to_json()},
            "versions": versions(),
            "command": terminal.command_line(),
            "interrupted": interrupted,
            "seconds": process_seconds(),
            "peak_memory_bytes": peak_memory(),
            "search": thinking(outcomes),
            **({"budget": budget_report.to_json(shares, seconds)} if shares else {}),
            "rows": [found.to_json() for found in tuned],
        }
    )


def _print_table(out: "Console", tuned: "Sequence[Tuned]", shares: "Sequence[Share]") -> None:
    from autotune.cli import budget_report, terminal

    if not tuned:
        out.print("nothing was measured")
        return
    kernels = {(found.workload.kernel.name, found.workload.kernel.options) for found in tuned}
    alone = len(kernels) == 1 and len({found.workload.kernel.direction for found in tuned}) == len(tuned)
    names = [found.workload.kernel.direction if alone else found.workload.describe() for found in tuned]
    numbers = ("GFLOP/s", "% of peak", "time", "default")
    table = terminal.table("direction" if alone else "workload", *numbers, "gain (95 % interval)", numbers=numbers)
    for name, found in zip(names, tuned, strict=True):
        table.add_row(name, *_cells(found))
    out.print()
    out.print(table)
    if shares:
        out.print()
        out.print(budget_report.table(shares))
    out.print()
    for name, found in zip(names, tuned, strict=True):
        if found.source is not None:
            out.print(f"{name}: {found.source}", soft_wrap=True)


def _cells(found: "Tuned") -> tuple[str, ...]:
    from autotune import units

    if found.seconds is None:
        return ("-", "-", "-", "-", found.gain_words)
    default = units.duration(found.winner.default_seconds) if found.winner else "-"
    rate, share = "-", "-"
    if found.flops and found.fraction is not None:  # there are none where data are only moved
        rate, share = units.gigaflops(found.flops), f"{100 * found.fraction:.1f}"
    return (rate, share, units.duration(found.seconds), default, found.gain_words)
