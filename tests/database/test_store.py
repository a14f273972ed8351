"""What the database promises to those who use it, on SQLite and on PostgreSQL."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import pytest
from sqlalchemy import text

from autotune.database import Database, Winner, find_winners
from autotune.errors import DatabaseError, FormatError
from autotune.lang import Axis, Kernel, Output, Read, TensorSpec
from autotune.machine import Machine
from autotune.measure.measurement import Measurement, Status
from autotune.schedule import Workload

T = TypeVar("T")
Make: TypeAlias = Callable[..., T]


class TestMeasurements:
    def test_come_back_as_they_were_in_the_order_they_were_stored(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        stored = [
            measurement(3),
            measurement(1, status=Status.CRASH, samples=(), error="signal 11", load=0.5),
            measurement(2, stopped_early=True, config={}),
        ]
        for one in stored:
            assert database.add_measurement(one, machine)
        assert list(database.measurements(key())) == stored

    def test_are_committed_at_once(
        self, url: str, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        with Database.open(url) as writer, Database.open(url, read_only=True) as reader:
            writer.add_measurement(measurement(), machine)
            assert list(reader.measurements(key())) == [measurement()]

    def test_are_stored_once(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        assert database.add_measurement(measurement(), machine)
        assert not database.add_measurement(measurement(), machine, run="again")
        assert database.add_measurements([measurement(), measurement(1), measurement(1)], machine) == 1
        assert list(database.measurements(key())) == [measurement(), measurement(1)]

    def test_are_those_of_the_workload_and_of_the_machine(
        self,
        database: Database,
        measurement: Make[Measurement],
        machine: Machine,
        other_machine: Machine,
        key: Make[str],
    ) -> None:
        here, elsewhere = measurement(), measurement(machine=other_machine.fingerprint)
        other_shape = measurement(workload=key(extents={"m": 17, "n": 24, "k": 32}))
        database.add_measurements([here, other_shape], machine)
        database.add_measurement(elsewhere, other_machine)
        assert list(database.measurements(key())) == [here, elsewhere]
        assert list(database.measurements(key(), other_machine.fingerprint)) == [elsewhere]
        assert list(database.measurements(key(kernel="unknown"))) == []

    def test_of_more_than_a_page_are_all_there(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        stored = [measurement(number) for number in range(2001)]
        assert database.add_measurements(stored, machine) == len(stored)
        assert list(database.measurements(key())) == stored

    def test_keep_their_time_in_utc(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        database.add_measurement(measurement(started="2026-01-31T14:00:00+02:00"), machine)
        assert [one.started for one in database.measurements(key())] == ["2026-01-31T12:00:00+00:00"]

    def test_keep_any_text_of_an_error(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        failed = measurement(status=Status.CRASH, samples=(), error="nul \0, surrogate \udc80, umlaut ü")
        assert database.add_measurement(failed, machine)
        assert not database.add_measurement(failed, machine)
        (read,) = database.measurements(key())
        assert read.error == "nul \\x00, surrogate \\udc80, umlaut ü"

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"workload": "matmul"}, "not JSON"),
            ({"workload": '{"kernel":"matmul"}'}, "lacks the field"),
            ({"workload": '{"kernel": "matmul"}'}, "canonical JSON"),
            ({"machine": "ffffffffffff"}, "description of machine"),
            ({"config": {"rows": float("inf")}}, "not JSON compliant"),
            ({"config": {"rows": (1, 2)}}, "knob 'rows'"),
            ({"source": "\0"}, "source of a measurement"),
        ],
    )
    def test_that_no_row_can_hold_are_refused(
        self, database: Database, measurement: Make[Measurement], machine: Machine, fields: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(FormatError, match=reason):
            database.add_measurements([measurement(), measurement(1, **fields)], machine)
        assert database.workloads() == ()

    @pytest.mark.parametrize("column", ["config", "samples", "versions", "status", "started"])
    def test_of_a_damaged_row_are_left_out(
        self,
        database: Database,
        measurement: Make[Measurement],
        machine: Machine,
        key: Make[str],
        caplog: pytest.LogCaptureFixture,
        column: str,
    ) -> None:
        database.add_measurements([measurement(number) for number in range(3)], machine)
        with database.engine.begin() as connection:
            connection.execute(text(f"UPDATE measurements SET {column} = '[1' WHERE id = 2"))
        with caplog.at_level(logging.WARNING):
            assert list(database.measurements(key())) == [measurement(0), measurement(2)]
        assert "row 2 of table measurements is damaged" in caplog.text

    def test_with_another_config_than_was_stored_are_left_out(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        database.add_measurement(measurement(), machine)
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE measurements SET config = '{}'"))
        assert list(database.measurements(key())) == []


class TestSummaries:
    def test_count_by_status_and_find_the_best(
        self,
        database: Database,
        measurement: Make[Measurement],
        machine: Machine,
        other_machine: Machine,
        key: Make[str],
    ) -> None:
        database.add_measurements(
            [
                measurement(1, samples=(0.5,)),
                measurement(2, samples=(0.25, 0.3, 0.2)),
                measurement(3, status=Status.TIMEOUT, samples=()),
                measurement(4, workload=key(direction="vjp:a"), status=Status.CRASH, samples=()),
            ],
            machine,
        )
        database.add_measurement(measurement(machine=other_machine.fingerprint), other_machine)
        summaries = {(one.workload, one.machine): one for one in database.summaries()}
        here = summaries[key(), machine.fingerprint]
        assert here.counts == {Status.OK: 2, Status.TIMEOUT: 1}
        assert here.best_seconds == 0.25
        assert (here.first, here.last) == (measurement(1).started, measurement(3).started)
        assert summaries[key(direction="vjp:a"), machine.fingerprint].best_seconds is None
        assert len(summaries) == 3

    def test_are_those_asked_for(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        gradient = key(direction="vjp:a")
        database.add_measurements([measurement(1), measurement(2), measurement(3, workload=gradient)], machine)
        assert [one.workload for one in database.summaries(kernel="matmul", direction="vjp:a")] == [gradient]
        assert database.summaries(kernel="softmax") == ()
        (recent,) = database.summaries(direction="forward", since=measurement(2).started)
        assert recent.counts == {Status.OK: 1}


class TestWinners:
    def test_come_back_as_they_were(
        self, database: Database, winner: Make[Winner], machine: Machine, key: Make[str]
    ) -> None:
        assert database.set_winner(winner(), machine)
        assert database.winner(key(), machine.fingerprint) == winner()
        assert (winner().seconds, winner().default_seconds) == (0.2, 0.45)

    def test_replace_the_one_before_which_becomes_history(
        self, database: Database, winner: Make[Winner], machine: Machine, key: Make[str]
    ) -> None:
        for number in range(3):
            assert database.set_winner(winner(number), machine)
        assert database.winner(key(), machine.fingerprint) == winner(2)
        assert database.winners() == (winner(2),)
        assert database.winner_history(key(), machine.fingerprint) == (winner(0), winner(1), winner(2))

    def test_proven_earlier_do_not_replace(
        self, database: Database, winner: Make[Winner], machine: Machine, key: Make[str]
    ) -> None:
        assert database.set_winner(winner(2), machine)
        assert not database.set_winner(winner(1), machine)
        assert database.winner(key(), machine.fingerprint) == winner(2)

    def test_proven_at_the_same_time_leave_exactly_one(
        self, database: Database, winner: Make[Winner], machine: Machine, key: Make[str]
    ) -> None:
        rivals = [winner(config={"rows": rows}) for rows in range(4)]
        for rival in rivals:
            database.set_winner(rival, machine)
        assert database.winners() == (database.winner(key(), machine.fingerprint),)

    def test_of_another_machine_are_never_this_ones(
        self, database: Database, winner: Make[Winner], machine: Machine, other_machine: Machine, key: Make[str]
    ) -> None:
        database.set_winner(winner(machine=other_machine.fingerprint), other_machine)
        assert database.winner(key(), machine.fingerprint) is None
        assert database.winners(fingerprint=machine.fingerprint) == ()
        assert database.winner_history(key(), machine.fingerprint) == ()
        with pytest.raises(FormatError, match="description of machine"):
            database.set_winner(winner(machine=other_machine.fingerprint), machine)

    @pytest.mark.parametrize(
        "part",
        [{"kernel": "softmax"}, {"definition": "e"}, {"direction": "vjp:a"}, {"dtype": "float64"}, {"threads": 2}],
    )
    def test_are_those_asked_for(
        self, database: Database, winner: Make[Winner], machine: Machine, key: Make[str], part: dict[str, Any]
    ) -> None:
        other = winner(workload=key(**part))
        database.set_winner(winner(), machine)
        database.set_winner(other, machine)
        assert database.winners(**part) == (other,)
        assert len(database.winners()) == 2

    def test_of_a_damaged_row_are_left_out(
        self,
        database: Database,
        winner: Make[Winner],
        machine: Machine,
        key: Make[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        other = winner(workload=key(threads=2))
        database.set_winner(winner(), machine)
        database.set_winner(other, machine)
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE winners SET samples = '{' WHERE id = 1"))
        with caplog.at_level(logging.WARNING):
            assert database.winners() == (other,)
        assert "row 1 of table winners is damaged" in caplog.text

    @pytest.mark.parametrize(
        "fields",
        [
            {"samples": ()},
            {"default_samples": (0.0,)},
            {"samples": (float("nan"),)},
            {"ratio_low": 3.0},
            {"ratio_high": float("inf")},
            {"proven": "yesterday"},
            {"proven": "2026-01-31T12:00:00"},
        ],
    )
    def test_check_themselves(self, winner: Make[Winner], fields: dict[str, Any]) -> None:
        with pytest.raises(FormatError, match="winner"):
            winner(**fields)


class TestLookup:
    def test_finds_what_the_database_finds(
        self, database: Database, url: str, winner: Make[Winner], machine: Machine, key: Make[str]
    ) -> None:
        shapes = [{"m": size, "n": 24, "k": 32} for size in (16, 17, 1024)]
        for number, extents in enumerate(shapes):
            database.set_winner(winner(number, workload=key(extents=extents)), machine)
            database.set_winner(winner(number + 10, workload=key(extents=extents)), machine)
            database.set_winner(winner(number + 20, workload=key(extents=extents, dtype="float64")), machine)
        wanted: dict[str, Any] = {
            "kernel": "matmul",
            "definition": "d" * 64,
            "direction": "forward",
            "dtype": "float32",
            "threads": 1,
        }
        found = find_winners(url, **wanted, fingerprint=machine.fingerprint)
        winners = database.winners(**wanted, fingerprint=machine.fingerprint)
        assert [record.config for record in found] == [one.config for one in winners]
        assert [record.source for record in found] == [one.source for one in winners]
        assert [record.seconds for record in found] == [one.seconds for one in winners]
        assert sorted(record.extents["m"] for record in found) == [16, 17, 1024]


class TestDatabase:
    def test_knows_its_workloads_and_machines(
        self,
        database: Database,
        measurement: Make[Measurement],
        winner: Make[Winner],
        machine: Machine,
        other_machine: Machine,
        key: Make[str],
    ) -> None:
        database.add_measurement(measurement(), machine)
        database.set_winner(winner(workload=key(kernel="a", direction="jvp")), machine)
        database.add_measurement(measurement(machine=other_machine.fingerprint), other_machine)
        assert set(database.workloads()) == {key(), key(kernel="a", direction="jvp")}
        assert database.workloads(kernel="a", direction="jvp") == (key(kernel="a", direction="jvp"),)
        assert database.machines() == {machine.fingerprint: machine, other_machine.fingerprint: other_machine}

    def test_opened_for_reading_refuses_to_write(
        self, url: str, measurement: Make[Measurement], winner: Make[Winner], machine: Machine
    ) -> None:
        Database.open(url).close()
        with Database.open(url, read_only=True) as database:
            with pytest.raises(DatabaseError, match="opened for reading only"):
                database.add_measurement(measurement(), machine)
            with pytest.raises(DatabaseError, match="opened for reading only"):
                database.set_winner(winner(), machine)

    def test_takes_writers_in_several_threads(
        self, database: Database, measurement: Make[Measurement], machine: Machine, key: Make[str]
    ) -> None:
        with ThreadPoolExecutor(4) as threads:
            added = list(threads.map(lambda number: database.add_measurement(measurement(number), machine), range(40)))
        assert all(added)
        assert sorted(one.started for one in database.measurements(key())) == [
            measurement(n).started for n in range(40)
        ]

    def test_takes_the_key_of_a_workload(
        self, database: Database, measurement: Make[Measurement], machine: Machine
    ) -> None:
        i = Axis("i", "n")
        kernel = Kernel("copy", (TensorSpec("x", ("n",)),), (Output("out", (i,), Read("x", (i,))),))
        workload = Workload(kernel, (("n", 2**40),), dtype="float64", threads=4)
        database.add_measurement(measurement(workload=workload.key), machine)
        assert database.workloads(kernel="copy", direction="forward") == (workload.key,)

    def test_answers_a_query_of_ones_own(
        self, database: Database, measurement: Make[Measurement], machine: Machine
    ) -> None:
        database.add_measurement(measurement(), machine, run="study 7")
        rows = database.select("SELECT run, seconds FROM measurements WHERE run = :run", {"run": "study 7"})
        assert [tuple(row) for row in rows] == [("study 7", 0.25)]

    def test_takes_the_first_description_of_a_machine(
        self, database: Database, measurement: Make[Measurement], machine: Machine
    ) -> None:
        renamed = replace(machine, llvm_cpu="znver4")
        assert renamed.fingerprint == machine.fingerprint
        database.add_measurement(measurement(), machine)
        database.add_measurement(measurement(1), renamed)
        assert database.machines() == {machine.fingerprint: machine}
