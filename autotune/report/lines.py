"""What the times of a workload are held against: the default, peers from benches, the roofline."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotune.database.views import Tuned
from autotune.errors import FormatError, UsageError
from autotune.figures import Lines
from autotune.machine import Peaks, detect, peaks
from autotune.machine.peak_rates import bandwidth
from autotune.report.known import workload_of
from autotune.runtime import TunedKernel
from autotune.schedule import Workload

_ROW = {"kernel", "direction", "size", "dtype", "threads", "ms", "roofline", "peers"}


@dataclass(frozen=True)
class Bench:
    """The rows of a bench's file with the fingerprint of the machine they were measured on."""

    machine: str
    rows: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, path: Path) -> "Bench":
        """Raises `UsageError` for a file that is not there, `FormatError` for one of something else."""
        try:
            data = json.loads(path.read_bytes())
            machine, rows = data["machine"]["fingerprint"], tuple(data["rows"])
            complete = all(row.keys() >= _ROW for row in rows)
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}"
            raise UsageError(message) from error
        except (ValueError, TypeError, KeyError, AttributeError):
            complete = False
        if not complete:
            message = f"{path} holds no results of `bench kernels` or `bench matmul`"
            raise FormatError(message)
        return cls(machine, rows)

    def find(self, tuned: Tuned) -> Mapping[str, Any] | None:
        """The row of the workload, measured on the same machine."""
        if self.machine != tuned.machine:
            return None
        key = tuned.key
        wanted = (key.kernel, key.direction, key.extents, key.dtype, key.threads)
        names = ("kernel", "direction", "size", "dtype", "threads")
        return next((row for row in self.rows if tuple(row[name] for name in names) == wanted), None)


def lines_of(tuned: Tuned, benches: Sequence[Bench] = (), more: Sequence[TunedKernel] = ()) -> Lines:
    """The lines of a workload, as far as they are known.

    The roofline comes from the peaks of this machine where the workload was tuned on it and its kernel is at hand, else
    from a bench.
    """
    row = next((found for bench in benches if (found := bench.find(tuned)) is not None), None)
    peers = {} if row is None else {name: 1e-3 * float(ms) for name, ms in row["peers"].items()}
    roofline = _here(tuned, more)
    if roofline is None and row is not None and row["roofline"]:
        roofline = 1e-3 * float(row["ms"]) * float(row["roofline"])
    return Lines(default=tuned.default_seconds, peers=peers, roofline=roofline)


def _here(tuned: Tuned, more: Sequence[TunedKernel]) -> float | None:
    machine = detect()
    workload = workload_of(tuned.key, more) if tuned.machine == machine.fingerprint else None
    return None if workload is None else roofline_seconds(workload, peaks(machine, sorted({1, workload.threads})))


def roofline_seconds(workload: Workload, found: Peaks) -> float:
    """The least time that arithmetic and memory of this machine allow; every tensor is read or written once."""
    rate = bandwidth(workload.bytes, workload.threads, found, detect())
    return max(workload.flops / found.flops(workload.dtype, workload.threads), workload.bytes / rate)
