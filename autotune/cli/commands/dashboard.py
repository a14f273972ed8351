"""`autotune dashboard`."""

from typing import Annotated

import typer

from autotune.cli.options import DatabasePlace, database_place

PORT = 8600


def dashboard(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="0 takes any free port.")] = PORT,
    kernel: Annotated[
        list[str] | None,
        typer.Option("--kernel", metavar="KERNEL", help="A kernel of yours, to show its source: file.py:kernel."),
    ] = None,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = False,
    db: DatabasePlace = None,
) -> None:
    """Show the tuning database in a browser, live.

    Pages follow while kernels are tuned. It answers this machine only and changes nothing. End it with Ctrl-C.

    \b
    Examples:
      autotune dashboard
      autotune dashboard --db tuning.db --port 8601 --open
      autotune dashboard --kernel my_kernels.py:attention
    """
    from autotune.cli import kernels
    from autotune.errors import UsageError

    try:
        from autotune.dashboard import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"dash", "flask", "plotly", "werkzeug"}:
            raise
        message = "the dashboard needs Dash: pip install 'autotune[dashboard]'"
        raise UsageError(message) from error

    def ready(address: str) -> None:
        typer.echo(f"{address}  (Ctrl-C ends it)")
        if browser:
            import webbrowser

            webbrowser.open(address)

    found = [kernels.find(word) for word in kernel or ()]
    serve(database_place(db), port=port, kernels=found, ready=ready)
