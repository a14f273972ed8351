"""Lines of an export: JSON objects, one a measurement or a winner, each complete in itself.

Every line has `kind`, `workload` (the parts of its key), `config`, `status`, `samples`, `machine` (its fingerprint and
description) and `versions`. A winner is a proven measurement, so its status is `ok`; it adds the samples of the default
and the interval of their ratio.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autotune.database import canonical
from autotune.database.winner import Winner
from autotune.errors import FormatError
from autotune.machine import fields
from autotune.measure.measurement import Measurement, Status

_WHERE = "a line"


@dataclass(frozen=True)
class Entry:
    """A measurement with the name of its run, or a winner; `machine` describes the machine it was made on."""

    value: Measurement | Winner
    machine: Mapping[str, Any]
    run: str | None = None


@dataclass(frozen=True)
class Rejection:
    """A line, counted from 1, that was not taken, with the reason."""

    line: int
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """What became of the lines of an import; `rejections` explains the first of the `rejected` ones."""

    added: int
    already_there: int
    rejected: int
    rejections: tuple[Rejection, ...]


def line_of(entry: Entry) -> str:
    """The line of an export, without its end."""
    if isinstance(entry.value, Winner):
        extra: dict[str, Any] = {"kind": "winner", "status": Status.OK.value}
    else:
        extra = {"kind": "measurement", "run": entry.run}
    machine = {**entry.machine, "fingerprint": entry.value.machine}
    return canonical.dumps(
        {**entry.value.to_json(), **extra, "workload": canonical.loads(entry.value.workload), "machine": machine}
    )


def entry_of(line: str | bytes) -> Entry:
    """Reads a line; raises `FormatError` where it is not one of an export."""
    data = fields.mapping(canonical.loads(line), where=_WHERE)
    machine = dict(fields.field(data, "machine", dict, where=_WHERE))
    fingerprint = fields.typed(machine.pop("fingerprint", None), str, where="fingerprint of a machine")
    key = canonical.dumps(fields.field(data, "workload", dict, where=_WHERE))
    flat = {**data, "workload": key, "machine": fingerprint}
    try:
        return _entry(fields.field(data, "kind", str, where=_WHERE), flat, machine)
    except OverflowError as error:  # a whole number beyond the largest float
        raise FormatError(str(error)) from error


def _entry(kind: str, data: Mapping[str, Any], machine: Mapping[str, Any]) -> Entry:
    if kind == "winner":
        return Entry(Winner.from_json(data), machine)
    if kind == "measurement":
        run = data.get("run")
        return Entry(Measurement.from_json(data), machine, None if run is None else fields.typed(run, str, where="run"))
    message = f"kind of a line must be measurement or winner, not {kind!r:.80}"
    raise FormatError(message)
