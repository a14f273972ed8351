"""`autotune show`."""

from typing import TYPE_CHECKING

import typer

from autotune.cli.options import AsJson, DatabasePlace, KernelWord, OptionWords, database_place

if TYPE_CHECKING:
    from rich.table import Table

    from autotune.cli.tuned import Tuned


def show(kernel: KernelWord, option: OptionWords = None, db: DatabasePlace = None, as_json: AsJson = False) -> None:
    """Show what is known of a kernel on this machine.

    For each workload: its winner's time, rate and share of the machine's peak, the default's time and by how much the
    winner was proven faster (95 % interval), its config and its source file, and how its trials ended.

    \b
    Examples:
      autotune show matmul
      autotune show conv2d --option stride=2,padding=1
      autotune show my_kernels.py:attention --json
    """
    from autotune.cli import kernels, terminal, words
    from autotune.cli.tuned import look_up_all
    from autotune.database import Database
    from autotune.machine import detect

    found, machine = kernels.find(kernel).specialized(**words.options(option)), detect()
    with Database.open(database_place(db), read_only=True) as database:
        workloads = list(look_up_all(database, found, machine))
    if as_json:
        terminal.print_json({"machine": machine.fingerprint, "rows": [tuned.to_json() for tuned in workloads]})
        return
    if not workloads:
        chosen = ", ".join(f"{name}={value}" for name, value in found.options.items())
        name = f"{found.definition.name}{f' with {chosen}' if chosen else ''}"
        typer.echo(f"{name} is not tuned on this machine ({machine.fingerprint}); see autotune run --help")
        return
    out = terminal.console()
    for number, tuned in enumerate(workloads):
        if number:
            out.print()
        out.print(tuned.workload.describe(), style="bold")
        out.print(_details(tuned))


def _details(tuned: "Tuned") -> "Table":
    from autotune import units
    from autotune.cli import terminal

    values = {}
    if tuned.seconds is not None:
        rate = ""
        if tuned.flops and tuned.fraction is not None:
            rate = f", {units.gigaflops(tuned.flops)} GFLOP/s, {units.percent(tuned.fraction)} of peak"
        values["time"] = units.duration(tuned.seconds) + rate
    if tuned.winner is None:
        values["winner"] = "none proven yet; run it again to resume"
    else:
        winner = tuned.winner
        values["samples"] = (
            f"{len(winner.samples)} from {units.duration(min(winner.samples))} to {units.duration(max(winner.samples))}"
        )
        values["default"] = units.duration(winner.default_seconds)
        values["gain"] = tuned.gain_words
        values["config"] = (
            ", ".join(f"{name}={value}" for name, value in winner.config.items()) or "none: it has one schedule"
        )
        values["source"] = str(tuned.source)
        values["proven"] = (
            f"{winner.proven[:16].replace('T', ' ')} UTC by autotune {winner.versions.get('autotune', '?')}"
        )
    by_status = ", ".join(f"{count} {status}" for status, count in sorted(tuned.counts.items()))
    values["measured"] = f"{tuned.measurements} times: {by_status}"
    return terminal.fields(**values)
