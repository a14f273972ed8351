"""The Dash application: addresses to pages, and what changes them."""

import importlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from dash import ALL, MATCH, Dash, Input, Output, State, dcc, html, no_update
from flask import Response, request

from autotune import figures
from autotune.dashboard import downloads
from autotune.dashboard.address import Address
from autotune.dashboard.components import Page, alert, aria
from autotune.dashboard.context import Context
from autotune.dashboard.pages import compare, runs, trial, workload, workloads
from autotune.database import Database, views
from autotune.errors import AutotuneError
from autotune.figures import DARK, LIGHT, Theme
from autotune.report.page import resource
from autotune.runtime import TunedKernel

PAGES = {
    "/": runs.render,
    "/workloads": workloads.render,
    "/workload": workload.render,
    "/trial": trial.render,
    "/compare": compare.render,
}
LATER = {"statistics": workload.statistics}
"""Parts that a page asks for once the rest of it is there."""
LINKS = {"/": "Runs", "/workloads": "Workloads", "/compare": "Compare"}
LIVE_MILLISECONDS = 2000
THEMES = {"light": LIGHT, "dark": DARK}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# All that a page may load or talk to is this server. Dash writes scripts into the page, Plotly compiles some charts.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def make_app(place: str, kernels: Sequence[TunedKernel] = ()) -> Dash:
    """The application for the database at `place`, a path or a URL; it is opened for every page anew, for reading."""
    app = Dash(
        __name__,
        title="autotune",
        update_title="",
        suppress_callback_exceptions=True,
        index_string=_index(),
        assets_folder="assets",
        enable_mcp=False,
    )
    app.layout = _layout(place)
    _load()
    _guard(app)
    _callbacks(app, place, kernels)
    downloads.add(app.server, place)
    return app


def render(address: Address, place: str, theme: Theme = LIGHT, kernels: Sequence[TunedKernel] = ()) -> Page:
    """The page of an address; what cannot be read or shown is a page that says why."""
    make = PAGES.get(address.path)
    if make is None:
        return Page("No such page", [alert(f"There is no page {address.path}.")])
    try:
        with Database.open(place, read_only=True) as database:
            return make(address, Context(database, theme, kernels))
    except AutotuneError as error:
        return Page("autotune", [alert(str(error))])


def render_later(
    part: str, address: Address, place: str, theme: Theme = LIGHT, kernels: Sequence[TunedKernel] = ()
) -> Any:
    """A part of a page that is asked for after the rest of it."""
    try:
        with Database.open(place, read_only=True) as database:
            return LATER[part](address, Context(database, theme, kernels))
    except AutotuneError as error:
        return alert(str(error))


def _index() -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
{{%metas%}}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{%title%}}</title>
{{%favicon%}}
{{%css%}}
<style>{_escaped(resource("base.css"))}</style>
<script>{_escaped(resource("theme.js"))}</script>
</head>
<body>
{{%app_entry%}}
<footer>{{%config%}}{{%scripts%}}{{%renderer%}}</footer>
</body>
</html>"""


def _escaped(text: str) -> str:
    """Without what Dash would take for a place to fill in."""
    return text.replace("{%", "{ %")


def _layout(place: str) -> Any:
    return html.Div(
        [
            dcc.Location(id="place", refresh="callback-nav"),
            dcc.Store(id="theme"),
            dcc.Store(id="shown"),
            dcc.Interval(id="clock", interval=LIVE_MILLISECONDS),
            dcc.Store(id="tick"),
            html.A("To the content", href="#content", className="skip"),
            html.Header(
                [
                    html.Span("autotune", className="brand"),
                    aria(html.Nav(id="links"), label="Main"),
                    html.Span(_shown(place), className="place mono", title="the database, opened for reading only"),
                    html.Button("Light or dark", id="toggle", type="button"),
                ]
            ),
            html.Main([html.Div(id="live"), html.Div(id="rest")], id="content", tabIndex="-1"),
        ]
    )


def _load() -> None:
    """Imports what the first requests would import at once in several threads, which Plotly and pandas do not stand."""
    importlib.import_module("sklearn.ensemble")
    importlib.import_module("sklearn.inspection")
    figures.best_so_far([])


def _links(current: str) -> list[Any]:
    """The main pages; a link to the current one would lead nowhere."""
    return [
        aria(html.Span(name), current="page") if path == current else dcc.Link(name, href=path)
        for path, name in LINKS.items()
    ]


def _shown(place: str) -> str:
    """The place of the database without a password."""
    parts = urlsplit(place)
    return place.replace(f":{parts.password}@", ":***@") if parts.password else place


def _guard(app: Dash) -> None:
    """Answers this machine only: another site's page could otherwise reach the port under a name of its own."""

    def refuse_other_hosts() -> Response | None:
        host = urlsplit(f"//{request.host}").hostname
        if host in LOOPBACK:
            return None
        return Response("autotune: the dashboard is at localhost and nowhere else", 403, mimetype="text/plain")

    def add_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    app.server.before_request(refuse_other_hosts)
    app.server.after_request(add_policy)


def _callbacks(app: Dash, place: str, kernels: Sequence[TunedKernel]) -> None:
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
        address, now = Address.parse(path, search), _stamp(place)
        wanted = {"path": path, "search": search, "theme": theme}
        before = (shown or {}).get("stamp")
        only_time = shown is not None and shown == wanted | {"stamp": before}
        if only_time and before == now:
            return no_update, no_update, no_update, no_update
        page = render(address, place, THEMES.get(theme, LIGHT), kernels)
        # A database that went away takes the whole page with it, and one that came back brings it again.
        same = only_time and not {before, now} & {GONE}
        links = no_update if only_time else _links(address.path)
        return page.live, no_update if same else page.rest, wanted | {"stamp": now}, links

    @app.callback(
        Output({"type": "later", "part": MATCH}, "children"),
        Input({"type": "later", "part": MATCH}, "id"),
        State("place", "pathname"),
        State("place", "search"),
        State("theme", "data"),
    )
    def follow(identity: dict[str, str], path: str | None, search: str | None, theme: str | None) -> Any:
        if identity["part"] not in LATER:
            return no_update
        return render_later(
            identity["part"], Address.parse(path, search), place, THEMES.get(theme or "", LIGHT), kernels
        )

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

    @app.callback(
        Output({"type": "assembly", "trial": ALL}, "children"),
        Input({"type": "assemble", "trial": ALL}, "n_clicks"),
        State({"type": "assemble", "trial": ALL}, "id"),
        prevent_initial_call=True,
    )
    def assemble(clicks: list[int | None], names: list[dict[str, int]]) -> Any:
        if not any(clicks):
            return [no_update] * len(names)
        return [_assembly(int(name["trial"]), place, kernels) for name in names]


GONE = "gone"


def _stamp(place: str) -> str:
    """What is different after every change of the database."""
    try:
        with Database.open(place, read_only=True) as database:
            return views.stamp(database)
    except AutotuneError:
        return GONE


def _assembly(identity: int, place: str, kernels: Sequence[TunedKernel]) -> Any:
    try:
        with Database.open(place, read_only=True) as database:
            return trial.assemblies(identity, Context(database, LIGHT, kernels))
    except AutotuneError as error:
        return alert(str(error))
