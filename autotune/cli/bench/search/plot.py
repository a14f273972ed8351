"""The plot of `bench search`: what is left between the best so far and the optimum, by evaluations, with bands."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autotune.cli.bench.search.runs import Run
from autotune.cli.files import writing
from autotune.errors import FormatError, UsageError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLUMNS = 2
COLOURS = (
    "#c44e52", "#777777", "#4c72b0", "#55a868", "#8172b3", "#937860", "#da8bc3", "#ccb974", "#64b5cd", "#333333"
)  # fmt: skip


def plot(path: Path) -> tuple[Path, ...]:
    """Write the plot of the results at `path` beside them, as one HTML file that needs nothing else; gives the files.

    Raises UsageError where Plotly is not installed, FormatError where the file holds no results of `bench search`.
    """
    page = path.with_suffix(".html")
    figure = figure_of(*_read(path))
    with writing(page) as stream:
        stream.write(figure.to_html(include_plotlyjs=True, full_html=True))
    return (page,)


def figure_of(runs: Sequence[Run], optima: Mapping[str, float]) -> "Figure":
    """A panel a space: the mean of the best time so far over the optimum, and the band of its middle 80 %."""
    try:
        from plotly.subplots import make_subplots
    except ImportError as error:
        message = "the plot needs Plotly: pip install 'autotune[bench]'"
        raise UsageError(message) from error
    spaces = sorted({run.space for run in runs})
    strategies = list(dict.fromkeys(run.strategy for run in runs))
    count = -(-len(spaces) // COLUMNS)
    figure = make_subplots(rows=count, cols=COLUMNS, subplot_titles=spaces, vertical_spacing=0.25 / max(2, count))
    for place, space in enumerate(spaces):
        where = {"row": place // COLUMNS + 1, "col": place % COLUMNS + 1}
        for number, strategy in enumerate(strategies):
            curves = [run.curve for run in runs if (run.space, run.strategy) == (space, strategy)]
            if curves:
                colour = COLOURS[number % len(COLOURS)]
                _add(figure, _ratios(curves, optima[space]), strategy, colour, where, first=not place)
    figure.update_layout(
        title="Best time so far over the optimum: mean of the repeats, band of the middle 80 %",
        template="plotly_white",
        height=60 + 330 * count,
        width=1200,
        legend={"orientation": "h", "y": -0.04},
    )
    figure.update_yaxes(type="log")
    figure.update_xaxes(type="log")
    return figure


def _ratios(curves: Sequence[Any], optimum: float) -> Any:
    length = min(map(len, curves))
    return np.array([curve[:length] for curve in curves]) / optimum


def _add(figure: "Figure", ratios: Any, strategy: str, colour: str, where: Mapping[str, int], *, first: bool) -> None:
    evaluations = np.arange(1, ratios.shape[1] + 1)
    low, high = np.round(np.quantile(ratios, (0.1, 0.9), axis=0), 4)
    figure.add_scatter(
        x=np.concatenate([evaluations, evaluations[::-1]]).tolist(),
        y=np.concatenate([high, low[::-1]]).tolist(),
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=strategy,
        showlegend=False,
        **where,
    )
    figure.add_scatter(
        x=evaluations.tolist(),
        y=np.round(ratios.mean(axis=0), 4).tolist(),
        mode="lines",
        line={"color": colour, "width": 2},
        name=strategy,
        legendgroup=strategy,
        showlegend=first,
        **where,
    )


def _read(path: Path) -> tuple[list[Run], dict[str, float]]:
    """Runs, and the optima of the spaces."""
    try:
        data = json.loads(path.read_bytes())
        return [Run.from_json(run) for run in data["runs"]], dict(data["optima"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{path} holds no results of `bench search`"
        raise FormatError(message) from error
