"""An HTML file that needs nothing but itself: Plotly's program, figures as data, light and dark."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from autotune import markup
from autotune.figures import theme as look
from autotune.figures.theme import DARK, LIGHT, empty, graph_objects

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# The browser then refuses whatever is not in the file. Plotly compiles the program of some charts ('unsafe-eval').
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:"
)


@dataclass(frozen=True)
class Plot:
    """A figure with a sentence on how to read it."""

    figure: "Figure"
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a page: its title, and figures and tables (HTML made by `autotune.markup`) in their order.

    `wide` puts them below each other, else figures stand side by side where there is room. `level` is 2, or 3 for a
    part of the section before it.
    """

    title: str
    blocks: Sequence[Plot | str]
    wide: bool = True
    level: int = 2


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole file; raises `UsageError` where Plotly is not installed."""
    graph_objects()
    from plotly.offline import get_plotlyjs

    plots = [block for section in sections for block in section.blocks if isinstance(block, Plot)]
    numbers = iter(range(len(plots)))
    body = "\n".join(_section(section, place, numbers) for place, section in enumerate(sections))
    data = {
        "figures": [json.loads(plot.figure.to_json()) for plot in plots],
        "templates": {theme.name: look.layout(theme) for theme in (LIGHT, DARK)},
    }
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{markup.text(title)}</title>
<style>{resource("base.css")}{resource("page.css")}</style>
<script>{resource("theme.js")}</script>
</head>
<body>
<header><div><h1>{markup.text(title)}</h1><p>{markup.text(subtitle)}</p></div>
<button type="button" id="theme" class="quiet">Light or dark</button></header>
{_contents(sections)}
<main>
{body}
</main>
<script type="application/json" id="data">{_embedded(data)}</script>
<script>{get_plotlyjs()}</script>
<script>{resource("page.js")}</script>
</body>
</html>
"""


def resource(name: str) -> str:
    """The text of a file of this package."""
    return (files("autotune.report") / "resources" / name).read_text(encoding="utf-8")


def _section(section: Section, place: int, numbers: Iterator[int]) -> str:
    blocks = "".join(
        _figure(block, next(numbers)) if isinstance(block, Plot) else f'<div class="scroll">{block}</div>'
        for block in section.blocks
    )
    heading = f"<h{section.level}>{markup.text(section.title)}</h{section.level}>"
    layout = "wide" if section.wide else "pair"
    return f'<section id="part-{place}" class="{layout}">{heading}<div class="blocks">{blocks}</div></section>'


def _figure(plot: Plot, number: int) -> str:
    reason = empty(plot.figure)
    if reason is not None:
        return f'<p class="soft">{reason}</p>'  # a label: escaped already
    caption = markup.text(plot.caption)
    wide = " wide-plot" if plot.figure.data[0].type == "parcoords" else ""  # many axes need their room
    return (
        f'<figure><div class="plot{wide}" id="plot-{number}" style="height:{plot.figure.layout.height}px" role="img" '
        f'aria-label="{caption}"></div><figcaption>{caption}</figcaption></figure>'
    )


def _contents(sections: Sequence[Section]) -> str:
    if len(sections) < 2:
        return ""
    links = "".join(
        f'<li class="level-{section.level}"><a href="#part-{place}">{markup.text(section.title)}</a></li>'
        for place, section in enumerate(sections)
    )
    return f'<nav aria-label="Contents"><details><summary>Contents</summary><ol>{links}</ol></details></nav>'


def _embedded(data: Any) -> str:
    """JSON that can stand in a script: nothing in it ends the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
