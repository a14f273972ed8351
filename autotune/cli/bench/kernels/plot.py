"""The plot of a bench of the library's kernels: how many times faster than the best peer, by kernel."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotune.cli.bench.kernels.report import against, best_peer, size_of
from autotune.cli.files import writing
from autotune.errors import FormatError, UsageError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = {"compute": "#c44e52", "memory": "#4c72b0"}
SYMBOLS = ("circle", "diamond", "square", "cross")


def plot(path: Path) -> tuple[Path, ...]:
    """Write the plot of the results at `path` beside them, as HTML and, where Kaleido can, as PNG; gives the files.

    Raises UsageError where Plotly is not installed, FormatError where the file holds no results of `bench kernels`.
    """
    figure = figure_of(_rows(path))
    page, image = path.with_suffix(".html"), path.with_suffix(".png")
    with writing(page) as stream:
        stream.write(figure.to_html(include_plotlyjs="cdn", full_html=True))
    return (page, image) if _draw(figure, image) else (page,)


def figure_of(rows: Iterable[Mapping[str, Any]]) -> "Figure":
    """A point a row: kernels upwards, ratios to the best peer along a logarithmic axis, colours by what bounds it."""
    try:
        from plotly import graph_objects
    except ImportError as error:
        message = "the plot needs Plotly: pip install 'autotune[bench]'"
        raise UsageError(message) from error
    compared = [row for row in rows if row["ratio"] is not None]
    figure = graph_objects.Figure()
    threads = sorted({row["threads"] for row in compared})
    for bound, colour in COLOURS.items():
        for count, symbol in zip(threads, SYMBOLS, strict=False):
            group = [row for row in compared if (row["bound"], row["threads"]) == (bound, count)]
            figure.add_scatter(
                x=[row["ratio"] for row in group],
                y=[row["kernel"] for row in group],
                mode="markers",
                name=f"{bound}-bound, {count} thread{'s' if count > 1 else ''}",
                marker={"color": colour, "symbol": symbol, "size": 9, "opacity": 0.75},
                text=[_hover(row) for row in group],
                hoverinfo="text",
            )
    figure.add_vline(x=1, line={"color": "#555", "dash": "dash"})
    figure.update_layout(
        title="Times faster than the best peer, each kernel and direction",
        template="plotly_white",
        height=120 + 28 * len({row["kernel"] for row in compared}),
        width=1000,
        legend={"orientation": "h", "y": -0.12},
    )
    figure.update_xaxes(type="log", title="best peer's time / ours", dtick="D2")
    figure.update_yaxes(categoryorder="category descending")
    return figure


def _hover(row: Mapping[str, Any]) -> str:
    eager = against(row, "torch")
    lines = [
        f"{row['kernel']} {row['direction']} {size_of(row)}",
        f"{row['ms']:.4g} ms, {100 * row['roofline']:.0f} % of roofline",
        f"{row['ratio']:.2f} times as fast as {best_peer(row)}",
    ]
    return "<br>".join(lines if eager is None else [*lines, f"{eager:.2f} times as fast as PyTorch"])


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_bytes())["rows"]
        if not all({"kernel", "direction", "ratio", "bound", "roofline", "peers"} <= row.keys() for row in rows):
            rows = []
    except (ValueError, TypeError, KeyError, AttributeError):
        rows = []
    if not rows:
        message = f"{path} holds no results of `bench kernels`"
        raise FormatError(message)
    return rows


def _draw(figure: "Figure", path: Path) -> bool:
    """Write the figure as PNG; False where Kaleido or the browser that it draws with is missing."""
    try:
        figure.write_image(path, scale=2)
    except (ValueError, ImportError, RuntimeError, OSError):
        return False
    return True
