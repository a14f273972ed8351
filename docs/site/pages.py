"""Parts of the pages that are made when the site is built: tables from results/ and the help of the commands.

A line `<!-- results: FILE -->` becomes the table of results/FILE, `<!-- commands -->` the help of every command.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

from autotune.cli.app import app

ROOT = Path(__file__).parents[2]
_RESULTS = re.compile(r"^<!-- results: (\S+) -->$", re.MULTILINE)
_COMMANDS = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls this with the text of every page."""
    markdown = _RESULTS.sub(lambda match: results(ROOT / "results" / match.group(1)), markdown)
    return markdown.replace(_COMMANDS, commands()) if _COMMANDS in markdown else markdown


def results(path: Path) -> str:
    """A table of a file of results, with the machine, the versions and the command that made it."""
    data = json.loads(path.read_text(encoding="utf-8"))
    machine, versions = data["machine"], data["versions"]
    made = ", ".join(f"{name} {version}" for name, version in versions.items())
    about = [
        f"`{data['command']}` on {machine['cpu']} ({machine['isa']}, {machine['cores']} cores), {made}.",
        f"File: `results/{path.name}`.",
    ]
    rows = data["rows"]
    return "\n".join([*about, "", *_renderer(rows[0])(rows)])


def _renderer(row: dict[str, Any]) -> Callable[[list[dict[str, Any]]], Iterator[str]]:
    """How a table of rows like this one is written."""
    renderers = {
        "trials_to_95": _transfers,
        "kernel": _kernels,
        "strategy": _searches,
        "spearman": _models,
        "view": _views,
    }
    return next((renderer for name, renderer in renderers.items() if name in row), _figures)


def commands() -> str:
    """The help of every command, as a terminal 80 characters wide shows it."""
    parts = []
    for path in _paths(typer.main.get_command(app)):
        name = " ".join(("autotune", *path))
        shown = CliRunner().invoke(app, [*path, "--help"], prog_name="autotune", env={"COLUMNS": "80"})
        parts.append(f"## {name}\n\n```text\n{shown.stdout.strip()}\n```")
    return "\n\n".join(parts)


def _paths(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from _paths(child, *path, name)


def _kernels(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One row a kernel, direction and size; peers in the order in which they first stand."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row["peers"]))
    titles = ["kernel", "size", "dtype", "threads", "ms", "untuned ms", *peers, "best peer / ours", "of the roofline"]
    yield _line(titles)
    yield _line(["---", "---", "---", *["--:"] * (len(titles) - 3)])
    for row in rows:
        best = min(row["peers"].values(), default=None)
        size = " ".join(f"{name}={extent}" for name, extent in row["size"].items())
        yield _line(
            [
                f"{row['kernel']} {row['direction']}",
                size,
                row["dtype"],
                str(row["threads"]),
                _number(row["ms"]),
                _number(row["default_ms"]),
                *(_number(row["peers"].get(peer)) for peer in peers),
                "" if best is None else f"{best / row['ms']:.2f}",
                f"{100 * row['roofline']:.0f} %" if row.get("roofline") else "",
            ]
        )


def _searches(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One row a budget, strategy and space, or all spaces."""
    yield _line(["space", "strategy", "evaluations", "P", "95 % interval", "repeats"])
    yield _line(["---", "---", "--:", "--:", "--:", "--:"])
    for row in rows:
        score = [f"{row['p']:.3f}", f"{row['low']:.3f} to {row['high']:.3f}"]
        yield _line([row["space"], row["strategy"], str(row["budget"]), *score, str(row["repeats"])])


def _models(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One row a kernel and direction, model, what was held out and number of own measurements."""
    yield _line(["kernel", "model", "held out", "own measurements", "workloads", "Spearman", "recall", "best of ten"])
    yield _line(["---", "---", "---", *["--:"] * 5])
    for row in rows:
        figures = (f"{row[name]:.3f}" for name in ("spearman", "recall", "best"))
        yield _line([row["of"], row["model"], row["held_out"], str(row["training"]), str(row["workloads"]), *figures])


def _transfers(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One row a new shape."""
    yield _line(["kernel", "size", "trials", "to 95 %", "default ms", "best ms", "seconds", "the search's own"])
    yield _line(["---", "---", *["--:"] * 6])
    for row in rows:
        size = " ".join(f"{name}={extent}" for name, extent in row["size"].items())
        counts = [str(row["trials"]), str(row["trials_to_95"])]
        times = [_number(row[name]) for name in ("default_ms", "ms", "seconds")]
        yield _line([f"{row['kernel']} {row['direction']}", size, *counts, *times, f"{100 * row['thinking']:.1f} %"])


def _figures(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One row a figure, in seconds."""
    yield _line(["what", "median", "least", "most", "processes"])
    yield _line(["---", "--:", "--:", "--:", "--:"])
    for row in rows:
        times = (_seconds(row[name]) for name in ("seconds", "least", "most"))
        yield _line([row["what"], *times, str(row["processes"])])


def _views(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One row a page of the dashboard."""
    yield _line(["page", "median", "first", "with figures", "kB"])
    yield _line(["---", "--:", "--:", "--:", "--:"])
    for row in rows:
        times = (_seconds(row[name]) if name in row else "" for name in ("seconds", "first_seconds", "figures_seconds"))
        yield _line([row["view"], *times, f"{row['bytes'] / 1e3:.0f}" if "bytes" in row else ""])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"
