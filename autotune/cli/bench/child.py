"""The process in which one contest is held: reads a job from standard input, writes its results to standard output.

A fresh process for each, because memory lies elsewhere in each, and because the numbers of threads that OpenBLAS,
OpenMP and Numba use are fixed when they are loaded.
"""

import json
import logging
import sys
from functools import partial
from typing import Any

import numpy as np

from autotune.cli.bench import contest, contestants
from autotune.cli.bench.cases import Case
from autotune.machine import fma_rate
from autotune.schedule import Workload

# The best of short pieces is what the machine can do: other programs run between them rather than in all of them.
PIECES, PIECE_SECONDS = 4, 5e-3


def hold(job: dict[str, Any]) -> dict[str, Any]:
    """The contest of a job: `case`, `peers`, `rules` and `seed`."""
    workload = Case.from_json(job["case"]).workload
    inputs = contestants.inputs_of(workload, job["seed"])
    ours, origin = contestants.tuned(workload, inputs)
    calls = {contestants.OURS: ours, contestants.DEFAULT: contestants.untuned(workload, inputs)}
    if workload.threads > 1:
        calls[contestants.ONE_THREAD] = contestants.on_one_thread(workload, inputs)
    calls |= {name: contestants.PEERS[name](workload, inputs) for name in job["peers"]}
    _check(workload, calls)
    held = contest.hold(
        calls,
        partial(_fma_rate, workload),
        contest.Rules(**job["rules"]),
        seed=job["seed"],
        threads=workload.threads,
    )
    return {"samples": held.samples, "fma_rates": held.rates, "origin": origin.value}


def _fma_rate(workload: Workload) -> float:
    return max(fma_rate(workload.dtype, workload.threads, PIECE_SECONDS) for _ in range(PIECES))


def _check(workload: Workload, calls: dict[str, Any]) -> None:
    """Raise AssertionError unless all give the same result, as far as rounding goes."""
    results = {name: np.asarray(call()) for name, call in calls.items()}
    ours = results[contestants.OURS]
    tolerance = 1e-4 if workload.dtype == "float32" else 1e-10
    for name, result in results.items():
        np.testing.assert_allclose(result, ours, rtol=tolerance, atol=tolerance * np.abs(ours).max(), err_msg=name)


if __name__ == "__main__":
    logging.getLogger("autotune").setLevel(logging.ERROR)  # that the default schedule is not tuned, it need not say
    json.dump(hold(json.load(sys.stdin)), sys.stdout)
