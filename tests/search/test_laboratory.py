"""The real laboratory: builds, measures and compares on this machine; and a whole run on it."""

import math
from pathlib import Path

import pytest

from autotune.database import Database
from autotune.machine import detect
from autotune.measure import Status
from autotune.search import Bench, tune
from autotune.templates import template_for
from tests.search.conftest import WORKLOAD


def test_configs_are_built_measured_and_compared() -> None:
    machine = detect()
    template = template_for(WORKLOAD)
    default = template.default(WORKLOAD, machine)
    other = {**default, "unroll": 1}
    invalid = {**default, "rows": 10_000}
    with Bench(WORKLOAD, machine, builders=1) as bench:
        found = list(bench.measure([default, invalid, other], best=math.inf))
        assert [measurement.status for measurement in found] == [Status.OK, Status.BUILD_ERROR, Status.OK]
        assert [measurement.config for measurement in found] == [default, invalid, other]
        assert "'rows' cannot be 10000" in found[1].error
        assert 0 < bench.settle(0.0) <= 1
        duel = bench.compare([default, other], seconds=0.2)
        assert len(duel.samples) == len(duel.sources) == 2
        assert duel.sources[0] == found[0].source
        failed = bench.compare([default, invalid], seconds=0.2)
        assert failed.samples == ()
        assert "build_error" in failed.error


@pytest.mark.slow
def test_a_workload_is_tuned_and_resumed(tmp_path: Path) -> None:
    machine = detect()
    with Database.open(tmp_path / "tuning.db") as database:
        first = tune(WORKLOAD, machine=machine, database=database, trials=10, batch=5)
        assert first.progress.done == 10
        assert first.winner is not None
        again = tune(WORKLOAD, machine=machine, database=database, trials=10)
        assert again.progress.earlier == 10
        assert again.winner == first.winner
