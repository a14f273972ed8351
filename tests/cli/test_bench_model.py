"""`bench model`: what it asks, and that its rows say what the models know."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from autotune.cli.bench.kernels.sizes import ROWS
from autotune.cli.bench.model import drawn, thinking
from autotune.cli.bench.model.data import from_database
from autotune.cost_model import FEATURE_NAMES, Platform, features_of_batches
from autotune.database import Database
from autotune.library import batch_matmul, conv2d, matmul
from autotune.machine import Cache, Machine, detect, peaks, versions
from autotune.measure import Measurement, Status
from autotune.runtime import TunedKernel, kernel
from autotune.schedule import Config, Workload
from autotune.search import Duel
from autotune.templates import nests_for, template_for
from tests.cli.conftest import Invoke

OTHER = Machine("Test", "x86_64", "avx2", "znver3", 2, (Cache(1, 32 * 1024, 1), Cache(2, 512 * 1024, 1)), 32, 16)
TOTAL = FEATURE_NAMES.index("total_seconds")


def _measure(database: Database, kernel: TunedKernel, extents: dict[str, int], machine: Machine) -> None:
    workload = kernel.workload("forward", extents, threads=1)
    configs = template_for(workload).space(workload, machine).sample(np.random.default_rng(0), 40)
    platform = Platform.of(machine, peaks(detect()), 1)
    times = np.exp2(features_of_batches(nests_for(workload, configs, machine), len(configs), platform)[:, TOTAL])
    found = [_measurement(workload, config, float(time), machine) for config, time in zip(configs, times, strict=True)]
    database.add_measurements(found, machine)


def _measurement(
    workload: Workload, config: Config, seconds: float, machine: Machine, load: float = 1.0
) -> Measurement:
    return Measurement(
        workload=workload.key,
        config=config,
        status=Status.OK,
        samples=(seconds,),
        source="a" * 64,
        machine=machine.fingerprint,
        versions=versions(),
        started="2026-01-31T12:00:00+00:00",
        load=load,
    )


@pytest.fixture
def measured(database: Path) -> Path:
    """Three shapes of a kernel, one of them on another machine too, and another kernel; times are the roofline's."""
    with Database.open(database) as opened:
        for size in (64, 96, 160):
            _measure(opened, matmul, {"m": size, "k": 128, "n": 64}, detect())
        _measure(opened, matmul, {"m": 64, "k": 128, "n": 64}, OTHER)
        _measure(opened, batch_matmul, {"b": 4, "m": 48, "k": 64, "n": 64}, detect())
    return database


def test_kernels_with_the_options_of_the_benches_are_found_unused(database: Path) -> None:
    """A kernel with other options is another definition, which a new process has not made yet."""
    function = conv2d._family.function
    assert function is not None
    padded = kernel(function).specialized(padding=1)  # the library's own conv2d does not hear of it
    extents = dict(zip(padded.definition.extent_names, (1, 1, 4, 9, 9, 4, 3, 3), strict=True))
    with Database.open(database) as opened:
        _measure(opened, padded, extents, detect())
        assert [found.workload.kernel.digest for found in from_database(opened)] == [padded.definition.digest]


def test_rows_say_how_models_order_what_was_held_out(
    measured: Path, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.json"
    monkeypatch.setattr(thinking, "ROWS", {"softmax": ROWS["softmax"]})
    result = invoke(
        "bench", "model", "--db", str(measured), "--training", "8,16,64", "--repeats", "1", "--json", str(path)
    )
    assert result.exit_code == 0
    data = json.loads(path.read_text())
    assert {"machine", "versions", "command", "method", "rows", "thinking", "workloads"} <= data.keys()
    assert len(data["workloads"]) == 5
    assert all(each["own"] >= each["transfer"] >= 1 for each in data["trials"])
    assert {thought["kernel"] for thought in data["thinking"]} >= {"softmax forward", "softmax vjp:x"}
    assert all(thought["configs_per_second"] > 0 for thought in data["thinking"])
    rows = {(row["of"], row["model"], row["held_out"], row["training"]): row for row in data["rows"]}
    assert {key[3] for key in rows} == {0, 8, 16}  # 64 are more than were measured
    assert {key[2] for key in rows} == {"", "shape", "kernel", "machine"}
    assert rows["matmul forward", "transfer", "shape", 0]["workloads"] == 4
    assert rows["all", "transfer", "machine", 0]["workloads"] == 4  # the other kernel has not run on the other machine
    assert rows["matmul forward", "transfer", "shape", 0]["spearman"] > 0.8
    assert rows["all", "transfer", "kernel", 0]["spearman"] > 0.5
    assert rows["matmul forward", "own", "", 0]["spearman"] > 0.9  # the times are near those that nests let expect
    assert rows["matmul forward", "own", "", 16]["spearman"] > 0.3
    assert all(0 <= row["recall"] <= 1 and 0 < row["best"] <= 1 for row in data["rows"])


def test_one_workload_is_too_few(database: Path, invoke: Invoke) -> None:
    with Database.open(database) as opened:
        _measure(opened, matmul, {"m": 64, "k": 128, "n": 64}, detect())
    result = invoke("bench", "model", "--db", str(database))
    assert result.exit_code == 2
    assert "the database holds 1" in result.output


@dataclass
class Loaded:
    """A laboratory on a machine that is loaded at some measurements of all; each takes a microsecond longer."""

    workload: Workload
    at: tuple[int, ...]
    configs: list[Config] = field(default_factory=list)

    def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
        assert best == float("inf")
        for config in configs:
            load = 0.5 if len(self.configs) in self.at else 1.0
            self.configs.append(config)
            yield _measurement(self.workload, config, 1e-6 * len(self.configs), detect(), load)

    def settle(self, seconds: float) -> float:
        raise NotImplementedError

    def compare(self, configs: Sequence[Config], *, seconds: float) -> Duel:
        raise NotImplementedError


def test_drawn_configs_are_measured_once_on_a_quiet_machine(database: Path) -> None:
    workload = matmul.workload("forward", {"m": 64, "k": 128, "n": 64}, threads=1)
    with Database.open(database) as opened:
        first = Loaded(workload, at=(0, 2, 3, 4))
        drawn.measure_drawn(opened, workload, 5, first)
        # The first was measured twice, the second three times, although the machine was never quiet.
        assert [first.configs.index(config) for config in first.configs] == [0, 0, 2, 2, 2, 5, 6, 7]
        more = Loaded(workload, at=())
        drawn.measure_drawn(opened, workload, 5, more)
        assert not more.configs
    with Database.open(database.with_name("other.db")) as opened:
        again = Loaded(workload, at=())
        drawn.measure_drawn(opened, workload, 5, again)
        assert again.configs == [first.configs[place] for place in (0, 2, 5, 6, 7)]


def test_workloads_of_which_configs_are_drawn_have_others_of_their_kernel() -> None:
    found = [(case.kernel, case.direction) for case in drawn.cases()]
    assert all(found.count(each) >= 2 for each in found)
    assert len({case.workload.key for case in drawn.cases()}) == len(found)
