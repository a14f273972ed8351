"""`bench kernels`, really run on sizes that take no time, and what its peers compute."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotune.cli.bench.comparison import ContestError
from autotune.cli.bench.contest import Rules
from autotune.cli.bench.kernels import agreement, problem, referee
from autotune.cli.bench.kernels.cases import KernelCase, suite
from autotune.cli.bench.kernels.problem import Problem, problem_of
from autotune.cli.bench.kernels.referee import Referee
from autotune.cli.bench.peers import PEERS, numba_loops
from autotune.cli.bench.peers.offered import NotOfferedError
from autotune.lang.reference import evaluate
from tests.cli.conftest import Invoke

# A size of each kernel that every peer takes, with unequal extents so that a transposed result cannot pass.
TINY: dict[str, tuple[int, ...]] = {
    "matmul": (3, 4, 5),
    "batch_matmul": (2, 3, 4, 5),
    "linear_gelu": (3, 4, 5),
    "attention": (2, 3, 5, 8, 4, 8),  # of which JAX's function takes no other last extent
    "conv2d": (2, 1, 3, 6, 7, 4, 3, 3),
    "depthwise_conv2d": (2, 3, 6, 7, 3, 3),
    "max_pool2d": (2, 3, 7, 9),
    "avg_pool2d": (2, 3, 7, 9),
    "softmax": (3, 5),
    "log_softmax": (3, 5),
    "logsumexp": (3, 5),
    "layer_norm": (3, 5),
    "rms_norm": (3, 5),
    "cross_entropy": (4, 5),
    "embedding": (5, 3, 8),
    "black_scholes": (7,),
    "asian_option": (6, 4),
    "nbody": (5, 3),
    "radon": (8, 9, 6, 7),
    "total_variation_step": (5, 6),
    "pk_two_compartment": (3, 5),
    "cox_partial_likelihood": (7, 3),
    "sinkhorn_step": (4, 6),
}
CASES = suite(TINY, (1,), quick=True)
COMPILED_LOOPS = (("matmul", "vjp:b"), ("softmax", "forward"), ("max_pool2d", "forward"), ("nbody", "forward"))
SOFTMAX = KernelCase("softmax", (("rows", 3), ("cols", 5)))
RULES = Rules(rounds=1, seconds=0.0)


def tiny(case: KernelCase) -> Problem:
    """The case at a size that takes no time."""
    size = zip((name for name, _ in case.size), TINY[case.kernel], strict=True)
    return problem_of(KernelCase(case.kernel, tuple(size), case.direction, case.options))


def reference(given: Problem) -> tuple[np.ndarray[Any, Any], ...]:
    workload = given.case.workload
    arguments = {
        name: np.reshape(value, workload.shapes[name]) for name, value in given.arguments(workload.kernel).items()
    }
    results = evaluate(workload.kernel, arguments)
    extents = dict(workload.extents)
    return tuple(
        np.reshape(results[output.name], workload.kernel.call_shape_of(output.name, extents))
        for output in workload.kernel.outputs
    )


def test_sizes_are_those_of_the_library() -> None:
    from autotune.cli.kernels import built_in

    assert TINY.keys() == built_in().keys()
    assert {(case.kernel, case.direction) for case in CASES} == {
        (name, direction) for name, kernel in built_in().items() for direction in ("jvp", *kernel.tuned_directions)
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kernel}-{case.direction}")
@pytest.mark.parametrize("peer", ["numpy", "torch", "jax"])
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of PyTorch, when it loads `torch.func`
def test_peers_compute_what_the_kernel_defines(case: KernelCase, peer: str) -> None:
    pytest.importorskip(peer)
    given = tiny(case)
    try:
        got = agreement.arrays_of(PEERS[peer].prepare(given)())
    except NotOfferedError:
        assert peer == "numpy"
        return
    for result, expected in zip(got, reference(given), strict=True):
        assert result.shape == expected.shape
        # float32 throughout; gradients by angles and offsets jump where a ray meets a pixel's centre
        np.testing.assert_allclose(result, expected, rtol=2e-3, atol=2e-4 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kernel}-{case.direction}")
def test_plain_loops_compute_what_the_kernel_defines(case: KernelCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run by Python, which is quicker for so little than their compiler; one of each module is compiled."""
    if (case.kernel, case.direction) not in COMPILED_LOOPS:
        plain = {name: loop.py_func for name, loop in numba_loops.LOOPS.items()}  # type: ignore[attr-defined]
        monkeypatch.setattr(numba_loops, "LOOPS", plain)
    given = tiny(case)
    try:
        got = agreement.arrays_of(PEERS["numba"].prepare(given)())
    except NotOfferedError:
        return
    for result, expected in zip(got, reference(given), strict=True):
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=2e-3, atol=2e-4 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.filterwarnings("ignore")  # of the packages they bring along
@pytest.mark.parametrize(
    ("peer", "package", "kernel", "size"),
    [
        ("pot", "ot", "sinkhorn_step", {"n": 4, "m": 6}),
        ("scikit-image", "skimage", "radon", {"h": 33, "w": 33, "a": 7, "t": 33}),
        ("scikit-survival", "sksurv", "cox_partial_likelihood", {"n": 7, "p": 3}),
    ],
)
def test_libraries_of_a_field_compute_what_the_kernel_defines(
    peer: str, package: str, kernel: str, size: dict[str, int]
) -> None:
    pytest.importorskip(package)
    given = problem_of(KernelCase(kernel, tuple(size.items())))
    agreement.check(reference(given), agreement.arrays_of(PEERS[peer].prepare(given)()), 2e-3)
    with pytest.raises(NotOfferedError):
        PEERS[peer].prepare(problem_of(SOFTMAX))


def test_every_kernel_has_a_plain_loop() -> None:
    from autotune.cli.bench.peers.numba_loops import LOOPS

    assert LOOPS.keys() >= TINY.keys()
    written = {f"{case.kernel}_by_{case.direction[4:]}" for case in CASES if case.direction.startswith("vjp:")}
    assert LOOPS.keys() - TINY.keys() <= written
    for name, function in LOOPS.items():
        known = next(
            tiny(case) for case in CASES if name == case.kernel or name == f"{case.kernel}_by_{case.direction[4:]}"
        )
        assert set(problem.parameters(function)) <= known.values.keys()


class TestReferee:
    @pytest.fixture
    def one(self, database: Path) -> Iterator[Referee]:
        with Referee(1, str(database)) as made:
            yield made

    def test_contests_share_a_process(self, one: Referee) -> None:
        first = one.hold(SOFTMAX, ("numpy",), RULES, tuned=False)
        second = one.hold(SOFTMAX, (), RULES, tuned=True)
        assert first["samples"].keys() == {"default", "numpy"}
        assert second["samples"].keys() == {"autotune", "default"}
        assert (first["absent"], first["not_offered"], second["origin"]) == ({}, {}, "default")

    def test_a_peer_without_the_function_is_named(self, one: Referee) -> None:
        held = one.hold(SOFTMAX, ("pot",), RULES, tuned=False)
        assert held["not_offered"].keys() == {"pot"}
        assert held["samples"].keys() == {"default"}

    def test_a_peer_that_fails_is_left_out(self, one: Referee) -> None:
        held = one.hold(SOFTMAX, ("nobody", "numpy"), RULES, tuned=False)
        assert held["absent"] == {"nobody": "KeyError: 'nobody'"}
        assert held["samples"].keys() == {"default", "numpy"}

    def test_a_peer_that_takes_too_long_is_left_out_from_then_on(
        self, one: Referee, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(referee, "PREPARATION_SECONDS", 1e-4)
        for _ in range(2):
            held = one.hold(SOFTMAX, ("torch",), RULES, tuned=False)
            assert held["absent"].keys() == {"torch"}
            assert "it took more than" in held["absent"]["torch"]

    def test_a_case_that_cannot_be_is_an_error(self, one: Referee) -> None:
        with pytest.raises(ContestError, match="'rows'"):
            one.hold(KernelCase("softmax", (("pixels", 3),)), (), RULES, tuned=False)
        assert one.hold(SOFTMAX, (), RULES, tuned=False)["samples"].keys() == {"default"}


def test_another_result_is_no_peer() -> None:
    ours = (np.array([1.0, 2.0]),)
    agreement.check(ours, (np.array([1.0, 2.0005]),), 1e-2)
    for other in ([1.0, 2.1], [1.0, np.nan], [1.0]):
        with pytest.raises(agreement.OtherResultError):
            agreement.check(ours, (np.array(other),), 1e-2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "fft"), "--only takes matmul, "),
        (("--peers", "tvm"), "--peers takes numba, numpy, "),
        (("--threads", "0"), "--threads takes whole numbers of at least 1"),
        (("--trials", "-1"), "'--trials'"),
        (("--plot",), "--plot draws what --json keeps"),
    ],
)
def test_misuse(words: tuple[str, ...], said: str, invoke: Invoke) -> None:
    result = invoke("bench", "kernels", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.slow
def test_bench_kernels(tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "kernels.json"
    words = ("bench", "kernels", "--quick", "--only", "logsumexp", "--trials", "0", "--peers", "numpy,scikit-survival")
    result = invoke(*words, "--json", str(file))
    assert result.exit_code == 0, result.output
    assert "geometric means over 3 rows" in result.stdout
    found = json.loads(file.read_text())
    assert {"machine", "versions", "command", "rows", "method", "missing_peers"} <= found.keys()
    forward, gradient, along = found["rows"]
    wanted = "kernel direction size options dtype threads trials ms default_ms gflops roofline bound bytes peers ratio"
    assert set(wanted.split()) <= forward.keys()
    assert forward["peers"].keys() == gradient["peers"].keys() == {"numpy"}
    assert "numpy" in along["not_offered"]
    assert forward["ratio"] == pytest.approx(forward["peers"]["numpy"] / forward["ms"])

    again = invoke(*words, "--json", str(file))
    assert again.stdout.count("in the file already") == 3
    assert json.loads(file.read_text())["rows"] == found["rows"]
