"""The Dash application: its frame, who may talk to it, and what is put together in it."""

import importlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from dash import Dash, dcc, html
from flask import Response, request

from autotune import figures
from autotune.dashboard import callbacks, downloads
from autotune.dashboard.components import aria
from autotune.report.page import resource
from autotune.runtime import TunedKernel

LIVE_MILLISECONDS = 2000
# What Dash asks for once it has such a part, by the beginnings of addresses whose pages have one from the start:
# `assets/ahead.js` fetches it while the page is being made. It is not run before: Plotly's program takes 1.3 s (Zen 3),
# in which a browser shows nothing.
GRAPH = ("plotly/package_data/plotly.min.js", "dash/dcc/async-graph.js")
DROPDOWN = ("dash/dcc/async-dropdown.js",)
AHEAD = {
    "/workload?": GRAPH,
    "/workloads": DROPDOWN,
    "/compare": DROPDOWN,
    "/compare?left=run": GRAPH,
}
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
        assets_ignore="ahead",  # it stands in the head
        enable_mcp=False,
    )
    app.layout = _layout(place)
    _load()
    _guard(app)
    callbacks.add(app, place, kernels)
    downloads.add(app.server, place)
    return app


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
<script>window.autotuneScripts = {json.dumps(AHEAD)}</script>
<script src="/assets/ahead.js"></script>
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
