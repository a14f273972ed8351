import gc
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotune import lang as at
from autotune.machine import detect, versions
from autotune.measure import Build, Candidate, Measurement, Runner, Status, Timing
from autotune.measure.trial import problem_of
from autotune.schedule import Workload

MakeCandidate = Callable[..., Candidate]
GOOD = "np.matmul(a, b, out=out)\nout *= np.float32(scale)"
FAULTS = {
    "segfault": ("ctypes.string_at(0)", Status.CRASH, "SIGSEGV"),
    "abort": ("os.abort()", Status.CRASH, "SIGABRT"),
    "exit": ("os._exit(7)", Status.CRASH, "exited with code 7"),
    "hang": ("time.sleep(1000)", Status.TIMEOUT, "longer than 2 s"),
    "raise": ("raise ValueError('not today')", Status.RUN_ERROR, "ValueError: not today"),
    "greed": ("np.ones(1 << 36)", Status.OUT_OF_MEMORY, "Unable to allocate"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", Status.OUT_OF_MEMORY, "SIGKILL"),
    "wrong number": (f"{GOOD}\nout[3, 2] += 1", Status.WRONG_RESULT, r"element \[3, 2\] is .*, expected .* within"),
    "missing element": (f"last = out[16, 4]\n{GOOD}\nout[16, 4] = last", Status.WRONG_RESULT, r"element \[16, 4\] is nan"),
    "past the end": (
        f"{GOOD}\nas_strided(out, (18, 5))[17, 0] = 0",
        Status.WRONG_RESULT,
        "writes outside the output out: 4 bytes past its end, the nearest 1 away",
    ),
    "before the start": (
        f"{GOOD}\nas_strided(out[::-1], (18, 5))[17, 4] = 0",
        Status.WRONG_RESULT,
        "writes outside the output out: 4 bytes before its start, the nearest 1 away",
    ),
    "past the scratch": (
        f"{GOOD}\nas_strided(scratch, (17,))[16] = 0",
        Status.WRONG_RESULT,
        "writes outside the scratch array",
    ),
    "changed input": (f"{GOOD}\nb[1, 1] = 0", Status.WRONG_RESULT, r"modifies its input b .* element 6"),
    "stale scratch": (f"{GOOD}\nout += 0 * scratch[0]", Status.WRONG_RESULT, "is nan"),
    "second call": (f"{GOOD}\nout += scratch[0] == 1\nscratch[:] = 1", Status.WRONG_RESULT, "85 of 85 elements"),
    "later call": (
        f"{GOOD}\ncount.append(1)\nif len(count) > 2: out[0, 0] = 0",
        Status.WRONG_RESULT,
        r"element \[0, 0\] is 0.0",
    ),
}


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner(timeout=2.0, timing=Timing(budget=0.02), memory_limit=1 << 33) as running:
        yield running


def built(candidate: Candidate) -> Build:
    return Build(path=candidate.path, status=Status.OK, error="", seconds=0.5)


def test_a_good_candidate_has_samples(runner: Runner, candidate: MakeCandidate, workload: Workload) -> None:
    good = candidate(GOOD)
    measurement = runner.measure(good, built(good), load=0.9)
    assert measurement == Measurement(
        workload=workload.key,
        config={"name": "candidate"},
        status=Status.OK,
        samples=measurement.samples,
        source="digest of candidate",
        machine=detect().fingerprint,
        versions=versions(),
        build_seconds=0.5,
        load=0.9,
        started=measurement.started,
    )
    assert len(measurement.samples) >= 5
    assert 0 < measurement.seconds < 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_recorded_and_the_next_candidate_measured(
    runner: Runner, candidate: MakeCandidate, fault: str
) -> None:
    body, status, text = FAULTS[fault]
    bad, good = candidate(body, name="bad", before="count = []"), candidate(GOOD, name="good")
    measurement = runner.measure(bad, built(bad))
    assert measurement.status is status
    assert measurement.samples == ()
    assert math.isinf(measurement.seconds)
    with pytest.raises(AssertionError):
        pytest.fail(measurement.error)  # not raised for nothing: a readable text is the point of the record
    assert runner.measure(good, built(good)).status is Status.OK
