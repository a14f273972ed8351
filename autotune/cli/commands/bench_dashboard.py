"""`autotune bench dashboard`."""

from pathlib import Path
from typing import Annotated

import typer


def bench_dashboard(
    rows: Annotated[
        int, typer.Option("--rows", min=1000, metavar="N", help="Measurements of the made-up database.")
    ] = 1_000_000,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="FILE", help="Make the database here, or use what is there."),
    ] = None,
    in_browser: Annotated[
        bool, typer.Option("--browser", help="Measure in headless Chromium too, driven by Playwright.")
    ] = False,
    json_: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Where to write the results.")] = None,
) -> None:
    """Measure how long each page of the dashboard takes.

    The database is large and made up, with a tenth of all measurements in one workload. A page's time is that of a
    request to the server: reading, drawing and writing the answer; in a browser it is the time until all that is in the
    window is drawn.

    \b
    Examples:
      autotune bench dashboard
      autotune bench dashboard --rows 100000 --json dashboard.json
      autotune bench dashboard --keep million.db --browser
    """
    import tempfile
    from itertools import chain

    from autotune import units
    from autotune.cli import terminal
    from autotune.cli.bench import browser, pages
    from autotune.cli.bench.results import Results
    from autotune.machine import detect, versions

    with tempfile.TemporaryDirectory(prefix="autotune-bench-") as folder:
        path = keep or Path(folder) / "made_up.db"
        count = pages.prepare(path, rows)
        size = path.stat().st_size
        results = Results.new(json_, detect(), versions(), terminal.command_line())
        method = f"{pages.METHOD} {browser.METHOD}" if in_browser else pages.METHOD
        results.more = {"method": method, "measurements": count, "database_bytes": size}
        table = terminal.table("view", "median", "first", numbers=("median", "first"))
        for row in chain(pages.measure(path), browser.measure(path, pages.addresses(path)) if in_browser else ()):
            results.rows.append(row)
            table.add_row(row["view"], units.duration(row["seconds"]), units.duration(row["first_seconds"]))
    results.write()
    out = terminal.console()
    out.print(f"{count:,} measurements, {size / 2**20:.0f} MiB")
    out.print(table)
