"""Serving the dashboard, to this machine only."""

import errno
import socket
from collections.abc import Callable, Sequence

from werkzeug.serving import WSGIRequestHandler, make_server

from autotune.dashboard.app import make_app
from autotune.database import Database
from autotune.errors import UsageError
from autotune.runtime import TunedKernel

HOST = "127.0.0.1"


class Quiet(WSGIRequestHandler):
    """Without a line for every request: a live page makes one every two seconds."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing; errors are still logged."""


def serve(
    place: str, *, port: int, kernels: Sequence[TunedKernel] = (), ready: Callable[[str], None] = lambda _: None
) -> None:
    """Serves the database at `place` until Ctrl-C; `ready` gets the address once it answers. Port 0 is any free one.

    Raises `DatabaseError` where the database cannot be read and `UsageError` where the port is taken.
    """
    Database.open(place, read_only=True).close()
    listener = _listen(port)
    app = make_app(place, kernels)
    with listener:
        server = make_server(
            HOST, listener.getsockname()[1], app.server, threaded=True, request_handler=Quiet, fd=listener.fileno()
        )
        try:
            ready(f"http://{HOST}:{server.port}/")
            server.serve_forever()
        finally:
            server.server_close()


def _listen(port: int) -> socket.socket:
    """A socket on the port; bound before anything slow, so that a port in use is said at once."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} is in use, perhaps by another dashboard: choose another, or 0 for any free one"
        elif error.errno == errno.EACCES:
            message = f"port {port} may not be used by this user: choose one from 1024, or 0 for any free one"
        else:
            message = f"port {port} cannot be used: {error.strerror}"
        raise UsageError(message) from error
    return listener
