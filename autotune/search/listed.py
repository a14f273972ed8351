"""Spaces given as a table: every valid config listed, as a file of measurements does."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.errors import ConfigError
from autotune.schedule.space import Constraint, Knob, Space, Value


def listed(columns: Mapping[str, Sequence[Value]]) -> Space:
    """The space of the configs that are listed, the values of each knob in one sequence of equal length.

    A knob is ordered where its values are numbers. The space joins knob after knob and keeps only beginnings of listed
    configs, so the Cartesian product is never looked at, however large. Raises `ConfigError` where nothing is listed,
    lengths differ or a config is listed twice.
    """
    counts = {name: len(values) for name, values in columns.items()}
    if len(set(counts.values())) != 1 or not all(counts.values()):
        message = f"a listed space needs one value of every knob for each config, and one config at least: {counts}"
        raise ConfigError(message)
    knobs = tuple(_knob(name, values) for name, values in columns.items())
    rows = np.stack([_positions(knob, columns[knob.name]) for knob in knobs], axis=1)
    if len(np.unique(rows, axis=0)) != len(rows):
        message = "a listed space cannot hold a config twice"
        raise ConfigError(message)
    digest = hashlib.sha256(rows[np.lexsort(rows.T)].tobytes()).hexdigest()[:12]
    constraints = [_beginning(knobs[:count], rows[:, :count], digest) for count in range(2, len(knobs) + 1)]
    return Space(knobs, tuple(constraints))


def _knob(name: str, values: Sequence[Value]) -> Knob:
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        return Knob(name, tuple(sorted(set(values))))
    known = {(type(value).__name__, value): value for value in values}
    return Knob(name, tuple(known[key] for key in sorted(known, key=repr)), ordered=False)


def _positions(knob: Knob, values: Sequence[Value]) -> NDArray[np.int64]:
    return np.array([knob.index(value) for value in values], dtype=np.int64)


def _beginning(knobs: Sequence[Knob], rows: NDArray[np.int64], digest: str) -> Constraint:
    """Some config that is listed begins with these values."""
    known = np.unique(rows, axis=0)
    codes = _codes(known, knobs)
    order = np.argsort(codes, kind="stable")
    codes = codes[order]

    def holds(*columns: NDArray[Any]) -> NDArray[np.bool_]:
        positions = np.stack([_find(knob, column) for knob, column in zip(knobs, columns, strict=True)], axis=1)
        asked = _codes(positions, knobs)
        places = np.minimum(np.searchsorted(codes, asked), len(codes) - 1)
        found: NDArray[np.bool_] = codes[places] == asked
        return found

    names = tuple(knob.name for knob in knobs)
    return Constraint(names, holds, f"a config of table {digest} begins so")


def _find(knob: Knob, column: NDArray[Any]) -> NDArray[np.int64]:
    if knob.ordered:
        return np.searchsorted(np.array(knob.values), column)
    return np.array([knob.index(value) for value in column.tolist()], dtype=np.int64)


def _codes(positions: NDArray[np.int64], knobs: Sequence[Knob]) -> NDArray[np.int64]:
    """Rows as numbers, digits in the mixed radix of the knobs' counts."""
    codes = np.zeros(len(positions), dtype=np.int64)
    for column, knob in enumerate(knobs):
        codes = codes * len(knob.values) + positions[:, column]
    return codes
