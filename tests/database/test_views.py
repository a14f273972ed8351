"""Aggregates in SQL against the same worked out one by one in Python."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias, TypeVar

import optuna
import pytest

from autotune.database import Database, Winner, views
from autotune.database.views import Filters, Point, predictions
from autotune.database.views.predictions import ATTRIBUTE
from autotune.machine import Machine
from autotune.measure.measurement import Measurement, Status

T = TypeVar("T")
Make: TypeAlias = Callable[..., T]

COUNT = 150


@pytest.fixture
def made(measurement: Make[Measurement], key: Make[str]) -> list[Measurement]:
    """Measurements of two workloads in turn, every seventh failed, some equally fast."""
    rng = random.Random(7)
    found = []
    for number in range(COUNT):
        failed = number % 7 == 3
        found.append(
            measurement(
                number,
                workload=key(kernel=("matmul", "softmax")[number % 2]),
                status=Status.CRASH if failed else Status.OK,
                samples=() if failed else (rng.randint(1, 40) / 8,),
                started=f"2026-01-31T12:{number // 60:02d}:{number % 60:02d}+00:00",
            )
        )
    return found


Fill: TypeAlias = Callable[[Database], Database]


@pytest.fixture
def fill(made: list[Measurement], winner: Make[Winner], machine: Machine) -> Fill:
    def into(database: Database) -> Database:
        for run in ("matmul", "softmax"):
            database.add_measurements([m for m in made if f'"{run}"' in m.workload], machine, f"run of {run}")
        database.set_winner(winner(1), machine)
        database.set_winner(winner(2), machine)
        return database

    return into


@pytest.fixture
def filled(database_path: Path, fill: Fill) -> Iterator[Database]:
    with Database.open(database_path) as database:
        yield fill(database)


@contextmanager
def studying(database: Database) -> Iterator[optuna.Study]:
    """The study of a run."""
    storage = optuna.storages.RDBStorage(database.url)
    yield optuna.create_study(storage=storage, study_name="run of softmax")
    storage.remove_session()
    storage.engine.dispose()


def ids(database: Database, kernel: str) -> tuple[int, int]:
    (found,) = views.workloads(database, Filters(kernel=kernel))
    return found.workload_id, found.machine_id


class TestWorkloads:
    def test_count_what_there_is(self, filled: Database, made: list[Measurement]) -> None:
        softmax = [m for m in made if "softmax" in m.workload]
        matmul, found = views.workloads(filled)
        assert found.counts == Counter(m.status for m in softmax)
        assert found.failed == sum(m.status is Status.CRASH for m in softmax)
        assert found.best_seconds == min(m.seconds for m in softmax)
        assert (found.first, found.last) == (softmax[0].started, softmax[-1].started)
        assert (found.seconds, found.gain) == (None, None)
        assert (matmul.seconds, matmul.default_seconds, matmul.proven) == (0.2, 0.45, "2026-01-31T12:00:02+00:00")
        assert views.tuned(filled, matmul.workload_id, matmul.machine_id) == matmul
        assert views.tuned(filled, 99, 1) is None

    @pytest.mark.parametrize(
        ("filters", "kernels"),
        [
            (Filters(name="MAX"), ["softmax"]),
            (Filters(name="%"), []),
            (Filters(direction="forward", dtype="float32"), ["matmul", "softmax"]),
            (Filters(direction="jvp"), []),
            (Filters(machine="nothing"), []),
        ],
    )
    def test_are_filtered(self, filled: Database, filters: Filters, kernels: list[str]) -> None:
        assert [found.key.kernel for found in views.workloads(filled, filters)] == kernels

    def test_of_a_winner_alone(self, database_path: Path, winner: Make[Winner], machine: Machine) -> None:
        with Database.open(database_path) as database:
            database.set_winner(winner(), machine)
            (found,) = views.workloads(database)
        assert (found.measurements, found.best_seconds, found.last) == (0, None, "")


class TestCurve:
    @pytest.mark.parametrize("points", [10, 1000])
    def test_is_the_running_minimum(self, filled: Database, made: list[Measurement], points: int) -> None:
        softmax = [m for m in made if "softmax" in m.workload]
        best, steps = math.inf, []
        for number, each in enumerate(softmax, start=1):
            if each.seconds < best:
                best = each.seconds
                steps.append((number, datetime.fromisoformat(each.started), best))
        curve = views.curve(filled, *ids(filled, "softmax"), points=points)
        assert [(step.number, step.started, step.seconds) for step in curve.steps] == steps
        assert curve.total == len(softmax)
        assert len(curve.points) <= points
        if points > COUNT:
            expected = [(m.status.value, m.seconds if m.samples else None) for m in softmax]
            assert [(point.status, point.seconds) for point in curve.points] == expected

    def test_of_one_run(self, filled: Database) -> None:
        pair = ids(filled, "softmax")
        assert views.curve(filled, *pair, run="run of softmax") == views.curve(filled, *pair)
        assert views.curve(filled, *pair, run="another").total == 0

    def test_points_lead_to_their_measurements(self, filled: Database) -> None:
        for point in views.curve(filled, *ids(filled, "matmul"), points=5).points:
            assert isinstance(point, Point)
            found = views.trial(filled, point.identity)
            assert found is not None
            assert found.measurement.seconds == (point.seconds or math.inf)


class TestTrials:
    def test_are_paged_fastest_first(self, filled: Database, made: list[Measurement]) -> None:
        softmax = sorted(m.seconds for m in made if "softmax" in m.workload)
        pair = ids(filled, "softmax")
        pages = [views.trials(filled, *pair, limit=20, offset=offset) for offset in range(0, 80, 20)]
        assert [each.measurement.seconds for page in pages for each in page] == softmax
        crashed = views.trials(filled, *pair, status=Status.CRASH, limit=100)
        assert len(crashed) == views.count_trials(filled, *pair)[Status.CRASH]
        latest = views.trials(filled, *pair, fastest_first=False, limit=2)
        assert [each.measurement.started for each in latest] == [
            "2026-01-31T12:02:29+00:00",
            "2026-01-31T12:02:27+00:00",
        ]

    def test_samples_hold_the_fastest(self, filled: Database, made: list[Measurement]) -> None:
        ok = sorted(m.seconds for m in made if "softmax" in m.workload and m.samples)
        pair = ids(filled, "softmax")
        assert sorted(sample.seconds for sample in views.samples(filled, *pair, limit=1000)) == ok
        few = sorted(sample.seconds for sample in views.samples(filled, *pair, limit=20))
        assert len(few) <= 20
        assert few[:4] == ok[:4]


class TestRuns:
    @pytest.mark.parametrize(
        ("seconds", "waiting", "going"), [(5, False, True), (60, False, False), (60, True, True), (600, True, False)]
    )
    def test_go_on_while_trials_wait_for_results(
        self, filled: Database, seconds: float, waiting: bool, going: bool
    ) -> None:
        with studying(filled) as study:
            study.add_trial(optuna.create_trial(value=1.0))
            if waiting:
                study.ask()
        now = datetime(2026, 1, 31, 12, 2, 29, tzinfo=UTC) + timedelta(seconds=seconds)
        latest, earlier = views.runs(filled, now=now)
        assert (latest.name, latest.going) == ("run of softmax", going)
        assert (earlier.name, earlier.measurements) == ("run of matmul", COUNT // 2)
        assert views.run(filled, "run of softmax", now=now) == latest
        assert views.run(filled, "another") is None
        assert views.runs_of(filled, latest.workload_id, latest.machine_id) == ("run of softmax",)


def test_the_stamp_tells_when_something_is_new(
    filled: Database, measurement: Make[Measurement], machine: Machine
) -> None:
    last = datetime(2026, 1, 31, 12, 2, 29, tzinfo=UTC)
    stamps = [views.stamp(filled, now=last + timedelta(seconds=seconds)) for seconds in (11, 12, 20, 600, 900)]
    assert stamps[0] == stamps[1] != stamps[2]  # a run may be ending, which only time tells
    assert stamps[3] == stamps[4]
    filled.add_measurement(measurement(COUNT), machine)
    assert views.stamp(filled, now=last + timedelta(seconds=900)) != stamps[4]


def test_predictions_are_read_from_the_study(filled: Database) -> None:
    assert predictions(filled, "run of softmax") == ()
    attributes = [
        {ATTRIBUTE: {"seconds": 2.0, "batch": 1}},
        {ATTRIBUTE: {"seconds": -1, "batch": 1}},
        {ATTRIBUTE: "<b>"},
        {},
    ]
    with studying(filled) as study:
        for attribute in attributes:
            study.add_trial(optuna.create_trial(value=3.0, user_attrs=attribute))
    (found,) = predictions(filled, "run of softmax")
    assert (found.number, found.batch, found.expected, found.seconds) == (0, 1, 2.0, 3.0)


@pytest.mark.slow
def test_a_server_answers_the_same(
    filled: Database, postgresql_server: str, new_database: Make[str], fill: Fill
) -> None:
    with Database.open(new_database(postgresql_server)) as database:
        server = fill(database)
        with studying(server) as study:
            attributes = {ATTRIBUTE: {"seconds": 2.0, "batch": 1}}
            study.add_trial(optuna.create_trial(value=3.0, user_attrs=attributes))
            study.ask()
        pair = ids(filled, "softmax")
        assert views.workloads(server) == views.workloads(filled)
        assert views.curve(server, *pair, points=10) == views.curve(filled, *pair, points=10)
        assert views.trials(server, *pair, limit=30) == views.trials(filled, *pair, limit=30)
        assert views.samples(server, *pair, limit=20) == views.samples(filled, *pair, limit=20)
        moment = datetime(2026, 1, 31, 12, 3, 29, tzinfo=UTC)
        assert [run.going for run in views.runs(server, now=moment)] == [True, False]
        assert len(predictions(server, "run of softmax")) == 1
