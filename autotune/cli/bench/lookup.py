"""`bench lookup`: what a call costs beside the computation, and what a new process waits for."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import Any

from autotune import library
from autotune.cli import terminal
from autotune.cli.bench.cases import Case
from autotune.cli.bench.comparison import ContestError
from autotune.cli.bench.results import Results
from autotune.cli.tuning import Effort, tune_each
from autotune.database import Database, Winner
from autotune.machine import Machine, detect, versions
from autotune.schedule import Workload
from autotune.units import duration

CASE = Case((64, 64, 64))
EFFORT = Effort(trials=8)
CHILD_SECONDS = 120.0
TUNED_SHAPES = (1, 50)  # of which a new shape's nearest is to be found
# Of conv2d, whose sizes follow from others.
WINDOW = {"n": 1, "g": 1, "c": 16, "k": 16, "h": 16, "w": 16, "r": 3, "s": 3}
NEW = {f"new shape, {count} tuned": ("matmul", count) for count in TUNED_SHAPES}
NEW |= {f"new convolution, {count} tuned": ("conv2d", count) for count in TUNED_SHAPES}
BARS = {"lookup": 1e-6, "lookup, out given": 1e-6, **dict.fromkeys(NEW, 5e-6)}  # seconds, as they should be
METHOD = (
    "medians over processes. lookup: a public call, which allocates its result, less a call of the machine code's "
    "entry point with a given result and scratch, for the same 4x4x4 product in float32; out given: the same call "
    "with out=; public call, machine code and dispatcher (the generated module's Numba dispatcher) are the times of "
    "one call each. new shape: the first call of each of 1000 small products that were not tuned, less such a call "
    "of the machine code that serves it, a median, with so many tuned shapes to choose from and the nearest of them "
    "loaded; new convolution: the same for conv2d, whose channels are products of extents and whose result's sizes "
    "follow from others. import: `import autotune` in a new process. first call: from the start of the interpreter "
    "to the end of the first call of a tuned kernel, import of NumPy included."
)
OVERHEAD = [sys.executable, "-m", "autotune.cli.bench.overhead"]
VARIED = {"matmul": "mkn", "conv2d": "ckhw"}
IMPORT = "import time; start = time.perf_counter(); import autotune; print(time.perf_counter() - start)"
FIRST_CALL = """
import time
import numpy as np
from autotune.library import matmul
a = np.ones(({m}, {k}), np.float32)
b = np.ones(({k}, {n}), np.float32)
matmul(a, b)
print(time.monotonic())
"""


def bench(place: str, path: Path | None, *, processes: int) -> None:
    """Measure, print a table and keep the rows in the file at `path`, in the place of what is there."""
    machine, out = detect(), terminal.console()
    tuned = {"matmul": CASE.workload, "conv2d": library.conv2d.workload("forward", WINDOW, threads=CASE.threads)}
    with Database.open(place) as database:
        new = [each for each in tuned.values() if database.winner(each.key, machine.fingerprint) is None]
        list(tune_each(new, EFFORT, database=database, machine=machine, out=out))
        variables = {"AUTOTUNE_DB": database.url, "AUTOTUNE_THREADS": str(CASE.threads)}
        winners = {name: _winner(database, each, machine) for name, each in tuned.items()}
    first_call = [sys.executable, "-c", FIRST_CALL.format(**CASE.extents)]
    _printed(first_call, variables)  # so that what is compiled when first needed is there
    _printed(OVERHEAD, variables)
    results = Results.new(path, machine, versions(), terminal.command_line())
    results.more["method"] = METHOD
    calls = [json.loads(_printed(OVERHEAD, variables)) for _ in range(processes)]
    results.rows += [
        _row("lookup", [call["public"] - call["machine_code"] for call in calls]),
        _row("lookup, out given", [call["public_out"] - call["machine_code"] for call in calls]),
        _row("public call", [call["public"] for call in calls]),
        _row("machine code", [call["machine_code"] for call in calls]),
        _row("dispatcher", [call["dispatcher"] for call in calls]),
        *(
            _row(what, _new_shapes(name, tuned[name], winners[name], count, machine, processes))
            for what, (name, count) in NEW.items()
        ),
        _row("import", [float(_printed([sys.executable, "-c", IMPORT], variables)) for _ in range(processes)]),
        _row("first call", [_seconds_until(first_call, variables) for _ in range(processes)]),
    ]
    results.write()
    table = terminal.table("what", "median", "least", "most", "bar", numbers=("median", "least", "most", "bar"))
    for row in results.rows:
        bar = f"≤ {duration(BARS[row['what']])}" if row["what"] in BARS else ""
        table.add_row(row["what"], *(duration(row[name]) for name in ("seconds", "least", "most")), bar)
    out.print(table)


def _winner(database: Database, workload: Workload, machine: Machine) -> Winner:
    winner = database.winner(workload.key, machine.fingerprint)
    if winner is None:
        message = f"no winner was proven for {workload.describe()}, so there is no lookup to measure"
        raise ContestError(message)
    return winner


def _new_shapes(
    name: str, tuned: Workload, winner: Winner, count: int, machine: Machine, processes: int
) -> list[float]:
    """Seconds of the first call of a shape where so many others are tuned, a value a process.

    The others are larger than all that are called; their configs are that of the one that was tuned, as what is timed
    is the choice.
    """
    with tempfile.TemporaryDirectory() as folder:
        with Database.open(Path(folder) / "shapes.db") as database:
            for sizes in islice(product((64, 128, 256, 512), repeat=len(VARIED[name])), count):
                extents = dict(tuned.extents) | dict(zip(VARIED[name], sizes, strict=True))
                key = Workload.of(tuned.kernel, extents, tuned.dtype, tuned.threads).key
                database.set_winner(replace(winner, workload=key), machine)
            variables = {"AUTOTUNE_DB": database.url, "AUTOTUNE_THREADS": str(CASE.threads)}
        command = [*OVERHEAD, name]
        _printed(command, variables)
        return [json.loads(_printed(command, variables))["new_shape"] for _ in range(processes)]


def _row(what: str, samples: Sequence[float]) -> dict[str, Any]:
    return {
        "what": what,
        "seconds": statistics.median(samples),
        "least": min(samples),
        "most": max(samples),
        "processes": len(samples),
    }


def _seconds_until(command: Sequence[str], variables: Mapping[str, str]) -> float:
    """Seconds from the start of a process to the moment that it prints, on the clock that all processes share."""
    start = time.monotonic()
    return float(_printed(command, variables)) - start


def _printed(command: Sequence[str], variables: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=CHILD_SECONDS, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        message = f"{command[1]} {command[2].splitlines()[0]!r} ended with {done.returncode}: {said[-1]}"
        raise ContestError(message)
    return done.stdout
