"""Export, import and merge: nothing is lost, nothing comes twice, nothing that is not a line of an export gets in."""

import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.database import Database, Winner
from autotune.machine import Machine
from autotune.measure.measurement import Measurement, Status

T = TypeVar("T")
Make: TypeAlias = Callable[..., T]

texts = st.text(st.integers(0, 0x10FFFF).map(chr), max_size=20)  # NUL and lone surrogates included
positive = st.floats(min_value=1e-300, max_value=1e300)
settings_of_knobs = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts | st.booleans()
configs = st.dictionaries(texts, settings_of_knobs, max_size=5)
some_samples = st.lists(positive, min_size=1, max_size=5).map(tuple)


@st.composite
def measurements(draw: st.DrawFn, example: Measurement) -> Measurement:
    status = draw(st.sampled_from(Status))
    return replace(
        example,
        config=draw(configs),
        status=status,
        samples=draw(some_samples) if status is Status.OK else (),
        error=draw(texts),
        versions=draw(st.dictionaries(texts, texts, max_size=3)),
        build_seconds=draw(st.floats(min_value=0, max_value=1e300)),
        stopped_early=draw(st.booleans()),
        load=draw(positive),
        started=f"2026-01-31T12:00:00.{draw(st.integers(0, 999_999)):06d}+00:00",
    )


@st.composite
def winners(draw: st.DrawFn, example: Winner) -> Winner:
    low, high = sorted((draw(positive), draw(positive)))
    return replace(
        example,
        config=draw(configs),
        samples=draw(some_samples),
        default_samples=draw(some_samples),
        ratio_low=low,
        ratio_high=high,
        proven=f"2026-01-31T12:00:{draw(st.integers(0, 59)):02d}+00:00",
    )


def export(database: Database) -> list[str]:
    stream = io.StringIO()
    database.export_jsonl(stream)
    return stream.getvalue().splitlines()


@contextmanager
def two_databases(empty: Path) -> Iterator[tuple[Database, Database]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(shutil.copy(empty, Path(folder) / name)) for name in ("a.db", "b.db")]
        with Database.open(paths[0]) as first, Database.open(paths[1]) as second:
            yield first, second


class TestRoundTrip:
    @given(data=st.data())
    @settings(max_examples=25, deadline=None)
    def test_of_anything_a_database_holds(
        self,
        data: st.DataObject,
        empty_database: Path,
        measurement: Make[Measurement],
        winner: Make[Winner],
        machine: Machine,
    ) -> None:
        with two_databases(empty_database) as (source, target):
            source.add_measurements(data.draw(st.lists(measurements(measurement()), max_size=5)), machine, run="study")
            for one in data.draw(st.lists(winners(winner()), max_size=3)):
                source.set_winner(one, machine)
            lines = export(source)
            report = target.import_jsonl(lines)
            assert (report.added, report.already_there, report.rejected) == (len(lines), 0, 0)
            assert export(target) == lines
            assert list(target.measurements(measurement().workload)) == list(
                source.measurements(measurement().workload)
            )
            assert target.winners() == source.winners()
            again = target.import_jsonl(lines)
            assert (again.added, again.already_there) == (0, len(lines))
            merged = source.merge(target)
            assert (merged.added, merged.already_there) == (0, len(lines))

    def test_by_merging_two_databases(
        self,
        empty_database: Path,
        measurement: Make[Measurement],
        winner: Make[Winner],
        machine: Machine,
        other_machine: Machine,
        key: Make[str],
    ) -> None:
        with two_databases(empty_database) as (first, second):
            first.add_measurements([measurement(1), measurement(2)], machine)
            first.set_winner(winner(1), machine)
            second.add_measurements([measurement(2), measurement(3)], machine)
            second.set_winner(winner(2), machine)
            second.set_winner(winner(machine=other_machine.fingerprint), other_machine)
            report = first.merge(second)
            assert (report.added, report.already_there, report.rejected) == (3, 1, 0)
            assert list(first.measurements(key())) == [measurement(1), measurement(2), measurement(3)]
            assert first.winner(key(), machine.fingerprint) == winner(2)
            assert second.merge(first).added == 2
            assert second.winner(key(), machine.fingerprint) == winner(2)

    def test_is_the_same_on_every_kind_of_database(
        self,
        database: Database,
        empty_database: Path,
        measurement: Make[Measurement],
        winner: Make[Winner],
        machine: Machine,
    ) -> None:
        with two_databases(empty_database) as (source, target):
            source.add_measurements([measurement(number) for number in range(1100)], machine)
            source.set_winner(winner(), machine)
            assert database.merge(source).added == 1101
            assert database.merge(source).already_there == 1101
            assert target.merge(database).added == 1101
            assert export(target) == export(source)

    def test_of_a_damaged_description_keeps_the_measurements(
        self, empty_database: Path, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        with two_databases(empty_database) as (source, target):
            source.add_measurement(measurement(), machine)
            with source.engine.begin() as connection:
                connection.exec_driver_sql("UPDATE machines SET description = '{'")
            assert source.machines() == {}
            assert target.merge(source).added == 1
            assert list(target.measurements(key())) == [measurement()]


class TestLines:
    @pytest.fixture
    def lines(
        self, database_path: Path, measurement: Make[Measurement], winner: Make[Winner], machine: Machine
    ) -> list[dict[str, Any]]:
        with Database.open(database_path) as database:
            database.add_measurement(measurement(), machine, run="study")
            database.add_measurement(measurement(1, status=Status.TIMEOUT, samples=()), machine)
            database.set_winner(winner(), machine)
            return [json.loads(line) for line in export(database)]

    def test_all_hold_what_others_read(self, lines: list[dict[str, Any]], machine: Machine) -> None:
        assert [line["kind"] for line in lines] == ["measurement", "measurement", "winner"]
        assert [line["status"] for line in lines] == ["ok", "timeout", "ok"]
        for line in lines:
            assert {"workload", "config", "status", "samples", "machine", "versions"} <= line.keys()
            assert line["workload"]["extents"] == {"m": 16, "n": 24, "k": 32}
            assert line["machine"] == {"fingerprint": machine.fingerprint, **machine.to_json()}

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"kind": "kernel"}, "kind of a line"),
            ({"kind": None}, "kind of a line must be of type str"),
            ({"workload": "matmul"}, "workload of a line"),
            ({"workload": {"kernel": "matmul"}}, "canonical JSON|lacks the field"),
            ({"config": [1]}, "config of a measurement"),
            ({"config": {"rows": None}}, "knob 'rows'"),
            ({"config": {"rows": {"__import__": "os"}}}, "knob 'rows'"),
            ({"status": "fine"}, "status of a measurement"),
            ({"samples": "fast"}, "samples of a measurement"),
            ({"samples": [True]}, "a sample must be of type float"),
            ({"samples": [-1.0]}, "positive seconds"),
            ({"samples": [10**400]}, "too large"),
            ({"machine": "here"}, "machine of a line"),
            ({"machine": {"cpu": "Example 9"}}, "fingerprint of a machine"),
            ({"machine": {"fingerprint": "\0"}}, "fingerprint of a machine"),
            ({"versions": {"numba": 1}}, "version of numba"),
            ({"started": "now"}, "started of a measurement"),
            ({"build_seconds": "1"}, "build_seconds"),
            ({"run": 7}, "run"),
        ],
    )
    def test_that_are_none_are_rejected_with_a_reason(
        self, lines: list[dict[str, Any]], empty_database: Path, change: dict[str, Any], reason: str
    ) -> None:
        good = [json.dumps(line) for line in lines]
        bad = json.dumps(lines[0] | change)
        with two_databases(empty_database) as (target, _):
            report = target.import_jsonl([good[0], "\n", bad, *good[1:]])
            assert (report.added, report.rejected) == (3, 1)
            (rejection,) = report.rejections
            assert rejection.line == 3
            assert re.search(reason, rejection.reason)

    @pytest.mark.parametrize(
        "line",
        [
            b"\xff\xfe",
            "{",
            "[" * 100_000,
            "null",
            "NaN",
            '{"samples": [NaN]}',
            "9" * 5000,
            '"\\ud800"',
            "__import__('os')",
        ],
    )
    def test_that_are_no_json_objects_are_rejected(self, line: str | bytes, empty_database: Path) -> None:
        with two_databases(empty_database) as (target, _):
            report = target.import_jsonl([line])
            assert (report.added, report.already_there, report.rejected) == (0, 0, 1)

    def test_that_are_rejected_by_the_thousand_are_counted_but_not_kept(self, empty_database: Path) -> None:
        with two_databases(empty_database) as (target, _):
            report = target.import_jsonl("{" for _ in range(2500))
            assert report.rejected == 2500
            assert [rejection.line for rejection in report.rejections] == list(range(1, 101))
