"""The parts of `bench kernels` that need no measuring: cases, rows, the summary, the plot."""

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotune.cli import terminal
from autotune.cli.bench.kernels import plot, report
from autotune.cli.bench.kernels.cases import KernelCase, suite
from autotune.cli.bench.kernels.problem import problem_of
from autotune.cli.bench.kernels.rows import row_of
from autotune.cli.bench.kernels.sizes import ROWS
from autotune.errors import FormatError
from autotune.figures import against_peers
from autotune.machine import Cache, Machine, Peaks
from tests.cli.conftest import Invoke

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
CASE = KernelCase(
    "max_pool2d", (("n", 2), ("c", 3), ("h", 8), ("w", 9)), "vjp:x", (("size", 3), ("stride", 2)), threads=2
)
L2 = 1 << 20


class TestCases:
    def test_large_sizes_on_all_numbers_of_threads_the_others_on_the_first(self) -> None:
        cases = suite(("softmax",), (1, 2))
        assert [(case.title, case.threads) for case in cases if case.direction == "jvp"] == [
            ("128x256", 1),
            ("8192x1024", 1),
            ("4096x1024", 1),
            ("8192x1024", 2),
        ]

    def test_quick_is_what_lies_in_cache(self) -> None:
        assert {case.title for case in suite(("softmax", "rms_norm"), (1, 2), quick=True)} == {"128x256"}

    def test_a_case_survives_its_row(self) -> None:
        assert KernelCase.from_json(json.loads(json.dumps(CASE.identity()))) == CASE

    @pytest.mark.parametrize("name", ROWS)
    def test_cached_sizes_lie_in_the_second_level_cache(self, name: str) -> None:
        assert all(case.workload.bytes <= L2 for case in suite((name,), (1,), quick=True))

    @pytest.mark.parametrize("name", ROWS)
    def test_large_sizes_are_larger(self, name: str) -> None:
        row = ROWS[name]
        assert prod(row.large.values()) > prod(row.cached.values())
        assert row.large.keys() == row.cached.keys()


class TestProblem:
    def test_a_gradient_has_a_cotangent_and_a_derivative_tangents(self) -> None:
        size = {"v": 5, "d": 3, "t": 8}
        along = problem_of(KernelCase("embedding", tuple(size.items()), "jvp"))
        back = problem_of(KernelCase("embedding", tuple(size.items()), "vjp:table"))
        assert along.seeds.keys() == {"table_dot"}
        assert back.seeds["out_bar"].shape == (8, 3)
        assert (back.wrt, along.wrt) == (("table",), ())
        assert along.inputs["idx"].dtype == np.int64
        assert 0 <= along.inputs["idx"].min() <= along.inputs["idx"].max() < 5

    def test_shared_gradients_are_by_all_floating_inputs(self) -> None:
        loss = problem_of(KernelCase("cross_entropy", (("b", 4), ("v", 5)), "joint"))
        gradients = problem_of(KernelCase("layer_norm", (("rows", 3), ("cols", 5)), "vjp"))
        assert (loss.wrt, loss.valued, loss.formula) == (("logits",), True, None)
        assert (gradients.wrt, gradients.valued, gradients.formula) == (("x", "gamma", "beta"), False, None)
        assert loss.seeds["out_bar"].shape == ()

    def test_a_function_gets_what_it_names(self) -> None:
        problem = problem_of(CASE)
        call = problem.call(lambda stride, out_bar: (stride, out_bar))
        assert call() == (2, problem.seeds["out_bar"])

    def test_the_same_numbers_every_time(self) -> None:
        first, second = problem_of(CASE), problem_of(CASE)
        np.testing.assert_array_equal(first.inputs["x"], second.inputs["x"])


class TestRow:
    def held(self, **samples: list[float]) -> dict[str, Any]:
        rates = [80e9, 100e9]
        rest = {"prepared": {}, "absent": {"jax": "no"}, "not_offered": {}}
        return {"samples": samples, "fma_rates": rates, "origin": "tuned", **rest}

    def test_what_moves_much_is_bounded_by_memory(self) -> None:
        held = self.held(autotune=[1e-3, 2e-3, 9e-3], default=[4e-3], numpy=[6e-3], torch=[5e-3])
        case = KernelCase("softmax", (("rows", 1000), ("cols", 1000)))
        row = row_of(case, held, 32, PEAKS, MACHINE)
        assert (row["ms"], row["default_ms"], row["trials"]) == (pytest.approx(2.0), pytest.approx(4.0), 32)
        assert row["peers"] == {"numpy": pytest.approx(6.0), "torch": pytest.approx(5.0)}
        assert row["ratio"] == pytest.approx(2.5)
        assert (row["bytes"], row["bound"]) == (8_000_000, "memory")
        assert row["roofline"] == pytest.approx(8e6 / 20e9 / 2e-3)
        assert row["absent"] == {"jax": "no"}
        assert row["load"] == pytest.approx(0.9)

    def test_what_computes_much_is_bounded_by_the_rate(self) -> None:
        case = KernelCase("matmul", (("m", 512), ("k", 512), ("n", 512)))
        row = row_of(case, self.held(default=[5e-3]), 0, PEAKS, MACHINE)
        assert (row["ms"], row["default_ms"], row["ratio"]) == (pytest.approx(5.0), pytest.approx(5.0), None)
        assert row["bound"] == "compute"
        assert row["roofline"] == pytest.approx(2 * 512**3 / 100e9 / 5e-3)


def example(**fields: Any) -> dict[str, Any]:
    row = {
        **KernelCase("softmax", (("rows", 4096), ("cols", 1024))).identity(),
        "ms": 2.0,
        "default_ms": 3.0,
        "peers": {"numpy": 8.0, "torch": 6.0},
        "ratio": 3.0,
        "roofline": 0.8,
        "bound": "memory",
        "trials_per_second": 2.0,
    }
    return row | fields


SLOW = example(ms=10.0, ratio=0.6, roofline=0.2, direction="vjp:x", bound="compute", trials_per_second=None)


class TestReport:
    def test_summary(self) -> None:
        found = report.summary([example(), SLOW, example(peers={}, ratio=None)])
        assert found["rows"] == 3
        assert found["torch_geometric_mean"] == pytest.approx((3.0 * 0.6) ** 0.5)
        assert found["best_peer_least"] == pytest.approx(0.6)
        assert found["memory_bound_roofline"] == pytest.approx(0.8)
        assert found["compute_bound_least"] == pytest.approx(0.2)
        assert found["trials_per_second_least"] == 2.0
        assert found["slower_than_a_peer"] == ["softmax vjp:x 4096x1024, 1 thread"]

    def test_words_name_what_is_behind(self) -> None:
        lines = report.words([example(), SLOW])
        assert lines[0].startswith("geometric means over 2 rows: 1.34x PyTorch (at least 0.60x), ")
        assert lines[-1] == "  0.60x torch: softmax vjp:x 4096x1024, 1 thread"

    def test_nothing_to_compare_with(self) -> None:
        alone = example(peers={}, ratio=None, trials_per_second=None)
        assert report.summary([alone]).keys() >= {"default_geometric_mean", "slower_than_a_peer"}
        assert "PyTorch" not in "".join(report.words([alone]))

    def test_the_table(self) -> None:
        out = terminal.console()
        with out.capture() as capture:
            out.print(report.table([example(), example(threads=2, peers={}, ratio=None)]))
        lines = [" ".join(line.split()) for line in capture.get().splitlines()]
        assert "softmax forward 4096x1024 2.00 ms 3.00 ms 6.00 ms torch 6.00 ms 3.00 3.00 80 memory" in lines
        assert "float32 2 threads" in lines
        assert "softmax forward 4096x1024 2.00 ms 3.00 ms - - - - 80 memory" in lines

    def test_a_line(self) -> None:
        said = "2.00 ms (80.0 % of roofline, memory-bound), default 3.00 ms, torch 6.00 ms, numpy 8.00 ms"
        assert report.line(example()) == said


class TestPlot:
    def test_every_compared_row_is_a_point(self) -> None:
        pytest.importorskip("plotly")
        figure = against_peers([example(), SLOW, example(peers={}, ratio=None)])
        points = [(x, y) for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True)]
        assert sorted(points) == [(0.6, "softmax"), (3.0, "softmax")]
        assert figure.layout.xaxis.type == "log"

    def test_the_page_lies_beside_the_results(self, tmp_path: Path, invoke: Invoke) -> None:
        pytest.importorskip("plotly")
        file = tmp_path / "kernels.json"
        file.write_text(json.dumps({"rows": [example()]}))
        result = invoke("bench", "plot", str(file))
        assert result.exit_code == 0, result.output
        assert str(tmp_path / "kernels.html") in result.stdout
        text = (tmp_path / "kernels.html").read_text()
        assert "softmax" in text
        assert "<script src" not in text
        assert "<link" not in text

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": []}', '{"rows": [3]}', '{"rows": [{"kernel": "a"}]}'])
    def test_a_file_of_another_kind(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "other.json"
        path.write_text(text)
        with pytest.raises(FormatError, match="holds no results of `bench kernels`"):
            plot.plot(path)
        assert not path.with_suffix(".html").exists()
