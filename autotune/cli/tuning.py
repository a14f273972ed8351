"""Tuning workloads one after the other, shown as it goes."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from rich.console import Console

from autotune.cli.kernels import known
from autotune.cli.progress import display
from autotune.machine import Machine, peaks
from autotune.schedule import Workload
from autotune.search import Bench, Outcome, tune

if TYPE_CHECKING:
    from autotune.database import Database


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much to tune: `trials` for each workload, `seconds` for all of them together, and the seed of the search."""

    trials: int
    seconds: float | None = None
    seed: int = 0


def tune_each(
    workloads: Sequence[Workload],
    effort: Effort,
    *,
    database: "Database",
    machine: Machine,
    out: Console,
    beside: Bench | None = None,
) -> Iterator[Outcome]:
    """The outcome of each workload as it is there; what is left of the time is shared evenly among those to come.

    All are built and measured by the same processes: those of the bench `beside`, else of one that ends with the last.
    """
    if not workloads:
        return
    deadline = None if effort.seconds is None else time.monotonic() + effort.seconds
    with nullcontext(beside) if beside else Bench(workloads[0], machine) as processes:
        for index, workload in enumerate(workloads):
            share = None if deadline is None else max(0.0, deadline - time.monotonic()) / (len(workloads) - index)
            part = f"({index + 1} of {len(workloads)})" if len(workloads) > 1 else ""
            peak = peaks(machine).flops(workload.dtype, workload.threads)
            with display(out, workload, peak, part) as report:
                outcome = tune(
                    workload,
                    machine=machine,
                    database=database,
                    trials=effort.trials,
                    seconds=share,
                    seed=effort.seed,
                    report=report,
                    find=known,
                    beside=processes,
                )
            yield outcome


def thinking(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Seconds that tuning runs took in all, and those of them that were the search's own, as in `Progress`."""
    seconds = sum(outcome.progress.elapsed for outcome in outcomes)
    spent = sum(outcome.progress.thinking for outcome in outcomes)
    return {"seconds": seconds, "thinking": spent, "share": spent / seconds if seconds > 0 else 0.0}


def peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # macOS counts bytes, Linux kibibytes


def process_seconds() -> float:
    """Seconds since this process was started, its imports included."""
    return time.time() - float(psutil.Process().create_time())
