"""The benches, really run, on products that take no time."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from autotune.cli.bench import contestants, lookup
from autotune.cli.bench.cases import Case
from autotune.cli.bench.comparison import ContestError, compare
from autotune.cli.bench.contest import Rules
from autotune.cli.bench.overhead import SUBJECTS
from autotune.library import conv2d
from autotune.machine import detect
from autotune.runtime import Origin, TunedKernel
from autotune.schedule import Workload
from autotune.templates import template_for
from tests.cli.conftest import Invoke
from tests.runtime.winners import stored, winner_of

SIZES = ((17, 33, 65), (3, 8, 9, 10))


@pytest.mark.parametrize("direction", contestants.FACTORS)
@pytest.mark.parametrize("size", SIZES)
def test_numpy_computes_what_the_kernel_defines(size: tuple[int, ...], direction: str) -> None:
    from autotune.lang.reference import evaluate

    workload = Case(size, direction, "float64").workload
    inputs = contestants.inputs_of(workload)
    (expected,) = evaluate(workload.kernel, inputs).values()
    product = np.asarray(contestants.with_numpy(workload, inputs)())
    np.testing.assert_allclose(product, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("tuned")
def test_our_contestants_are_the_tuned_and_the_default_schedule(workload: Workload) -> None:
    inputs = contestants.inputs_of(workload)
    ours, origin = contestants.tuned(workload, inputs)
    default = contestants.untuned(workload, inputs)
    assert origin is Origin.TUNED
    assert isinstance(default, partial)
    assert isinstance(default.func, TunedKernel)
    choice = default.func.plan(*default.args).choice
    assert choice is not None
    assert choice.origin is Origin.DEFAULT
    np.testing.assert_allclose(np.asarray(ours()), np.asarray(default()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sizes", "17x33"), "--sizes takes"),
        (("--sizes", "many"), "--sizes takes whole numbers"),
        (("--threads", "0"), "--threads takes whole numbers of at least 1"),
        (("--peers", "jax"), "--peers takes numpy, torch, not 'jax'"),
        (("--trials", "0"), "'--trials'"),
    ],
)
def test_misuse(words: tuple[str, ...], said: str, invoke: Invoke) -> None:
    result = invoke("bench", "matmul", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.slow
def test_a_contest_without_a_database(database: Path) -> None:
    rules = Rules(rounds=2, seconds=0.0)
    comparison = compare(Case((17, 33, 65)), str(database), peers=("numpy",), processes=2, rules=rules)
    assert {len(comparison.samples(name)) for name in ("autotune", "default", "numpy")} == {4}
    assert {process["origin"] for process in comparison.processes} == {Origin.DEFAULT.value}
    assert not database.exists()


def test_a_contest_that_fails(database: Path) -> None:
    with pytest.raises(ContestError, match="KeyError: 'nobody'"):
        compare(Case((8, 8, 8)), str(database), peers=("nobody",), processes=1, rules=Rules())


@pytest.mark.slow
def test_bench_matmul(tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "bench.json"
    words = ("bench", "matmul", "--quick", "--sizes", "17x33x65", "--trials", "2", "--peers", "numpy")
    result = invoke(*words, "--json", str(file))
    assert result.exit_code == 0, result.output
    assert "geometric means" in result.stdout
    found = json.loads(file.read_text())
    assert {"machine", "versions", "command", "rows"} <= found.keys()
    (row,) = found["rows"]
    wanted = "kernel direction size dtype threads trials ms default_ms gflops roofline fma_fraction peers"
    assert set(wanted.split()) <= row.keys()
    assert row["size"] == {"m": 17, "k": 33, "n": 65}
    assert row["schedule"] == "tuned"
    assert row["peers"].keys() == {"numpy"}
    assert "generator" in found["versions"]

    again = invoke(*words, "--json", str(file))
    assert "in the file already" in again.stdout
    assert json.loads(file.read_text())["rows"] == found["rows"]


@pytest.mark.slow
def test_bench_lookup(tmp_path: Path, database: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of winners that are known, as how they are found other tests see to; and of products only."""
    monkeypatch.setattr(lookup, "NEW", {"new shape, 2 tuned": ("matmul", 2)})
    shapes = [[array.shape for array in next(subject.inputs())] for subject in SUBJECTS.values()]
    assert shapes == [[(40, 40), (40, 40)], [(1, 12, 12, 12), (12, 12, 3, 3)]]
    workloads = (lookup.CASE.workload, conv2d.workload("forward", lookup.WINDOW, threads=1))
    machine = detect()
    defaults = [template_for(workload).default(workload, machine) for workload in workloads]
    stored(database, *(winner_of(*each) for each in zip(workloads, defaults, strict=True)))
    file = tmp_path / "lookup.json"
    result = invoke("bench", "lookup", "--repeats", "1", "--json", str(file))
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    assert {"lookup", "new shape, 2 tuned", "import", "first call"} <= {row["what"] for row in found["rows"]}
    assert all(row["least"] <= row["seconds"] <= row["most"] for row in found["rows"])
