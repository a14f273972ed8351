"""Long tables in pages."""

from itertools import pairwise

from dash import html
from dash.development.base_component import Component

from autotune.dashboard.address import Address
from autotune.dashboard.components import pages

SIZE = 25


def offset(address: Address) -> int:
    """Rows before those of the page that an address asks for."""
    return SIZE * (max(1, address.number("page", 1)) - 1)


def turner(address: Address, total: int) -> Component:
    """Links to the first, the neighbouring and the last pages; nothing where one page holds all."""
    last = -(-total // SIZE)
    if last < 2:
        return html.Div()
    current = min(last, max(1, address.number("page", 1)))
    near = sorted({1, *range(max(1, current - 2), min(last, current + 2) + 1), last})
    links: list[tuple[str, str] | None] = []
    for before, page in pairwise([0, *near]):
        links += [None] if page > before + 1 else []
        links.append((f"{page:,}", address.with_(page=page)))
    return pages(links, f"{current:,}")
