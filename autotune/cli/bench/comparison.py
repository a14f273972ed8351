"""The contests of one case, each in a process of its own, and the row that sums them up."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from autotune.cli.bench.cases import Case
from autotune.cli.bench.contest import Rules
from autotune.cli.bench.contestants import DEFAULT, ONE_THREAD, OURS
from autotune.errors import AutotuneError
from autotune.machine import Machine, Peaks
from autotune.machine.peak_rates import bandwidth
from autotune.measure.statistics import median_interval

# Everything that reads its number of threads from the environment when it is loaded.
THREAD_VARIABLES = (
    "AUTOTUNE_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
CHILD_SECONDS = 900.0
METHOD = (
    "ms, default_ms, one_thread_ms (ours on one thread, beside several) and peers are medians over all rounds of all "
    "processes; in a round every contestant is timed once, in random order, with public calls that allocate their "
    "results; on several threads after a pause, in which other libraries' threads stop spinning, and a call that wakes "
    "its own. fma_fraction is of the largest FMA rate sampled between the rounds with the same number of threads; load "
    "is the median of those rates over their largest. roofline is the larger of flop / that rate and bytes / "
    "bandwidth, over ms; bytes count every tensor once, bandwidth is threads times what one thread reads from the "
    "innermost level that holds them all."
)


class ContestError(AutotuneError):
    """A contest could not be held."""


@dataclass(frozen=True)
class Comparison:
    """What the contests of one case gave."""

    case: Case
    peers: tuple[str, ...]
    processes: tuple[dict[str, Any], ...]

    def samples(self, name: str) -> list[float]:
        """Seconds per call of one contestant in all processes."""
        return list(chain.from_iterable(process["samples"][name] for process in self.processes))

    @property
    def rates(self) -> list[float]:
        """FMA rates sampled between the rounds, operations per second."""
        return list(chain.from_iterable(process["fma_rates"] for process in self.processes))

    def row(self, trials: int, peaks: Peaks, machine: Machine) -> dict[str, Any]:
        """The row of the results' file; `trials` is how many the kernel was tuned with."""
        workload, peak = self.case.workload, max(self.rates)
        ours, alone = self.samples(OURS), self.samples(ONE_THREAD) if workload.threads > 1 else []
        seconds = statistics.median(ours)
        bound = max(workload.flops / peak, workload.bytes / bandwidth(workload.bytes, workload.threads, peaks, machine))
        return {
            **self.case.identity(),
            "trials": trials,
            "ms": 1e3 * seconds,
            "default_ms": 1e3 * statistics.median(self.samples(DEFAULT)),
            **({"one_thread_ms": 1e3 * statistics.median(alone)} if alone else {}),
            "gflops": 1e-9 * workload.flops / seconds,
            "roofline": bound / seconds,
            "fma_fraction": workload.flops / seconds / peak,
            "peers": {name: 1e3 * statistics.median(self.samples(name)) for name in self.peers},
            "ms_interval": [1e3 * limit for limit in median_interval(ours)],
            "fma_gflops": 1e-9 * peak,
            "load": statistics.median(self.rates) / peak,
            "schedule": self.processes[0]["origin"],
            "processes": len(self.processes),
            "rounds": len(ours),
        }


def compare(case: Case, database: str, *, peers: Sequence[str], processes: int, rules: Rules) -> Comparison:
    """Hold the contests of a case, one after the other; raises ContestError where a process fails."""
    jobs = (
        {"case": case.identity(), "peers": list(peers), "rules": asdict(rules), "seed": n} for n in range(processes)
    )
    return Comparison(case, tuple(peers), tuple(_in_child(job, case.threads, database) for job in jobs))


def _in_child(job: dict[str, Any], threads: int, database: str) -> dict[str, Any]:
    variables = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {"AUTOTUNE_DB": database}
    done = subprocess.run(
        [sys.executable, "-m", "autotune.cli.bench.child"],
        input=json.dumps(job),
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        message = f"the contest of {job['case']} ended with {done.returncode}: {said[-1]}"
        raise ContestError(message)
    result: dict[str, Any] = json.loads(done.stdout)
    return result
