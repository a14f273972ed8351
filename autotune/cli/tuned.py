"""Tuned workloads as reports show them: what was measured on this machine, and the winner if one is proven."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotune import settings, units
from autotune.database.workload_key import WorkloadKey
from autotune.errors import AutotuneError
from autotune.lang import Kernel
from autotune.machine import Machine, peaks
from autotune.runtime import TunedKernel
from autotune.schedule import Workload

if TYPE_CHECKING:
    from autotune.database import Database, Summary, Winner


@dataclass(frozen=True)
class Tuned:
    """A workload on this machine: its measurements by status, the best time in seconds, and its winner.

    `peak` is the machine's measured rate of floating-point operations per second for the dtype and thread count.
    """

    workload: Workload
    counts: Mapping[str, int]
    best_seconds: float | None
    winner: "Winner | None"
    peak: float
    machine: Machine

    @property
    def measurements(self) -> int:
        """How many measurements there are; a candidate is measured again where the machine was loaded."""
        return sum(self.counts.values())

    @property
    def seconds(self) -> float | None:
        """Seconds per call of the winner, or of the best measurement where no winner is proven."""
        return self.winner.seconds if self.winner else self.best_seconds

    @property
    def flops(self) -> float | None:
        """Operations per second."""
        return self.workload.flops / self.seconds if self.seconds else None

    @property
    def fraction(self) -> float | None:
        """Of the machine's peak."""
        return self.flops / self.peak if self.flops is not None else None

    @property
    def gain(self) -> float | None:
        """The default's time over the winner's."""
        return self.winner.default_seconds / self.winner.seconds if self.winner else None

    @property
    def gain_words(self) -> str:
        """By how much the winner was proven faster than the default, for people."""
        if self.winner is None or self.gain is None:
            return "no winner proven yet" if self.best_seconds else "every trial failed"
        if self.winner.samples == self.winner.default_samples:
            return "none: the default won"
        return units.gain(self.gain, self.winner.ratio_low, self.winner.ratio_high)

    @cached_property
    def source(self) -> Path | None:
        """The generated module of the winner; written again where it was deleted."""
        if self.winner is None:
            return None
        folder = settings.cache_directory() / "kernels"
        for path in folder.glob(f"*_{self.winner.source[:16]}.py"):
            return path
        from autotune.codegen import generate, write

        return write(generate(self.workload, self.winner.config, self.machine))

    def to_json(self) -> dict[str, Any]:
        """A row of `run --json` and `show --json`; times in milliseconds."""
        row: dict[str, Any] = {
            "kernel": self.workload.kernel.name,
            "direction": self.workload.kernel.direction,
            "options": dict(self.workload.kernel.options),
            "size": dict(self.workload.extents),
            "dtype": self.workload.dtype,
            "threads": self.workload.threads,
            "measurements": self.measurements,
            "statuses": dict(self.counts),
            "ms": _milliseconds(self.seconds),
            "gflops": None if self.flops is None else self.flops * 1e-9,
            "fma_fraction": self.fraction,
            "proven": self.winner is not None,
        }
        if self.winner is not None:
            row |= {
                "default_ms": _milliseconds(self.winner.default_seconds),
                "gain": self.gain,
                "gain_low": self.winner.ratio_low,
                "gain_high": self.winner.ratio_high,
                "samples_ms": [_milliseconds(sample) for sample in self.winner.samples],
                "config": self.winner.config,
                "source": str(self.source),
                "proven_at": self.winner.proven,
                "versions": self.winner.versions,
            }
        return row


def look_up(database: "Database", workload: Workload, machine: Machine) -> Tuned:
    """What is known of one workload."""
    kernel = workload.kernel
    counted = database.summaries(kernel=kernel.name, direction=kernel.direction)
    return _tuned(database, workload, machine, counted)


def look_up_all(database: "Database", kernel: TunedKernel, machine: Machine) -> Iterator[Tuned]:
    """What is known of a kernel on this machine, by direction; other kernels of the same name are left out."""
    for direction in _directions(database, kernel):
        definition = kernel.dispatch(direction).kernel
        counted = database.summaries(kernel=definition.name, direction=direction)
        keys = database.workloads(kernel=definition.name, direction=direction)
        workloads = [workload for key in keys if (workload := _workload(definition, key)) is not None]
        for workload in sorted(workloads, key=lambda each: (each.dtype, each.threads, each.extents)):
            tuned = _tuned(database, workload, machine, counted)
            if tuned.counts or tuned.winner:
                yield tuned


def _directions(database: "Database", kernel: TunedKernel) -> tuple[str, ...]:
    """Those of the kernel, and any other that was tuned by its name, such as "jacobian:s"."""
    keys = database.workloads(kernel=kernel.definition.name)
    found = dict.fromkeys([*kernel.directions, *sorted({WorkloadKey.parse(key).direction for key in keys})])
    return tuple(direction for direction in found if _exists(kernel, direction))


def _exists(kernel: TunedKernel, direction: str) -> bool:
    """Whether the kernel has a direction, which may be that of another kernel with the same name and other inputs."""
    try:
        kernel.dispatch(direction)
    except AutotuneError:
        return False
    return True


def _workload(definition: Kernel, key: str) -> Workload | None:
    """The workload of a key, or None where it is of another definition."""
    parts = WorkloadKey.parse(key)
    if parts.definition != definition.digest:
        return None
    return Workload.of(definition, parts.extents, parts.dtype, parts.threads)


def _tuned(database: "Database", workload: Workload, machine: Machine, counted: "Iterable[Summary]") -> Tuned:
    ours = (workload.key, machine.fingerprint)
    summary = next((summary for summary in counted if (summary.workload, summary.machine) == ours), None)
    return Tuned(
        workload=workload,
        counts=summary.counts if summary else {},
        best_seconds=summary.best_seconds if summary else None,
        winner=database.winner(*ours),
        peak=peaks(machine).flops(workload.dtype, workload.threads),
        machine=machine,
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3
