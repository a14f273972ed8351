"""Canonical JSON: the one text of a value, so that equal values are equal texts with equal digests."""

import hashlib
import json
from typing import NoReturn

from autotune.errors import FormatError


def dumps(value: object) -> str:
    """JSON of `value` in ASCII with sorted keys and no spaces; raises `FormatError` for what JSON cannot hold."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FormatError(str(error)) from error


def loads(text: object) -> object:
    """The value of a JSON text; raises `FormatError` for anything else, NaN and endless nesting included."""
    if not isinstance(text, str | bytes):
        message = f"not JSON but {text!r:.80}"
        raise FormatError(message)
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise FormatError(message) from error
    return value


def digest(text: str) -> str:
    """First 128 bits of the text's SHA-256, in hex: enough that no two of 10^9 rows share one by chance."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is not a JSON number"
    raise ValueError(message)
