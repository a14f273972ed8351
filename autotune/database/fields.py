"""Checks of single values that come from a stored row or a line of an export, beyond those of `machine.fields`."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from autotune.database import canonical
from autotune.errors import FormatError
from autotune.machine.fields import mapping, typed

if TYPE_CHECKING:
    from autotune.schedule.space import Config

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00", re.ASCII)


def storable(text: str) -> str:
    """`text` with what PostgreSQL (NUL) or UTF-8 (lone surrogates) cannot hold written as an escape."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def text(value: object, *, where: str) -> str:
    """A text that every database can hold as it is."""
    checked = typed(value, str, where=where)
    if storable(checked) != checked:
        message = f"{where} must be without NUL and lone surrogates, not {checked!r:.80}"
        raise FormatError(message)
    return checked


def count(value: object, *, where: str, bits: int = 63) -> int:
    """A whole number of at least 0 that fits into so many bits."""
    checked = typed(value, int, where=where)
    if not 0 <= checked < 2**bits:
        message = f"{where} must be at least 0 and below 2**{bits}, not {value!r:.80}"
        raise FormatError(message)
    return checked


def numbers(value: object, *, where: str) -> tuple[float, ...]:
    """A list of numbers."""
    return tuple(typed(number, float, where=where) for number in typed(value, list, where=where))


def extents(value: object) -> dict[str, int]:
    """Axis extents, in elements."""
    return {name: count(extent, where=f"extent {name}") for name, extent in mapping(value, where="extents").items()}


def versions(value: object) -> dict[str, str]:
    """Names of programs with their versions."""
    named = mapping(value, where="versions")
    return {name: typed(version, str, where=f"version of {name}") for name, version in named.items()}


def config(value: object) -> "Config":
    """A config: names of knobs with their values."""
    knobs = dict(mapping(value, where="a config"))
    for name, setting in knobs.items():
        if not isinstance(setting, int | float | str | bool):
            message = f"knob {name!r} of a config must be a number, a text or true/false, not {setting!r:.80}"
            raise FormatError(message)
    return knobs


def stored_config(written: object, digest: object) -> "Config":
    """The config of a row, if its digest bears it out: a flipped digit would be another, unproven config."""
    if canonical.digest(text(written, where="a config")) != digest:
        message = "the config does not match its digest"
        raise FormatError(message)
    return config(canonical.loads(written))


def moment(value: object, *, where: str) -> str:
    """A time in UTC as `2026-01-31T12:00:00.5+00:00`: one spelling, so that the order of texts is that of times."""
    written = text(value, where=where)
    try:
        parsed = datetime.fromisoformat(written)
        in_utc = parsed.astimezone(UTC).isoformat() if parsed.tzinfo else None
    except (ValueError, OverflowError):
        in_utc = None
    if in_utc is None:
        message = f"{where} must be an ISO 8601 time with its zone, not {written!r:.80}"
        raise FormatError(message)
    return written if _MOMENT.fullmatch(written) else in_utc
