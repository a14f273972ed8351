"""The process in which contests are held, one after the other; it says what it is at before it does it.

A process serves many contests because importing PyTorch and JAX takes seconds. It is started for one number of threads,
since OpenBLAS, OpenMP, XLA and Numba read theirs when they are loaded. What it sends are JSON objects: `{"at": …}` with
the name of the contestant it is about to prepare, and in the end `{"result": …}` or `{"error": …}`.
"""

import gc
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from autotune.cli.bench import contest, contestants
from autotune.cli.bench.contest import Rules
from autotune.cli.bench.contestants import ALONE, DEFAULT, OURS
from autotune.cli.bench.kernels.agreement import TOLERANCE, TOLERANCES, arrays_of, check
from autotune.cli.bench.kernels.cases import KernelCase
from autotune.cli.bench.kernels.problem import Problem, problem_of
from autotune.cli.bench.peers import BACKWARD_ALONE, PEERS
from autotune.cli.bench.peers.offered import NotOfferedError
from autotune.machine import fma_rate
from autotune.measure.timing import Call
from autotune.runtime import Origin
from autotune.schedule import Workload

# The best of short pieces is what the machine can do: other programs run between them rather than in all of them.
PIECES, PIECE_SECONDS = 4, 5e-3
Say = Callable[[str], None]


def hold(job: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """The contest of a job: `case`, `peers`, `rules`, `seed` and whether the kernel is `tuned`.

    A peer that fails or computes something else takes no part, and `absent` has the reason; one that has no such
    function is in `not_offered`. `prepared` are the seconds that each took until its first result was there.
    """
    case = KernelCase.from_json(job["case"])
    problem, workload = problem_of(case, job["seed"]), case.workload
    say(OURS)
    calls, origin = _ours(problem, workload, tuned=job["tuned"])
    expected = arrays_of(next(iter(calls.values()))())
    absent: dict[str, str] = {}
    not_offered: dict[str, str] = {}
    prepared: dict[str, float] = {}
    taking_part = list(job["peers"])
    if problem.wrt and not problem.valued and "torch" in taking_part:
        taking_part.append(ALONE)
    for name in taking_part:
        say(name)
        start = time.perf_counter()
        try:
            call = (BACKWARD_ALONE if name == ALONE else PEERS[name]).prepare(problem)
            check(expected, arrays_of(call()), TOLERANCES.get(name, TOLERANCE))
        except NotOfferedError as error:
            not_offered[name] = str(error)
        except Exception as error:  # whatever it is, the others go on without this one
            absent[name] = _line_of(error)
        else:
            calls[name] = call
            prepared[name] = time.perf_counter() - start
    say("")
    rules, yardstick = Rules(**job["rules"]), partial(_fma_rate, workload)
    held = contest.hold(calls, yardstick, rules, seed=job["seed"], threads=case.threads)
    return {
        "samples": held.samples,
        "fma_rates": held.rates,
        "origin": origin.value,
        "prepared": prepared,
        "absent": absent,
        "not_offered": not_offered,
    }


def _ours(problem: Problem, workload: Workload, *, tuned: bool) -> tuple[dict[str, Call], Origin]:
    inputs = problem.arguments(workload.kernel)
    default = {DEFAULT: contestants.untuned(workload, inputs)}
    if not tuned:
        return default, Origin.DEFAULT
    call, origin = contestants.tuned(workload, inputs)
    return {OURS: call, **default}, origin


def _line_of(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]


def _fma_rate(workload: Workload) -> float:
    return max(fma_rate(workload.dtype, workload.threads, PIECE_SECONDS) for _ in range(PIECES))


def serve(connection: Connection) -> None:
    """Hold the contest of each job that comes, until there are no more."""
    for job in _received(connection):
        answer: dict[str, Any]
        try:
            answer = {"result": hold(job, lambda name: _send(connection, {"at": name}))}
        except Exception as error:  # the next contest may well be held
            answer = {"error": _line_of(error)}
        _send(connection, answer)
        gc.collect()  # what one contest leaves behind, the next should not carry


def _received(connection: Connection) -> Iterator[dict[str, Any]]:
    while True:
        try:
            yield json.loads(connection.recv_bytes())
        except EOFError:
            return


def _send(connection: Connection, message: Mapping[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode())


if __name__ == "__main__":
    logging.getLogger("autotune").setLevel(logging.ERROR)  # that the default schedule is not tuned, it need not say
    serve(Connection(int(sys.argv[1])))
