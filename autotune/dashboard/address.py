"""Addresses of pages: a path and what follows its question mark."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from autotune.errors import UsageError


@dataclass(frozen=True)
class Address:
    """A page with what it is to show."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, path: str | None, search: str | None) -> "Address":
        """The address in a browser's bar; of a name given twice the last counts."""
        return cls(path or "/", dict(parse_qsl((search or "").lstrip("?"))))

    def text(self, name: str) -> str | None:
        """A part of the query, None where it is not there or empty."""
        return self.query.get(name) or None

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number of at least 0; raises `UsageError` where it is none, or not there without a default."""
        written = self.query.get(name)
        if written is None and default is not None:
            return default
        if written is None or not (written.isascii() and written.isdecimal()) or int(written) >= 2**63:
            message = f"the address needs a whole number as {name}, not {written!r}"
            raise UsageError(message)
        return int(written)

    def with_(self, **changes: str | int | None) -> str:
        """The same page with other parts, as a link; None takes a part away."""
        return link(self.path, **{**self.query, **changes})


def link(path: str, **query: str | int | None) -> str:
    """A link within the dashboard."""
    parts = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(parts)}" if parts else path
