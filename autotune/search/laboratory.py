"""Where configs become measurements: the one part of a tuning run that needs a machine."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from autotune.codegen import generate, write
from autotune.machine import Machine
from autotune.measure import Build, Builder, Calibration, Candidate, Measurement, Runner, Status
from autotune.schedule import Config, Workload

QUIET = 0.9  # of the best rate of the calibration kernel; below, something else is running
POLL_SECONDS = 0.25
STOP_ABOVE = 2.5  # times the best: slower candidates are not timed to the end
PAIRS = 200  # of samples in a comparison, at most


def trusted(measurement: Measurement) -> bool:
    """Whether a measurement says what the config takes; one made while something else was running may say too much.

    By how much nobody can tell: the load is measured before and after, and what runs beside may have gone meanwhile.
    """
    return measurement.status is not Status.OK or measurement.load >= QUIET


@dataclass(frozen=True)
class Duel:
    """Seconds per call of several configs, taken in turn, and the digests of their sources, in the order given.

    Both are empty where one of them failed; `error` says how.
    """

    samples: tuple[tuple[float, ...], ...] = ()
    sources: tuple[str, ...] = ()
    error: str = ""


class Laboratory(Protocol):
    """Measures configs of one workload; the search sees no more of a machine than this."""

    def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
        """Builds the configs and measures one after the other, in their order; failures are measurements too.

        Timing ends early for those far slower than `best` seconds, or than the fastest among them so far.
        """

    def settle(self, seconds: float) -> float:
        """Waits until the machine is quiet, at most so many seconds; gives its load, as in `Measurement`."""

    def compare(self, configs: Sequence[Config], *, seconds: float) -> Duel:
        """Times configs in turn for so long, so that what slows the machine slows all of them alike."""


class Bench:
    """The real laboratory: builds in parallel processes, then measures one at a time with nothing beside it."""

    def __init__(
        self, workload: Workload, machine: Machine, *, builders: int | None = None, beside: "Bench | None" = None
    ) -> None:
        """A bench with processes of its own, or with those of the bench `beside`, which starts and ends them."""
        self._workload = workload
        self._machine = machine
        self._builder: Builder = Builder(builders) if beside is None else beside._builder
        self._runner: Runner = Runner(machine=machine) if beside is None else beside._runner
        self._calibration = Calibration()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()
        self._builder.close()

    def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
        """See `Laboratory`; the load of a measurement is the worse of those before and after it."""
        prepared = self._build(configs)
        before = self._load()
        for candidate, build in prepared:
            measurement = self._runner.measure(candidate, build, stop_above=STOP_ABOVE * best)
            best = min(best, measurement.seconds)
            after = self._load() if build.status is Status.OK else before
            yield replace(measurement, load=min(before, after))
            before = after

    def settle(self, seconds: float) -> float:
        """See `Laboratory`."""
        deadline = time.monotonic() + seconds
        while (load := self._load()) < QUIET and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return load

    def compare(self, configs: Sequence[Config], *, seconds: float) -> Duel:
        """See `Laboratory`."""
        prepared = self._build(configs)
        for candidate, build in prepared:
            if build.status is not Status.OK:
                return Duel(error=f"{build.status} of {dict(candidate.config)}: {build.error}")
        paths = [candidate.path for candidate, _ in prepared]
        comparison = self._runner.compare(self._workload, paths, pairs=PAIRS, seconds=seconds)
        sources = tuple(candidate.source for candidate, _ in prepared) if comparison.samples else ()
        return Duel(comparison.samples, sources, comparison.error)

    def _build(self, configs: Sequence[Config]) -> list[tuple[Candidate, Build]]:
        written = [self._write(config) for config in configs]
        paths = [candidate.path for candidate, error in written if not error]
        builds = {build.path: build for build in self._builder.build(paths)}
        return [(candidate, _not_generated(error) if error else builds[candidate.path]) for candidate, error in written]

    def _write(self, config: Config) -> tuple[Candidate, str]:
        """The candidate on disk, or an error: a config that no source can be generated for must not end the run."""
        try:
            source = generate(self._workload, config, self._machine)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            return Candidate(workload=self._workload, config=config, path=Path(), source=""), message
        return Candidate(workload=self._workload, config=config, path=write(source), source=source.digest), ""

    def _load(self) -> float:
        rate = self._runner.calibrate(self._workload.dtype, self._workload.threads)
        self._calibration = self._calibration.observe(rate)
        return self._calibration.load


def _not_generated(error: str) -> Build:
    return Build(path=Path(), status=Status.BUILD_ERROR, error=error, seconds=0.0)
