"""What the words of a command mean: sizes, directions, durations, lists. Raises UsageError that quotes the word."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress

from autotune.errors import UsageError

_NAME = re.compile(r"[^\W\d]\w*")
_DURATION = re.compile(r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+(?:\.\d+)?)s?)?", re.ASCII)
_LARGEST = 2**40  # elements along one axis: no memory holds more


def shapes(text: str) -> dict[str, int | tuple[int, ...]]:
    """Extents by name, "m=1024,k=512", or shapes by tensor, "a=1024x512", or both."""
    found: dict[str, int | tuple[int, ...]] = {}
    for part in _parts(text, "--size"):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not _NAME.fullmatch(name):
            message = f"--size takes name=extent pairs such as m=1024,n=1024,k=1024, not {part!r}"
            raise UsageError(message)
        if name in found:
            message = f"--size gives {name} twice"
            raise UsageError(message)
        sizes = tuple(_extent(name, word) for word in value.split("x"))
        found[name] = sizes if "x" in value else sizes[0]
    return found


def options(texts: Sequence[str] | None) -> dict[str, int | float | bool]:
    """Options by name, "stride=2,causal=true", given once or several times."""
    found: dict[str, int | float | bool] = {}
    for part in (part for text in texts or () for part in _parts(text, "--option")):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not _NAME.fullmatch(name):
            message = f"--option takes name=value pairs such as stride=2,causal=true, not {part!r}"
            raise UsageError(message)
        if name in found:
            message = f"--option gives {name} twice"
            raise UsageError(message)
        found[name] = _option(name, value)
    return found


def listed(text: str, option: str) -> tuple[str, ...]:
    """Words separated by commas, each once."""
    return tuple(dict.fromkeys(_parts(text, option)))


def chosen(text: str, option: str, known: Collection[str]) -> tuple[str, ...]:
    """Words of those `known`."""
    found = listed(text, option)
    for word in found:
        if word not in known:
            message = f"{option} takes {', '.join(known)}, not {word!r}"
            raise UsageError(message)
    return found


def counts(text: str, option: str) -> tuple[int, ...]:
    """Whole numbers of at least 1 separated by commas, each once."""
    return tuple(dict.fromkeys(_count(word, option) for word in _parts(text, option)))


def dimensions(text: str, option: str) -> tuple[tuple[int, ...], ...]:
    """Sizes as products: "1024,17x33x65" gives (1024, 1024, 1024) and (17, 33, 65)."""
    found = []
    for word in _parts(text, option):
        sizes = tuple(_count(part, option) for part in word.split("x"))
        found.append(sizes * 3 if len(sizes) == 1 else sizes)
    return tuple(dict.fromkeys(found))


def seconds(text: str) -> float:
    """A duration such as "90s", "2m", "1h30m" or "45" (seconds)."""
    match = _DURATION.fullmatch(text.strip())
    total = (
        sum(float(match[unit] or 0) * length for unit, length in (("hours", 3600), ("minutes", 60), ("seconds", 1)))
        if match
        else 0.0
    )
    if total <= 0:
        message = f"--time takes a duration such as 90s, 2m or 1h30m, not {text!r}"
        raise UsageError(message)
    return total


def _parts(text: str, option: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        message = f"{option} has an empty part: {text!r}"
        raise UsageError(message)
    return parts


def _option(name: str, word: str) -> int | float | bool:
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return kind(word)
    message = f"--option: the value of {name} must be a number, true or false, not {word!r}"
    raise UsageError(message)


def _extent(name: str, word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or not 1 <= int(word) <= _LARGEST:
        message = f"--size: the extent of {name} must be a whole number of at least 1, not {word!r}"
        raise UsageError(message)
    return int(word)


def _count(word: str, option: str) -> int:
    if not (word.isascii() and word.isdecimal()) or not 1 <= int(word) <= _LARGEST:
        message = f"{option} takes whole numbers of at least 1, not {word!r}"
        raise UsageError(message)
    return int(word)
