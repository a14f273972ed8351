"""`autotune doctor`."""

import typer

from autotune.cli.options import AsJson, DatabasePlace, database_place


def doctor(db: DatabasePlace = None, as_json: AsJson = False) -> None:
    """Check what tuning rests on, and say what to fix.

    Looks at versions, the compiler, threads and Numba's threading layer, the CPU's governor, the load of the machine,
    memory, the cache directory and the database. Exits with 1 where something is broken, not for warnings.

    \b
    Examples:
      autotune doctor
      autotune doctor --json
    """
    from rich.text import Text

    from autotune.cli import terminal
    from autotune.cli.checks import State, findings

    place = database_place(db)
    found = list(findings(place))
    broken = [finding for finding in found if finding.state is State.BROKEN]
    if as_json:
        rows = [
            {"check": each.check, "state": each.state.value, "found": each.found, "fix": each.fix or None}
            for each in found
        ]
        terminal.print_json({"healthy": not broken, "rows": rows})
    else:
        styles = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "bold red"}
        table = terminal.table("", "check", "found")
        for each in found:
            table.add_row(Text(each.state.value, style=styles[each.state]), each.check, each.found)
            if each.fix:
                table.add_row("", "", f"→ {each.fix}")
        terminal.console().print(table)
    if broken:
        raise typer.Exit(1)
