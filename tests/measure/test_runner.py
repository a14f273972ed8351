import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autotune.codegen import generate, write
from autotune.machine import detect, versions
from autotune.measure import Build, Builder, Candidate, Measurement, Runner, Status, Timing
from autotune.schedule import Workload
from autotune.templates import template_for

MakeCandidate = Callable[..., Candidate]
GOOD = "np.matmul(a, b, out=out)\nout *= np.float32(scale)"
FAULTS = {
    "segfault": ("ctypes.string_at(0)", Status.CRASH, "SIGSEGV"),
    "abort": ("os.abort()", Status.CRASH, "SIGABRT"),
    "hang": ("time.sleep(1000)", Status.TIMEOUT, "longer than 3 s"),
    "raise": ("raise ValueError('not today')", Status.RUN_ERROR, "ValueError: not today"),
    "greed": ("np.ones(1 << 36)", Status.OUT_OF_MEMORY, "Unable to allocate"),
    "kill": ("os.kill(os.getpid(), signal.SIGKILL)", Status.OUT_OF_MEMORY, "SIGKILL"),
    "wrong number": (f"{GOOD}\nout[3, 2] += 1", Status.WRONG_RESULT, r"element \[3, 2\] is .*, expected .* within"),
    "stray write": (f"{GOOD}\nas_strided(out, (18, 5))[17, 0] = 0", Status.WRONG_RESULT, "writes outside the output"),
    "changed input": (f"{GOOD}\nb[1, 1] = 0", Status.WRONG_RESULT, "modifies its input b"),
}


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner(timeout=3.0, timing=Timing(budget=0.02), memory_limit=1 << 33) as running:
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
    assert 0 < measurement.seconds < 3


def test_generated_code_is_built_and_measured(runner: Runner, workload: Workload, tmp_path: Path) -> None:
    machine = detect()
    config = template_for(workload).default(workload, machine)
    source = generate(workload, config, machine)
    real = Candidate(workload=workload, config=config, path=write(source, tmp_path), source=source.digest)
    with Builder(1) as builder:
        (build,) = builder.build([real.path])
    measurement = runner.measure(real, build)
    assert (measurement.status, measurement.error) == (Status.OK, "")
    assert measurement.source == source.digest


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
    assert re.search(text, measurement.error)
    assert runner.measure(good, built(good)).status is Status.OK


def test_a_failed_build_is_recorded_without_a_run(runner: Runner, candidate: MakeCandidate) -> None:
    unbuilt = candidate("os.abort()")
    failed = Build(path=unbuilt.path, status=Status.BUILD_ERROR, error="no such intrinsic", seconds=1.5)
    measurement = runner.measure(unbuilt, failed)
    assert (measurement.status, measurement.error) == (Status.BUILD_ERROR, "no such intrinsic")
    assert measurement.build_seconds == 1.5


def test_a_missing_module_is_an_error_of_the_run(runner: Runner, candidate: MakeCandidate) -> None:
    lost = candidate(GOOD)
    lost.path.unlink()
    assert runner.measure(lost, built(lost)).status is Status.RUN_ERROR


def test_a_slow_candidate_is_stopped_early(runner: Runner, candidate: MakeCandidate) -> None:
    slow = candidate(f"{GOOD}\ntime.sleep(2e-3)")
    measurement = runner.measure(slow, built(slow), stop_above=1e-3)
    assert measurement.status is Status.OK
    assert measurement.stopped_early
    assert len(measurement.samples) == 2
    assert measurement.seconds >= 2e-3


def test_a_very_slow_candidate_is_called_once(runner: Runner, candidate: MakeCandidate) -> None:
    slow = candidate(f"{GOOD}\ncalls.append(1)\nassert len(calls) < 2\ntime.sleep(0.02)", before="calls = []")
    measurement = runner.measure(slow, built(slow), stop_above=1e-3)
    assert (measurement.status, measurement.stopped_early) == (Status.OK, True)
    assert len(measurement.samples) == 1


def test_a_slow_candidate_that_is_wrong_is_wrong(runner: Runner, candidate: MakeCandidate) -> None:
    slow = candidate(f"{GOOD}\nout[0, 0] = 7\ntime.sleep(0.02)")
    assert runner.measure(slow, built(slow), stop_above=1e-3).status is Status.WRONG_RESULT


def test_candidates_are_compared_in_turn(runner: Runner, candidate: MakeCandidate, workload: Workload) -> None:
    fast = candidate(GOOD, name="fast")
    slow = candidate(f"{GOOD}\ntime.sleep(2e-3)", name="slow")
    result = runner.compare(workload, [fast.path, slow.path], pairs=7, seconds=60)
    assert result.status is Status.OK
    assert [len(samples) for samples in result.samples] == [7, 7]
    assert max(result.samples[0]) < min(result.samples[1])


@pytest.mark.parametrize(("fault", "status"), [("wrong number", Status.WRONG_RESULT), ("segfault", Status.CRASH)])
def test_a_comparison_with_a_bad_candidate_fails_as_a_whole(
    runner: Runner, candidate: MakeCandidate, workload: Workload, fault: str, status: Status
) -> None:
    paths = [candidate(GOOD, name="good").path, candidate(FAULTS[fault][0], name="bad").path]
    result = runner.compare(workload, paths)
    assert (result.status, result.samples) == (status, ())
    assert re.search(FAULTS[fault][2], result.error)
    assert runner.compare(workload, paths[:1] * 2, pairs=5).status is Status.OK


def test_calibrates_in_the_child(runner: Runner) -> None:
    assert runner.calibrate() > 0
    assert runner.calibrate("float64", threads=2) > 0
    assert math.isnan(runner.calibrate("int8"))
