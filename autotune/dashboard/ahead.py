"""Pages that are made while a browser still reads the program that will ask for them."""

from collections.abc import Callable, Container
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

from flask import Flask, request

from autotune.dashboard.address import Address
from autotune.dashboard.components import Page

COOKIE = "autotune-theme"
"""Where the browser says which theme it shows; `assets/theme_events.js` writes it."""
FRESH = 10.0  # seconds within which a page is asked for, or never
_Key = tuple[str, tuple[tuple[str, str], ...], str]
Made = tuple[str, Page]
"""A page with the stamp of the database that it was read from, or of one before."""


class Ahead:
    """The page of each address that was opened last, once. Threads may ask at the same time."""

    def __init__(self, make: Callable[[Address, str], Made]) -> None:
        self._make = make
        self._begun: dict[_Key, tuple[float, Future[Made]]] = {}
        self._thread = ThreadPoolExecutor(1, "ahead")

    def begin(self, address: Address, theme: str) -> None:
        """Make a page."""
        for key, (since, _) in tuple(self._begun.items()):
            if monotonic() - since > FRESH:
                self._begun.pop(key, None)
        self._begun[_key(address, theme)] = monotonic(), self._thread.submit(self._make, address, theme)

    def take(self, address: Address, theme: str) -> Made | None:
        """That page, where it was begun and not taken yet."""
        since, made = self._begun.pop(_key(address, theme), (0.0, None))
        return made.result() if made is not None and monotonic() - since <= FRESH else None

    def watch(self, server: Flask, paths: Container[str]) -> None:
        """Begin with every page that a browser opens at one of these paths."""

        def begin() -> None:
            if request.method == "GET" and request.path in paths:
                address = Address.parse(request.path, request.query_string.decode(errors="replace"))
                self.begin(address, request.cookies.get(COOKIE, "light"))

        server.before_request(begin)


def _key(address: Address, theme: str) -> _Key:
    return address.path, tuple(sorted(address.query.items())), theme
