"""The commands, and what becomes of their errors: one line, and 2 for misuse or 1 for failure."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autotune.__about__ import __version__
from autotune.cli.commands import (
    bench_dashboard,
    bench_kernels,
    bench_lookup,
    bench_matmul,
    bench_model,
    bench_plot,
    bench_search,
    bench_space,
    bench_transfer,
    dashboard,
    db_export,
    db_import,
    db_merge,
    doctor,
    export,
    list_kernels,
    machine,
    record,
    report,
    run,
    show,
)
from autotune.errors import (
    AutotuneError,
    DefinitionError,
    DifferentiationError,
    DtypeError,
    OptionError,
    ShapeError,
    TemplateError,
    UnknownKernelError,
    UsageError,
)

MISUSE = (
    DefinitionError,
    DifferentiationError,
    DtypeError,
    OptionError,
    ShapeError,
    TemplateError,
    UnknownKernelError,
    UsageError,
)
DEBUG = "--debug"
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it; Typer makes it of KeyboardInterrupt


class Commands(TyperGroup):
    """The top of the command tree."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *_: Any, **__: Any) -> None:
        """Run the command that `args` say, and exit; `--debug` may stand anywhere."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main([word for word in words if word != DEBUG], prog_name, standalone_mode=False)
        except (typer.TyperException, AutotuneError, OSError) as error:
            if DEBUG in words:
                raise
            sys.stderr.write(f"autotune: {line_of(error)}\n")
            code = code_of(error)
        if code == INTERRUPTED:
            sys.stderr.write("autotune: stopped; the same command goes on from here\n")
        sys.exit(code)


def line_of(error: Exception) -> str:
    """What went wrong, in one line."""
    text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context else ""
    return " ".join(text.split()) + hint


def code_of(error: Exception) -> int:
    """2 where the command was called wrongly, 1 where it failed."""
    if isinstance(error, typer.TyperException):
        return error.exit_code
    return 2 if isinstance(error, MISUSE) else 1


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autotune {__version__}")
        raise typer.Exit


def top(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  # its callback answers
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[  # noqa: ARG001  # `Commands.main` reads it, wherever it stands
        bool, typer.Option(DEBUG, help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    """Tune numerical kernels and their gradients to this machine.

    Exit codes: 0 done, 1 failed, 2 called wrongly, 130 interrupted.

    \b
    Examples:
      autotune doctor
      autotune run matmul --size m=1024,n=1024,k=1024
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def make_app() -> typer.Typer:
    """The application with all its commands."""
    app = _group(cls=Commands, add_completion=True, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback(invoke_without_command=True)(top)
    app.command("run")(run.run)
    app.command("record", context_settings={"allow_interspersed_args": False})(record.record)
    app.command("list")(list_kernels.list_kernels)
    app.command("show")(show.show)
    app.command("machine")(machine.machine)
    app.command("doctor")(doctor.doctor)
    app.command("export")(export.export)
    app.command("report")(report.report)
    app.command("dashboard")(dashboard.dashboard)
    exchange = _group(help="Export, import and merge tuning databases.\n\nExample: autotune db export results.jsonl")
    exchange.command("export")(db_export.db_export)
    exchange.command("import")(db_import.db_import)
    exchange.command("merge")(db_merge.db_merge)
    app.add_typer(exchange, name="db")
    benches = _group(help="Measure tuned kernels.\n\nExample: autotune bench matmul --quick")
    benches.command("kernels")(bench_kernels.bench_kernels)
    benches.command("matmul")(bench_matmul.bench_matmul)
    benches.command("lookup")(bench_lookup.bench_lookup)
    benches.command("search")(bench_search.bench_search)
    benches.command("space")(bench_space.bench_space)
    benches.command("model")(bench_model.bench_model)
    benches.command("transfer")(bench_transfer.bench_transfer)
    benches.command("plot")(bench_plot.bench_plot)
    benches.command("dashboard")(bench_dashboard.bench_dashboard)
    app.add_typer(benches, name="bench")
    return app


def _group(*, add_completion: bool = False, **settings: Any) -> typer.Typer:
    # Without Rich in the help, which costs 0.1 s of every call to import.
    return typer.Typer(rich_markup_mode=None, add_completion=add_completion, pretty_exceptions_enable=False, **settings)


app = make_app()
