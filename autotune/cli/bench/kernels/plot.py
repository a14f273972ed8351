"""The plot of a bench of the library's kernels: how many times faster than the best peer, by kernel."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotune import report as reports
from autotune.cli.files import writing
from autotune.errors import FormatError
from autotune.figures import against_peers
from autotune.report import Plot, Section

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def plot(path: Path) -> tuple[Path, ...]:
    """Write the plot of the results at `path` beside them, as HTML and, where Kaleido can, as PNG; gives the files.

    Raises UsageError where Plotly is not installed, FormatError where the file holds no results of `bench kernels`.
    """
    figure = against_peers(_rows(path))
    page, image = path.with_suffix(".html"), path.with_suffix(".png")
    with writing(page) as stream:
        caption = "Right of 1 ours is faster. A point is a direction and a size; point at one to see which."
        stream.write(reports.page("Against the best peer", path.name, [Section("Kernels", [Plot(figure, caption)])]))
    return (page, image) if _draw(figure, image) else (page,)


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
