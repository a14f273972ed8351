"""The curves of `bench search` as one small SVG file, for a page or a repository: a panel a space."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.cli.bench.search.runs import Run
from autotune.figures import theme as look

WIDTH, HEIGHT, COLUMNS = 300, 200, 3  # of a panel in pixels, and panels in a row
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 24, 30
LEGEND = 22  # pixels a line
POINTS = 36  # of a curve, evenly spread over the logarithm of the evaluations
BAND = (0.1, 0.9)
COLOURS = (*look.SERIES, "#333333", "#e377c2", "#17807e")


def svg(runs: Sequence[Run], optima: Mapping[str, float], strategies: Sequence[str]) -> str:
    """Best time so far over the optimum, by evaluations: the mean of the repeats and the band of their middle 80 %."""
    spaces = sorted(optima)
    rows, lines = -(-len(spaces) // COLUMNS), -(-len(strategies) // 5)
    parts = [_legend(strategies)]
    for number, space in enumerate(spaces):
        across, down = number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT + lines * LEGEND + 8
        panel = _panel(space, [run for run in runs if run.space == space], optima[space], strategies)
        parts.append(f'<g transform="translate({across} {down})">{panel}</g>')
    width, height = COLUMNS * WIDTH, rows * HEIGHT + lines * LEGEND + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _legend(strategies: Sequence[str]) -> str:
    items = []
    for number, strategy in enumerate(strategies):
        x, y = 12 + number % 5 * 176, 16 + number // 5 * LEGEND
        items.append(f'<path d="M{x} {y - 4}h18" stroke="{_colour(number)}" stroke-width="3"/>')
        items.append(f'<text x="{x + 24}" y="{y}">{escape(strategy)}</text>')
    return "".join(items)


def _panel(space: str, runs: Sequence[Run], optimum: float, strategies: Sequence[str]) -> str:
    curves = {
        strategy: np.array([run.curve[: min(each.budget for each in own)] for run in own]) / optimum
        for strategy in strategies
        if (own := [run for run in runs if run.strategy == strategy])
    }
    last = max(curve.shape[1] for curve in curves.values())
    most = max(float(np.quantile(curve, 0.9, axis=0)[0]) for curve in curves.values())
    frame = _Frame(last, max(most, 1.01))
    parts = [f'<text x="{LEFT}" y="14" font-weight="bold">{escape(space)}</text>', frame.axes()]
    for number, strategy in enumerate(strategies):
        if strategy in curves:
            parts.append(frame.curve(curves[strategy], _colour(number)))
    return "".join(parts)


class _Frame:
    """Logarithmic axes: evaluations from 1 to the last, times from the optimum to the most."""

    def __init__(self, last: int, most: float) -> None:
        self._last, self._most = last, most

    def _x(self, evaluations: NDArray[Any]) -> NDArray[Any]:
        places: NDArray[Any] = LEFT + (WIDTH - LEFT - RIGHT) * np.log(evaluations) / np.log(max(self._last, 2))
        return places

    def _y(self, ratios: NDArray[Any]) -> NDArray[Any]:
        share = np.log(np.clip(ratios, 1, self._most)) / np.log(self._most)
        places: NDArray[Any] = TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)
        return places

    def axes(self) -> str:
        """Grid and labels."""
        parts = []
        for value in (1, 10, 100, 1000):
            if value <= self._last:
                x = float(self._x(np.array(value)))
                parts.append(f'<path d="M{x:.0f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e4e7eb"/>')
                parts.append(f'<text x="{x:.0f}" y="{HEIGHT - 14}" text-anchor="middle">{value}</text>')
        for value in np.geomspace(1, self._most, 4):
            y = float(self._y(np.array(value)))
            parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#e4e7eb"/>')
            parts.append(f'<text x="{LEFT - 4}" y="{y + 4:.0f}" text-anchor="end">{value:.3g}</text>')
        return "".join(parts)

    def curve(self, ratios: NDArray[np.float64], colour: str) -> str:
        """Mean and band of curves, shape (repeats, evaluations)."""
        places = np.unique(np.geomspace(1, ratios.shape[1], POINTS).round().astype(int))
        low, high = np.quantile(ratios[:, places - 1], BAND, axis=0)
        across = self._x(places)
        band = _path(np.concatenate([across, across[::-1]]), self._y(np.concatenate([high, low[::-1]])))
        mean = _path(across, self._y(ratios[:, places - 1].mean(axis=0)))
        return (
            f'<path d="{band}Z" fill="{colour}" fill-opacity=".12"/>'
            f'<path d="{mean}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )


def _path(across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, down, strict=True))


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
