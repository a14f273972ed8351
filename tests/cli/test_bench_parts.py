"""The parts of the benches that need no measuring: cases, rules, the file, the table."""

import json
from pathlib import Path
from typing import Any

import pytest

from autotune.cli import terminal
from autotune.cli.bench import cases, contest, report
from autotune.cli.bench.cases import Case
from autotune.cli.bench.comparison import Comparison
from autotune.cli.bench.results import Results
from autotune.cli.tuning import Effort, tune_each
from autotune.database import Database
from autotune.errors import FormatError, UsageError
from autotune.machine import Cache, Machine, Peaks
from autotune.machine.peak_rates import bandwidth

MACHINE = Machine(
    cpu="Example 9",
    architecture="x86_64",
    isa="avx2",
    llvm_cpu="znver3",
    cores=2,
    caches=(Cache(level=1, size=32 * 1024, shared_by=1), Cache(level=2, size=512 * 1024, shared_by=1)),
    vector_bytes=32,
    vector_registers=16,
)
PEAKS = Peaks(fma={"float32": {1: 100e9}}, bandwidth={"L1": 200e9, "L2": 100e9, "memory": 20e9})
CASE = Case((17, 33, 65), "vjp:b", "float32", 2)


class TestCases:
    def test_the_suite_begins_with_the_tuning_run_that_is_timed(self) -> None:
        assert cases.suite((1, 2))[0] == Case((1024, 1024, 1024))

    def test_the_suite(self) -> None:
        suite = cases.suite((1, 2))
        assert len(set(suite)) == len(suite) == 26
        assert {case.threads for case in suite} == {1, 2}
        assert Case((64, 8192, 64)).extents == {"m": 64, "k": 8192, "n": 64}
        assert Case((32, 64, 64, 64)).extents == {"b": 32, "m": 64, "k": 64, "n": 64}
        assert {Case((1024, 1024, 1024), direction) for direction in ("forward", "vjp:a", "vjp:b")} <= set(suite)
        assert Case((1024, 1024, 1024), dtype="float64", threads=2) in suite

    def test_cases_of_a_size(self) -> None:
        of_size = cases.of_sizes([(1024, 1024, 1024), (7, 8, 9)], (1,))
        assert len(of_size) == 5
        assert of_size[-1] == Case((7, 8, 9))

    def test_a_size_that_is_none(self) -> None:
        with pytest.raises(UsageError, match="not 7x8"):
            cases.of_sizes([(7, 8)], (1,))

    def test_a_case_survives_its_row(self) -> None:
        assert Case.from_json(json.loads(json.dumps(CASE.identity()))) == CASE
        assert CASE.workload.describe() == "matmul vjp:b m=17,k=33,n=65 float32 2 threads"


class TestContest:
    def test_rules(self) -> None:
        rules = contest.Rules(rounds=15, seconds=2.0, fewest=5, limit=20.0)
        assert not rules.over(14, 10.0)
        assert not rules.over(100, 1.0)
        assert rules.over(15, 2.0)
        assert not rules.over(4, 100.0)
        assert rules.over(5, 20.0)

    def test_every_contestant_is_sampled_in_every_round(self) -> None:
        done: list[str] = []
        calls = {name: lambda name=name: done.append(name) for name in ("first", "second")}
        rules = contest.Rules(rounds=3, seconds=0.0)
        held = contest.hold(calls, lambda: 7.0, rules, seed=1)
        assert {name: len(samples) for name, samples in held.samples.items()} == {"first": 3, "second": 3}
        assert held.rates == [7.0] * 3
        assert all(sample > 0 for samples in held.samples.values() for sample in samples)


class TestRow:
    def process(self, ours: list[float], rates: list[float]) -> dict[str, Any]:
        samples = {"autotune": ours, "default": [4e-6], "autotune, one thread": [6e-6], "numpy": [5e-6]}
        return {"samples": samples, "fma_rates": rates, "origin": "tuned"}

    def test_medians_over_all_processes(self) -> None:
        processes = (self.process([2e-6, 9e-6], [80e9, 90e9]), self.process([3e-6], [100e9]))
        row = Comparison(CASE, ("numpy",), processes).row(64, PEAKS, MACHINE)
        flops = 2 * 17 * 33 * 65
        assert {name: row[name] for name in ("kernel", "direction", "size", "dtype", "threads")} == CASE.identity()
        assert (row["trials"], row["processes"], row["rounds"], row["schedule"]) == (64, 2, 3, "tuned")
        assert (row["ms"], row["default_ms"]) == (pytest.approx(3e-3), pytest.approx(4e-3))
        assert row["one_thread_ms"] == pytest.approx(6e-3)
        assert row["peers"] == {"numpy": pytest.approx(5e-3)}
        assert row["gflops"] == pytest.approx(flops / 3e-6 * 1e-9)
        assert row["fma_fraction"] == row["roofline"] == pytest.approx(flops / 3e-6 / 100e9)
        assert row["load"] == pytest.approx(0.9)

    def test_bandwidth_is_that_of_the_innermost_level_that_holds_all(self) -> None:
        assert bandwidth(32 * 1024, 1, PEAKS, MACHINE) == 200e9
        assert bandwidth(32 * 1024 + 1, 2, PEAKS, MACHINE) == 2 * 100e9
        assert bandwidth(1 << 30, 1, PEAKS, MACHINE) == 20e9

    def test_what_moves_much_for_few_operations_is_bounded_by_memory(self) -> None:
        case = Case((4096, 1, 4096))
        row = Comparison(case, ("numpy",), (self.process([10e-3], [100e9]),)).row(64, PEAKS, MACHINE)
        assert row["roofline"] == pytest.approx(case.workload.bytes / 20e9 / 10e-3)
        assert row["roofline"] > row["fma_fraction"]


class TestResults:
    VERSIONS = {"autotune": "0.1.0", "numpy": "2.4.6"}  # noqa: RUF012

    def row(self, **fields: Any) -> dict[str, Any]:
        return {**CASE.identity(), "trials": 64, "ms": 3.0} | fields

    def open(self, path: Path, *, machine: Machine = MACHINE, refresh: bool = False, **versions: str) -> Results:
        return Results.open(path, machine, self.VERSIONS | versions, "autotune bench", refresh=refresh)

    def test_every_row_is_written_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "results" / "bench.json"
        results = self.open(path)
        results.add(self.row())
        assert json.loads(path.read_text()) == {
            "machine": {"fingerprint": MACHINE.fingerprint, **MACHINE.to_json()},
            "versions": self.VERSIONS,
            "command": "autotune bench",
            "rows": [self.row()],
        }

    def test_rows_of_the_file_stay(self, tmp_path: Path) -> None:
        path = tmp_path / "bench.json"
        first = self.open(path)
        first.more["tuning"] = {"seconds": 60.0}
        first.add(self.row())
        second = self.open(path)
        assert second.find(CASE.identity() | {"trials": 64}) == self.row()
        assert second.find(CASE.identity() | {"trials": 128}) is None
        assert second.more == {"tuning": {"seconds": 60.0}}
        second.add(self.row(ms=2.0))
        second.add(self.row(threads=1))
        assert self.open(path).rows == [self.row(ms=2.0), self.row(threads=1)]

    def test_to_refresh_rows_are_not_found_and_stay_until_measured_again(self, tmp_path: Path) -> None:
        path = tmp_path / "bench.json"
        first = self.open(path)
        first.add(self.row())
        first.add(self.row(threads=4))
        second = self.open(path, refresh=True)
        assert second.find(self.row()) is None
        second.add(self.row(ms=2.0))
        assert second.find(self.row()) == self.row(ms=2.0)
        assert second.find(self.row(threads=4)) is None
        assert self.open(path).rows == [self.row(ms=2.0), self.row(threads=4)]

    def test_to_refresh_rows_of_another_version_go(self, tmp_path: Path) -> None:
        path = tmp_path / "bench.json"
        self.open(path).add(self.row())
        assert self.open(path, refresh=True, numpy="1.0").rows == []
        path.write_text("{}")
        assert self.open(path, refresh=True).rows == []

    def test_new_results_replace_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "bench.json"
        self.open(path).add(self.row())
        Results.new(path, MACHINE, self.VERSIONS, "autotune bench").write()
        assert self.open(path).rows == []

    def test_results_of_another_machine_or_version_are_not_mixed(self, tmp_path: Path) -> None:
        path = tmp_path / "bench.json"
        self.open(path).add(self.row())
        other = Machine.from_json(MACHINE.to_json() | {"cpu": "Example 10"})
        with pytest.raises(UsageError, match="another machine, Example 9"):
            self.open(path, machine=other)
        with pytest.raises(UsageError, match="other versions of numpy"):
            self.open(path, numpy="1.0")
        assert self.open(path, torch="2.13").rows == [self.row()]

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [], "machine": 3, "versions": {}}', "\x00"])
    def test_a_file_of_another_kind_is_left(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "bench.json"
        path.write_text(text)
        with pytest.raises(FormatError, match="holds no results of a bench"):
            self.open(path)
        assert path.read_text() == text

    def test_in_memory(self) -> None:
        results = Results.open(None, MACHINE, self.VERSIONS, "autotune bench", refresh=False)
        results.add(self.row())
        assert results.rows == [self.row()]


class TestReport:
    def row(self, **fields: Any) -> dict[str, Any]:
        example = {"ms": 2.0, "default_ms": 3.0, "peers": {"numpy": 4.0, "torch": 6.0}, "fma_fraction": 0.9123}
        return Case((2048, 2048, 2048)).identity() | example | fields

    @pytest.mark.parametrize("width", [80, 120])
    def test_the_table_fits(self, width: int) -> None:
        out = terminal.console()
        out.width = width
        with out.capture() as capture:
            out.print(report.table([self.row(), self.row(threads=2, peers={"numpy": 4.0})], ("numpy", "torch")))
        lines = capture.get().splitlines()
        assert all(len(line) <= width for line in lines)
        assert " ".join(lines[3].split()) == "forward 2048x2048x2048 2.00 ms 3.00 ms 4.00 ms 6.00 ms 2.00 91.2"
        assert "2 threads" in lines[5]
        assert "-" in lines[6].split()

    def test_summary(self) -> None:
        rows = [self.row(), self.row(ms=1.0, threads=2, peers={"numpy": 8.0}, one_thread_ms=1.9)]
        found = report.summary(rows)
        assert found == {
            "best_peer_geometric_mean": pytest.approx(4.0),
            "best_peer_least": pytest.approx(2.0),
            "default_geometric_mean": pytest.approx((1.5 * 3) ** 0.5),
            "default_least": pytest.approx(1.5),
            "one_thread_geometric_mean": pytest.approx(1.9),
            "one_thread_least": pytest.approx(1.9),
        }
        assert report.words(found).startswith("geometric means: 4.00x the best peer (at least 2.00x), ")

    def test_summary_without_peers(self) -> None:
        assert report.summary([self.row(peers={})]).keys() == {"default_geometric_mean", "default_least"}

    def test_lines(self) -> None:
        assert report.line(self.row()) == "2.00 ms (91.2 % of peak), default 3.00 ms, numpy 4.00 ms, torch 6.00 ms"
        beside = report.line(self.row(threads=2, one_thread_ms=3.9))
        assert beside == ("2.00 ms (91.2 % of peak), default 3.00 ms, one thread 3.90 ms, numpy 4.00 ms, torch 6.00 ms")
        tuning = Case((7, 8, 9)).identity() | {"trials": 64, "seconds": 75.25, "peak_memory_bytes": 300 << 20}
        assert report.tuning_words(tuning) == "tuning forward 7x8x9: 64 trials in 75.2 s with 300 MiB"


def test_where_all_is_tuned_nothing_is_started(tmp_path: Path) -> None:
    with Database.open(tmp_path / "tuning.db") as database:
        effort, out = Effort(trials=8), terminal.console()
        assert list(tune_each([], effort, database=database, machine=MACHINE, out=out)) == []
