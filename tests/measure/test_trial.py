import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autotune import lang as at
from autotune.machine.lines import LINE_BYTES, PAST_LINE_BYTES
from autotune.measure import Candidate, Status, Timing
from autotune.measure.trial import Trial, measure, problem_of
from autotune.schedule import Workload

MakeCandidate = Callable[..., Candidate]
GOOD = "np.matmul(a, b, out=out)\nout *= np.float32(scale)"
# What goes wrong, and what is said of it.
FAULTS = {
    "missing element": (f"last = out[16, 4]\n{GOOD}\nout[16, 4] = last", r"element \[16, 4\] is nan"),
    "accumulation": ("out += np.float32(scale) * (a @ b)", "85 of 85 elements"),
    "past the end": (
        f"{GOOD}\nas_strided(out, (18, 5))[17, 0] = 0",
        "writes outside the output out: 4 bytes past its end, the nearest 1 away",
    ),
    "before the start": (
        f"{GOOD}\nas_strided(out[::-1], (18, 5))[17, 4] = 0",
        "writes outside the output out: 4 bytes before its start, the nearest 1 away",
    ),
    "past the scratch": (f"{GOOD}\nas_strided(scratch, (17,))[16] = 0", "writes outside the scratch array"),
    "unset scratch": (f"{GOOD}\nout += 0 * scratch[0]", "is nan"),
    "stale scratch": (f"{GOOD}\nout += scratch[0] == 1\nscratch[:] = 1", "85 of 85 elements"),
    "late": (f"{GOOD}\ncalls.append(1)\nif len(calls) > 2: out[0, 0] = 0", r"element \[0, 0\] is 0.0"),
    "changed input": (f"{GOOD}\nb[1, 1] = 0", r"modifies its input b \(. bytes, the first in element 6\)"),
}


@pytest.fixture(autouse=True)
def fresh_arguments() -> None:
    """Faulty candidates of one test must not spoil the arguments of the next."""
    problem_of.cache_clear()


def run(candidate: Candidate, stop_above: float = 60.0) -> Trial:
    return measure(candidate.path, candidate.workload, Timing(budget=0.01), stop_above)


def test_a_good_candidate_passes(candidate: MakeCandidate) -> None:
    result = run(candidate(GOOD))
    assert result == Trial(Status.OK, result.samples)
    assert len(result.samples) >= 5


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(candidate: MakeCandidate, fault: str) -> None:
    body, text = FAULTS[fault]
    result = run(candidate(body, before="calls = []"))
    assert (result.status, result.samples) == (Status.WRONG_RESULT, ())
    assert re.search(text, result.error)


def test_an_argument_that_is_refused_is_an_error(candidate: MakeCandidate) -> None:
    with pytest.raises(RuntimeError, match="argument 2 is refused"):
        run(candidate("return 2"))


@pytest.fixture(scope="module")
def picking() -> Workload:
    """Two outputs, one of them whole numbers, of a table and of indices into it."""

    def pick(table: at.Tensor["v"], idx: at.Integers["t"]) -> Any:
        (t,) = at.axes(idx)
        return at.output[t](table[idx[t]], name="picked"), at.output[t](idx[t] + 1, name="next")

    return Workload.of(at.define(pick), {"v": 7, "t": 20}, "float64", 1)


PICK = "picked[...] = table[idx]\nnext[...] = idx + 1"
FAULTS_OF_SEVERAL = {
    "first": (f"{PICK}\npicked[3] += 1", r"element picked\[3\] is .*, expected"),
    "second": (f"{PICK}\nnext[3] += 1", r"element next\[3\] is .*; 1 of 20 elements"),
    "not written": ("picked[...] = table[idx]\nnext[1:] = idx[1:] + 1", r"element next\[0\] is -9223372036854775808"),
    "past the end": (
        f"{PICK}\nas_strided(next, (21,))[20] = 0",
        "writes outside the output next: . bytes past its end",
    ),
    "changed input": (f"{PICK}\nidx[2] += 1", "modifies its input idx"),
}


def test_several_outputs_are_verified(candidate: MakeCandidate, picking: Workload) -> None:
    assert run(candidate(PICK, of=picking)).status is Status.OK


@pytest.mark.parametrize("fault", FAULTS_OF_SEVERAL)
def test_a_fault_in_one_of_several_outputs_is_found(candidate: MakeCandidate, picking: Workload, fault: str) -> None:
    body, text = FAULTS_OF_SEVERAL[fault]
    result = run(candidate(body, of=picking))
    assert (result.status, result.samples) == (Status.WRONG_RESULT, ())
    assert re.search(text, result.error)


def test_a_check_that_fails_is_an_error(candidate: MakeCandidate, picking: Workload) -> None:
    with pytest.raises(RuntimeError, match="check 1 fails although all indices are in range"):
        run(candidate("return -1", of=picking))


def test_arguments_are_the_same_every_time(workload: Workload) -> None:
    first, second = problem_of(workload), problem_of.__wrapped__(workload)
    assert list(first.case.arguments) == ["a", "b", "scale"]
    for name, argument in first.case.arguments.items():
        np.testing.assert_array_equal(argument, second.case.arguments[name])
    assert isinstance(first.case.arguments["scale"], float)
    assert first.case.arguments["scale"] == np.float32(first.case.arguments["scale"])


def test_arguments_begin_where_large_arrays_of_numpy_do(workload: Workload) -> None:
    problem = problem_of(workload)
    arrays = [array for array in problem.case.arguments.values() if isinstance(array, np.ndarray)]
    assert len(arrays) == 2
    assert {array.ctypes.data % LINE_BYTES for array in arrays} == {PAST_LINE_BYTES}


@pytest.mark.parametrize("extents", [{"m": 0, "k": 9, "n": 5}, {"m": 17, "k": 0, "n": 5}])
def test_axes_of_length_zero(candidate: MakeCandidate, workload: Workload, extents: dict[str, int]) -> None:
    empty = replace(candidate(GOOD), workload=Workload.of(workload.kernel, extents))
    assert run(empty).status is Status.OK
