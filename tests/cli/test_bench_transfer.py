"""`bench transfer`: what is tuned first, what is then tuned as if it were new, and what the rows say of it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from autotune.cli.bench.transfer import bench, shapes
from autotune.cli.bench.transfer.bench import trials_to_near
from autotune.cli.bench.transfer.shapes import FAMILIES, Family
from autotune.cost_model import FEATURE_NAMES, Platform, features_of_batches
from autotune.database import Database
from autotune.machine import detect, peaks, versions
from autotune.measure import Measurement, Status
from autotune.schedule import Config, Workload
from autotune.search import Duel
from autotune.templates import nests_for
from tests.cli.conftest import Invoke

SMALL = Family(kernel="matmul", direction="forward", known=((64, 96, 32), (96, 64, 128)), new=((48, 80, 64),))


@dataclass(frozen=True)
class Roofline:
    """A laboratory in which configs take what their loop nests let expect."""

    workload: Workload

    def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
        del best
        machine = detect()
        platform = Platform.of(machine, peaks(machine), 1)
        features = features_of_batches(nests_for(self.workload, configs, machine), len(configs), platform)
        for config, time in zip(configs, np.exp2(features[:, FEATURE_NAMES.index("total_seconds")]), strict=True):
            yield Measurement(
                workload=self.workload.key,
                config=config,
                status=Status.OK,
                samples=(float(time),),
                source="a" * 64,
                machine=machine.fingerprint,
                versions=versions(),
                started="2026-01-31T12:00:00+00:00",
            )

    def settle(self, seconds: float) -> float:
        del seconds
        return 1.0

    def compare(self, configs: Sequence[Config], *, seconds: float) -> Duel:
        raise NotImplementedError


@contextmanager
def _laboratories(*_: object) -> Iterator[bench.LaboratoryOf]:
    yield Roofline


def test_new_shapes_are_tuned_with_what_known_ones_have_taught_and_forgotten(
    invoke: Invoke, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "FAMILIES", (SMALL,))
    monkeypatch.setattr(bench, "_laboratories", _laboratories)
    path = tmp_path / "transfer.json"
    words = ("bench", "transfer", "--db", str(database), "--trials", "12", "--json", str(path))
    result = invoke(*words)
    assert result.exit_code == 0
    assert "median of 1 new shapes" in " ".join(result.output.split())
    data = json.loads(path.read_text())
    (row,) = data["rows"]
    assert row["size"] == {"m": 48, "k": 80, "n": 64}
    assert 1 <= row["trials_to_95"] <= row["trials"] == 12
    assert row["ms"] <= row["default_ms"]
    assert 0 < row["thinking"] < 1
    assert data["summary"]["trials_to_95_median"] == row["trials_to_95"]
    known, new = ([case.workload.key for case in SMALL.cases(cases)] for cases in (SMALL.known, SMALL.new))
    with Database.open(database, read_only=True) as opened:
        assert [len(list(opened.measurements(key))) for key in (*known, *new)] == [6, 6, 0]
    invoke(*words)  # nothing is left to do
    assert json.loads(path.read_text())["rows"] == [row]


def test_the_trial_that_came_near_is_counted() -> None:
    assert trials_to_near([4.0, float("inf"), 2.08, 3.0, 2.0]) == 3


def test_ten_new_shapes_or_more_whose_kernels_have_known_ones() -> None:
    cases = [case for family in FAMILIES for case in family.cases(family.new)]
    assert len(cases) >= 10
    for family in FAMILIES:
        known, new = (set(family.cases(shapes)) for shapes in (family.known, family.new))
        assert known
        assert not known & new
        assert all(case.workload.flops < 1e9 for case in new)


def test_a_kernel_that_the_bench_does_not_have_is_a_clear_error(invoke: Invoke) -> None:
    result = invoke("bench", "transfer", "--only", "nothing")
    assert result.exit_code == 2
    assert "softmax" in result.output
