"""Colours and the look of all figures, light and dark: one meaning, one colour, on either background."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from autotune.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
# Told apart by people who confuse red and green too: they differ in lightness (after Okabe and Ito 2008).
SERIES = ("#3878c7", "#d9822b", "#2f9e78", "#a05fb4", "#c9a227", "#5aa9d6", "#b4585c", "#7d8590")
BEST, DEFAULT, ROOFLINE, FAILED = "#3878c7", "#d9822b", "#2f9e78", "#c94f5d"
MUTED = "#8b93a0"
STATUSES = {
    "ok": "#3878c7",
    "build_error": "#d9822b",
    "crash": "#c94f5d",
    "timeout": "#a05fb4",
    "wrong_result": "#c9a227",
    "out_of_memory": "#7d8590",
    "run_error": "#8c564b",
}
SCALE = ((0.0, "#3878c7"), (0.5, "#9a8fb0"), (1.0, "#d9822b"))  # fast to slow


@dataclass(frozen=True)
class Theme:
    """What differs between light and dark: text, grid and the surface that hover labels stand on."""

    name: str
    text: str
    grid: str
    surface: str


LIGHT = Theme("light", text="#30363d", grid="#e4e7eb", surface="#ffffff")
DARK = Theme("dark", text="#c9d1d9", grid="#2b323b", surface="#1c2128")


def graph_objects() -> "ModuleType":
    """Plotly's figures; raises `UsageError` where it is not installed."""
    try:
        import plotly.graph_objects as found
    except ImportError as error:
        message = "figures need Plotly: pip install 'autotune[dashboard]'"
        raise UsageError(message) from error
    module: ModuleType = found
    return module


def layout(theme: Theme) -> dict[str, Any]:
    """Plotly's template of a theme, as data: a page that is shown light or dark exchanges one for the other."""
    axis = {
        "gridcolor": theme.grid,
        "linecolor": theme.grid,
        "zerolinecolor": theme.grid,
        "tickcolor": theme.grid,
        "ticks": "outside",
        "ticklen": 4,
        "showline": True,
        "title": {"standoff": 10, "font": {"size": 13}},
        "automargin": True,
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 12, "color": theme.text},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(SERIES),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 64, "r": 24, "t": 24, "b": 56},
            "hoverlabel": {"bgcolor": theme.surface, "bordercolor": theme.grid, "font": {"color": theme.text}},
            "hovermode": "closest",
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
            "annotationdefaults": {"font": {"color": theme.text, "size": 12}, "showarrow": False},
        }
    }


def figure(theme: Theme, *, height: int = 360) -> Any:
    """An empty figure of that look, `height` pixels high and as wide as its place."""
    # At once: `update_layout` would check the template leaf by leaf, which takes 110 ms (Zen 3) instead of 4.
    return graph_objects().Figure(layout={"template": layout(theme), "height": height})


def nothing(theme: Theme, reason: str) -> Any:
    """A figure that says why there is nothing to see."""
    made = figure(theme, height=160)
    made.update_xaxes(visible=False)
    made.update_yaxes(visible=False)
    made.add_annotation(text=label(reason), x=0.5, y=0.5, xref="paper", yref="paper")
    return made


def empty(made: Any) -> str | None:
    """Why there is nothing to see in a figure, as a label; None where there is something."""
    if made.data:
        return None
    return str(made.layout.annotations[0].text) if made.layout.annotations else ""


def label(text: object) -> str:
    """Text as it is, for a place where Plotly would take parts of it for markup."""
    return escape(str(text), quote=False)


def lines(*texts: str) -> str:
    """Labels one below the other, for a hover text."""
    return "<br>".join(label(text) for text in texts)
