"""What changes a page: its address, the clock, the theme, filters and buttons."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from dash import ALL, MATCH, Dash, Input, Output, State, dcc, html, no_update

from autotune.dashboard.address import Address
from autotune.dashboard.ahead import Ahead, Made
from autotune.dashboard.components import aria
from autotune.dashboard.rendering import GONE, LATER, PAGES, assembly, render, render_later, stamp
from autotune.figures import DARK, LIGHT
from autotune.runtime import TunedKernel

LINKS = {"/": "Runs", "/workloads": "Workloads", "/compare": "Compare"}
THEMES = {"light": LIGHT, "dark": DARK}


def add(app: Dash, place: str, kernels: Sequence[TunedKernel]) -> None:
    """All callbacks of the application for the database at `place`."""

    def made(address: Address, theme: str) -> Made:
        now = stamp(place)
        return now, render(address, place, THEMES.get(theme, LIGHT), kernels)

    ahead = Ahead(made)
    ahead.watch(app.server, PAGES)
    _in_the_browser(app)
    _page(app, place, ahead, made)
    _filters(app)
    _parts(app, place, kernels)


def _in_the_browser(app: Dash) -> None:
    app.clientside_callback(  # type: ignore[no-untyped-call]
        "(clicks) => clicks ? window.autotuneTheme.toggle() : window.autotuneTheme.current()",
        Output("theme", "data"),
        Input("toggle", "n_clicks"),
    )

    # Dash throws away the answer to a request that another of the same callback follows. A tick must not follow one
    # that is still being answered, or a page that takes longer than a tick would never be seen.
    app.clientside_callback(  # type: ignore[no-untyped-call]
        "(ticks) => document.querySelector('#rest[data-dash-is-loading]') ? window.dash_clientside.no_update : ticks",
        Output("tick", "data"),
        Input("clock", "n_intervals"),
        prevent_initial_call=True,
    )


def _page(app: Dash, place: str, ahead: Ahead, made: Callable[[Address, str], Made]) -> None:
    @app.callback(
        Output("live", "children"),
        Output("rest", "children"),
        Output("shown", "data"),
        Output("links", "children"),
        Input("place", "pathname"),
        Input("place", "search"),
        Input("theme", "data"),
        Input("tick", "data"),
        State("shown", "data"),
    )
    def show(
        path: str | None, search: str | None, theme: str | None, tick: int | None, shown: dict[str, Any] | None
    ) -> Any:
        """What is shown decides what is to be done, not what has triggered this: the answer before may be lost."""
        del tick
        if theme is None:
            return no_update, no_update, no_update, no_update
        address = Address.parse(path, search)
        wanted = {"path": path, "search": search, "theme": theme}
        before = (shown or {}).get("stamp")
        only_time = shown is not None and shown == wanted | {"stamp": before}
        if only_time and before == stamp(place):
            return no_update, no_update, no_update, no_update
        now, page = (ahead.take(address, theme) if shown is None else None) or made(address, theme)
        # A database that went away takes the whole page with it, and one that came back brings it again.
        same = only_time and not {before, now} & {GONE}
        links = no_update if only_time else _links(address.path)
        return page.live, no_update if same else page.rest, wanted | {"stamp": now}, links


def _filters(app: Dash) -> None:
    @app.callback(
        Output("place", "search"),
        Input({"type": "filter", "name": ALL}, "value"),
        State({"type": "filter", "name": ALL}, "id"),
        State("place", "pathname"),
        State("place", "search"),
        prevent_initial_call=True,
    )
    def choose(values: list[str | None], names: list[dict[str, str]], path: str | None, search: str | None) -> Any:
        address = Address.parse(path, search)
        chosen = {name["name"]: value or None for name, value in zip(names, values, strict=True)}
        if not chosen or all(address.text(name) == value for name, value in chosen.items()):
            return no_update
        return "?" + urlsplit(address.with_(**chosen, page=None)).query


def _parts(app: Dash, place: str, kernels: Sequence[TunedKernel]) -> None:
    @app.callback(
        Output({"type": "later", "part": MATCH}, "children"),
        Input({"type": "ask", "part": MATCH}, "n_clicks"),
        State({"type": "ask", "part": MATCH}, "id"),
        State("place", "pathname"),
        State("place", "search"),
        State("theme", "data"),
        prevent_initial_call=True,
    )
    def follow(
        clicks: int | None, identity: dict[str, str], path: str | None, search: str | None, theme: str | None
    ) -> Any:
        if not clicks or identity["part"] not in LATER:
            return no_update
        address = Address.parse(path, search)
        return render_later(identity["part"], address, place, THEMES.get(theme or "", LIGHT), kernels)

    @app.callback(
        Output({"type": "assembly", "trial": ALL}, "children"),
        Input({"type": "assemble", "trial": ALL}, "n_clicks"),
        State({"type": "assemble", "trial": ALL}, "id"),
        prevent_initial_call=True,
    )
    def assemble(clicks: list[int | None], names: list[dict[str, int]]) -> Any:
        if not any(clicks):
            return [no_update] * len(names)
        return [assembly(int(name["trial"]), place, kernels) for name in names]


def _links(current: str) -> list[Any]:
    """The main pages; a link to the current one would lead nowhere."""
    return [
        aria(html.Span(name), current="page") if path == current else dcc.Link(name, href=path)
        for path, name in LINKS.items()
    ]
