"""The rows of a bench of kernels: how many times faster than the best peer, and how near to the machine's limits."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from autotune.figures import theme as look
from autotune.figures.theme import LIGHT, Theme

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = {"compute": look.SERIES[1], "memory": look.SERIES[0]}
SYMBOLS = ("circle", "diamond", "square", "cross")
PYTORCH = "torch"


def against_peers(rows: Iterable[Mapping[str, Any]], *, theme: Theme = LIGHT) -> "Figure":
    """A point a row of `bench kernels`: kernels downwards, ratios to the best peer along a logarithmic axis.

    Colours tell what bounds a row, symbols its number of threads.
    """
    compared = [row for row in rows if row["ratio"] is not None]
    if not compared:
        return look.nothing(theme, "no row has a peer")
    figure = look.figure(theme, height=150 + 24 * len({row["kernel"] for row in compared}))
    threads = sorted({row["threads"] for row in compared})
    for bound, colour in COLOURS.items():
        for place, count in enumerate(threads):
            group = [row for row in compared if (row["bound"], row["threads"]) == (bound, count)]
            if group:
                figure.add_scatter(
                    x=[row["ratio"] for row in group],
                    y=[look.label(row["kernel"]) for row in group],
                    mode="markers",
                    name=f"{bound}-bound, {count} thread{'s' if count > 1 else ''}",
                    marker={"color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9, "opacity": 0.75},
                    text=[_hover(row) for row in group],
                    hoverinfo="text",
                )
    figure.add_vline(x=1, line={"color": look.MUTED, "dash": "dash", "width": 1})
    figure.update_layout(showlegend=True)
    figure.update_xaxes(type="log", title="best peer's time / ours", dtick="D2", tickformat="~g")
    figure.update_yaxes(categoryorder="category descending", ticks="", tickfont={"size": 12})
    return figure


def _hover(row: Mapping[str, Any]) -> str:
    peers: Mapping[str, float] = row["peers"]
    size = ",".join(f"{name}={extent}" for name, extent in row["size"].items())
    found = [
        f"{row['kernel']} {row['direction']} {size}",
        f"{row['ms']:.4g} ms, {100 * row['roofline']:.0f} % of roofline",
        f"{row['ratio']:.2f} times as fast as {min(peers, key=peers.__getitem__)}",
    ]
    if PYTORCH in peers:
        found.append(f"{peers[PYTORCH] / row['ms']:.2f} times as fast as PyTorch")
    return look.lines(*found)
