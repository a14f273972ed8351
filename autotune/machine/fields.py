"""Checked access to the fields of plain data that was read from a file, a database or another program."""

from collections.abc import Mapping
from typing import Any, TypeVar

from autotune.errors import FormatError

T = TypeVar("T")


def mapping(data: object, *, where: str) -> Mapping[str, Any]:
    """`data` as a mapping with text keys; raises FormatError that names `where` otherwise."""
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        message = f"{where} must be an object with named fields, not {data!r:.80}"
        raise FormatError(message)
    return data


def field(data: object, name: str, kind: type[T], *, where: str) -> T:
    """`data[name]`, which must be of type `kind` (a bool is no int, an int is taken for a float)."""
    fields = mapping(data, where=where)
    if name not in fields:
        message = f"{where} lacks the field {name!r}"
        raise FormatError(message)
    return typed(fields[name], kind, where=f"{name} of {where}")


def typed(value: object, kind: type[T], *, where: str) -> T:
    """`value`, which must be of type `kind` (a bool is no int, an int is taken for a float)."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        message = f"{where} must be of type {kind.__name__}, not {value!r:.80}"
        raise FormatError(message)
    return value
