"""Running candidates one at a time in a process of their own, and recording what became of each."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from autotune.machine import Machine, detect, versions
from autotune.measure import trial
from autotune.measure.builder import Build
from autotune.measure.candidate import Candidate
from autotune.measure.measurement import Measurement, Status, now
from autotune.measure.memory import default_limit
from autotune.measure.timing import Timing
from autotune.measure.trial import Comparison, Trial
from autotune.measure.worker import Reply, Worker

if TYPE_CHECKING:
    from autotune.schedule import Workload

Result = TypeVar("Result", Trial, Comparison)
PRELOAD = ("numba", "autotune.codegen", trial.__name__)
# NumPy computes the reference in float64, which takes long for large workloads and is no property of a candidate.
PREPARE_SECONDS = 600.0
# Loaded code is never freed: 0.6 MB a candidate for a matrix product on AVX2.
CALLS_PER_PROCESS = 250
CALIBRATION_SECONDS = 10.0
DEFAULT_TIMING = Timing()


class Runner:
    """Measures candidates in one child process, which is replaced after whatever may have damaged it."""

    def __init__(
        self,
        *,
        machine: Machine | None = None,
        timing: Timing = DEFAULT_TIMING,
        timeout: float = 20.0,
        memory_limit: int | None = None,
    ) -> None:
        self._machine = (machine or detect()).fingerprint
        self._timing = timing
        self._timeout = timeout
        self._calls = 0
        self._worker = Worker(preload=PRELOAD, memory_limit=default_limit() if memory_limit is None else memory_limit)

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._worker.stop()

    def measure(
        self, candidate: Candidate, build: Build, *, stop_above: float = math.inf, load: float = 1.0
    ) -> Measurement:
        """Verify and time a candidate that was built; a failed build is recorded as it is.

        `stop_above` are the seconds per call above which timing is not worth while; `load` goes into the record.
        """
        started = now()
        result = Trial(status=build.status, error=build.error)
        if build.status is Status.OK:
            result = self._try(candidate, stop_above)
        return Measurement(
            workload=candidate.workload.key,
            config=candidate.config,
            status=result.status,
            samples=result.samples,
            error=result.error,
            source=candidate.source,
            machine=self._machine,
            versions=versions(),
            build_seconds=build.seconds,
            stopped_early=result.stopped_early,
            load=load,
            started=started,
        )

    def compare(
        self, workload: "Workload", paths: Sequence[Path], *, pairs: int = 40, seconds: float = 2.0
    ) -> Comparison:
        """Samples of two or more built candidates taken in turn, for `statistics.ratio_interval` to judge.

        Ends after `pairs` rounds, or after `seconds` once there are `Timing.samples` of them.
        """
        arguments = (tuple(paths), workload, self._timing, pairs, seconds)
        reply = self._call(trial.compare, *arguments, workload=workload, timeout=len(paths) * self._timeout + seconds)
        return reply.value or Comparison(status=reply.status, error=reply.error)

    def calibrate(self, dtype: str = "float32", threads: int = 1) -> float:
        """Floating-point operations per second the machine reaches just now, or NaN if that could not be measured."""
        reply = self._worker.call(trial.calibrate, dtype, threads, timeout=CALIBRATION_SECONDS)
        return math.nan if reply.value is None else reply.value

    def _try(self, candidate: Candidate, stop_above: float) -> Trial:
        arguments = (candidate.path, candidate.workload, self._timing, stop_above)
        reply = self._call(trial.measure, *arguments, workload=candidate.workload, timeout=self._timeout)
        return reply.value or Trial(status=reply.status, error=reply.error)

    def _call(
        self, function: Callable[..., Result], *arguments: object, workload: "Workload", timeout: float
    ) -> Reply[Result]:
        """Call a function of `trial` once the child has the workload's arguments and reference.

        After a failure of any kind the child is replaced: whoever raised or gave wrong numbers may have written
        anywhere, not only where guards stand, and the next candidate must not be blamed for it.
        """
        prepared = self._worker.call(trial.prepare, workload, timeout=PREPARE_SECONDS)
        if prepared.status is not Status.OK:
            return Reply(status=prepared.status, error=f"no reference result: {prepared.error}")
        reply = self._worker.call(function, *arguments, timeout=timeout)
        self._calls += 1
        if reply.value is None or reply.value.status is not Status.OK or self._calls % CALLS_PER_PROCESS == 0:
            self._worker.stop()
            self._worker.start()
        return reply
