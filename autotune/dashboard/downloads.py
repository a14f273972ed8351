"""The data behind the pages as files, written as they are read, so that 10^6 measurements take no memory."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Protocol

from flask import Flask, Response, request

from autotune.dashboard.address import Address
from autotune.dashboard.pages.workloads import filters_of
from autotune.database import Database, canonical, views
from autotune.database.views import Trial, Tuned
from autotune.errors import AutotuneError, UsageError

Record = Mapping[str, Any]
Read = Callable[[Database, Address], Iterable[Record]]
PAGE = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet takes a text for a formula


def add(server: Flask, place: str) -> None:
    """Serves `/download/workloads.csv` and the like."""

    @server.get("/download/<what>.<kind>")
    def download(what: str, kind: str) -> Response:
        read, write = READERS.get(what), WRITERS.get(kind)
        if read is None or write is None:
            return Response(f"autotune: there is no download {what}.{kind}", 404, mimetype="text/plain")
        return _respond(place, Address(request.path, request.args.to_dict()), read, write)


class Writer(Protocol):
    """Records as text of one kind."""

    mimetype: str

    def lines(self, records: Iterable[Record]) -> Iterator[str]:
        """The text, a piece a record."""


def _respond(place: str, address: Address, read: Read, write: Writer) -> Response:
    """The database stays open while the file is sent; what fails before that is a text with its reason."""
    stack = ExitStack()
    try:
        database = stack.enter_context(Database.open(place, read_only=True))
        records = _ahead(read(database, address))
    except AutotuneError as error:
        stack.close()
        return Response(f"autotune: {error}", 404, mimetype="text/plain")
    response = Response(write.lines(records), mimetype=write.mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{address.path.rsplit("/", 1)[-1]}"'
    response.call_on_close(stack.close)
    return response


def _ahead(records: Iterable[Record]) -> Iterator[Record]:
    """The same with the first read already, so that what fails at once fails here."""
    rest = iter(records)
    first = list(zip(range(1), rest, strict=False))

    def every() -> Iterator[Record]:
        for _, record in first:
            yield record
        yield from rest

    return every()


def _workloads(database: Database, address: Address) -> Iterable[Record]:
    return map(_tuned, views.workloads(database, filters_of(address)))


def _tuned(each: Tuned) -> Record:
    key = each.key
    return {
        "kernel": key.kernel, "direction": key.direction, "size": key.extents, "dtype": key.dtype,
        "threads": key.threads, "machine": each.machine, "cpu": each.cpu, "measurements": each.measurements,
        "failed": each.failed, "best_seconds": each.best_seconds, "winner_seconds": each.seconds,
        "default_seconds": each.default_seconds, "gain": each.gain, "gain_low": each.ratio_low,
        "gain_high": each.ratio_high, "proven": each.proven, "definition": key.definition,
    }  # fmt: skip


def _measurements(database: Database, address: Address) -> Iterable[Record]:
    pair = address.number("workload"), address.number("machine")
    if views.tuned(database, *pair) is None:
        message = "nothing is known of this workload on this machine"
        raise UsageError(message)
    status = address.text("status")
    return map(_trial, views.every_trial(database, *pair, status=status, page=PAGE))


def _trial(each: Trial) -> Record:
    measured = each.measurement
    return {
        "id": each.identity, "run": each.run, "status": measured.status.value,
        "seconds": measured.seconds if measured.samples else None, "samples": list(measured.samples),
        "config": dict(measured.config), "error": measured.error, "started": measured.started,
        "build_seconds": measured.build_seconds, "stopped_early": measured.stopped_early, "load": measured.load,
        "machine": measured.machine, "source": measured.source, "versions": dict(measured.versions),
    }  # fmt: skip


class Csv:
    """A line a record under a line of names; what is no number or text is JSON."""

    mimetype = "text/csv; charset=utf-8"

    def lines(self, records: Iterable[Record]) -> Iterator[str]:
        """The text, a piece a record."""
        for number, record in enumerate(records):
            if not number:
                yield _line(record)
            yield _line(map(_cell, record.values()))


class Json:
    """A list of objects."""

    mimetype = "application/json"

    def lines(self, records: Iterable[Record]) -> Iterator[str]:
        """The text, a piece a record."""
        yield "["
        for number, record in enumerate(records):
            yield (",\n" if number else "\n") + json.dumps(record, allow_nan=False)
        yield "\n]\n"


READERS: dict[str, Read] = {"workloads": _workloads, "measurements": _measurements}
WRITERS: dict[str, Writer] = {"csv": Csv(), "json": Json()}


def _line(cells: Iterable[Any]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow(cells)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return canonical.dumps(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
