"""The plot of `bench search`: what is left between the best so far and the optimum, by evaluations, with bands."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autotune import report as reports
from autotune.cli.bench.search.runs import Run
from autotune.cli.bench.search.strategies import STRATEGIES
from autotune.cli.bench.search.svg import svg
from autotune.cli.files import writing
from autotune.errors import FormatError
from autotune.figures import theme as look
from autotune.report import Plot, Section

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CAPTION = "Best time so far over the optimum, by evaluations: the mean of the repeats, and the band of its middle 80 %."


def plot(path: Path) -> tuple[Path, ...]:
    """Write the plot of the results at `path` beside them; gives the files.

    One is an HTML file of all strategies that needs nothing else, one a small SVG without the variants of ours.
    Raises UsageError where Plotly is not installed, FormatError where the file holds no results of `bench search`.
    """
    runs, optima = _read(path)
    strategies = [name for name in STRATEGIES if any(run.strategy == name for run in runs)]
    spaces = sorted({run.space for run in runs})
    of = {space: [run for run in runs if run.space == space] for space in spaces}
    figures = {space: figure_of(of[space], optima[space], strategies) for space in spaces}
    sections = [Section(space, [Plot(figure, CAPTION)]) for space, figure in figures.items()]
    page = path.with_suffix(".html")
    with writing(page) as stream:
        stream.write(reports.page("Searches on tables of every config", path.name, sections))
    picture = path.with_suffix(".svg")
    with writing(picture) as stream:
        stream.write(svg(runs, optima, [name for name in strategies if not STRATEGIES[name].variant]))
    return (page, picture)


def figure_of(runs: Sequence[Run], optimum: float, strategies: Sequence[str]) -> "Figure":
    """The runs on one space: the mean of the best time so far over the optimum, and the band of its middle 80 %.

    The place of a strategy among `strategies` is its colour.
    """
    figure = look.figure(look.LIGHT)
    for number, strategy in enumerate(strategies):
        curves = [run.curve for run in runs if run.strategy == strategy]
        if curves:
            _add(figure, _ratios(curves, optimum), strategy, look.SERIES[number % len(look.SERIES)])
    figure.update_xaxes(type="log", title="evaluations")
    figure.update_yaxes(type="log", title="best time so far / optimum")
    return figure


def _ratios(curves: Sequence[Any], optimum: float) -> Any:
    length = min(map(len, curves))
    return np.array([curve[:length] for curve in curves]) / optimum


def _add(figure: "Figure", ratios: Any, strategy: str, colour: str) -> None:
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
    )
    figure.add_scatter(
        x=evaluations.tolist(),
        y=np.round(ratios.mean(axis=0), 4).tolist(),
        mode="lines",
        line={"color": colour, "width": 2},
        name=look.label(strategy),
        legendgroup=strategy,
    )


def _read(path: Path) -> tuple[list[Run], dict[str, float]]:
    """Runs, and the optima of the spaces."""
    try:
        data = json.loads(path.read_bytes())
        return [Run.from_json(run) for run in data["runs"]], dict(data["optima"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{path} holds no results of `bench search`"
        raise FormatError(message) from error
