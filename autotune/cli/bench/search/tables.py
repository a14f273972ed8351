"""Exhaustive tables: a space with every config's time, read from `NAME.csv` or `NAME.csv.gz`."""

import csv
import gzip
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autotune.errors import AutotuneError, FormatError, UsageError
from autotune.schedule.space import Indices, Space, Value
from autotune.search.listed import listed

TIME = "time_ms"
SUFFIXES = (".csv.gz", ".csv")


@dataclass(frozen=True)
class Table:
    """A space, its configs as positions, shape (configs, knobs), and their times in ms; infinite for a failure.

    `folder` is where it was read from, with whatever else lies there.
    """

    name: str
    space: Space
    rows: Indices
    times: NDArray[np.float64]
    folder: Path | None = None

    @cached_property
    def places(self) -> dict[bytes, int]:
        """The number of a config in the table, by the bytes of its row."""
        return {row.tobytes(): place for place, row in enumerate(self.rows)}

    @property
    def worst(self) -> float:
        """The longest time that is one."""
        return float(self.times[np.isfinite(self.times)].max())


def tables(folder: Path) -> tuple[Path, ...]:
    """The files of tables in a folder, by name; `UsageError` where there are none."""
    found = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES)) if folder.is_dir() else []
    if not found:
        message = f"{folder} holds no tables: NAME.csv or NAME.csv.gz, a column for each knob and then {TIME}"
        raise UsageError(message)
    return tuple(found)


def name_of(path: Path) -> str:
    """The name of a table's file without its ending."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def load(path: Path) -> Table:
    """The table in a file; `FormatError` where it is none, or none of its configs has a time."""
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as stream:
            header, *lines = csv.reader(stream)
        if header[-1:] != [TIME] or not lines or any(len(line) != len(header) for line in lines):
            message = f"the first line must name the knobs and then {TIME}, and the others have a value of each"
            raise FormatError(message)
        columns = list(zip(*lines, strict=True))
        space = listed({name: values(column) for name, column in zip(header[:-1], columns[:-1], strict=True)})
        times = np.array([_time(text) for text in columns[-1]], dtype=np.float64)
    except (OSError, ValueError, AutotuneError) as error:
        message = f"{path} is no table of a space: {error}"
        raise FormatError(message) from error
    if not np.isfinite(times).any():
        message = f"{path} has no config with a time"
        raise FormatError(message)
    configs = [
        dict(zip(header[:-1], row, strict=True))
        for row in zip(*(values(column) for column in columns[:-1]), strict=True)
    ]
    return Table(name_of(path), space, space.indices(configs), times, path.parent)


def values(texts: Iterable[str]) -> tuple[Value, ...]:
    """The values of a knob: whole numbers where all are, else numbers where all are, else text."""
    texts = tuple(texts)
    for kind in (int, float):
        with suppress(ValueError):
            return tuple(kind(text) for text in texts)
    return texts


def _time(text: str) -> float:
    """A time above 0; infinite where there is none."""
    time = float(text) if text.strip() else math.inf
    if math.isnan(time) or time <= 0:
        message = f"a {TIME} must be more than 0, or empty for a failure, not {text!r}"
        raise ValueError(message)
    return time
