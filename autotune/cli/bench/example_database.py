"""A database of any number of made-up measurements, as large as years of tuning leave behind, to time views with.

Nothing in it was measured: the machines say so in their names. It has the proportions of real ones: many workloads of
some thousand measurements, one of a hundred thousand, one in twenty failed, two machines, a winner for each.
"""

import json
import random
import statistics
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autotune.database import Database, Winner, canonical
from autotune.database.location import connect
from autotune.machine import Machine, detect
from autotune.measure.measurement import Measurement, Status

WORKLOADS = 200
LARGE_SHARE = 0.1  # of all measurements, in one workload
FAILING = 0.05
KNOBS: dict[str, tuple[int | str | bool, ...]] = {
    "rows": (4, 6, 8, 12, 13, 14),
    "vectors": (1, 2, 3),
    "lanes": (8, 16),
    "unroll": (1, 2, 4, 8),
    "column_block": (128, 256, 512, 1024),
    "depth_block": (64, 128, 256, 512),
    "row_block": (64, 128, 192, 256),
    "order": ("columns depth rows", "depth columns rows", "rows depth columns"),
    "pack_left": (False, True),
    "pack_right": (False, True),
    "prefetch": (0, 4, 8),
}
KERNELS = ("matmul", "conv2d", "softmax", "attention", "layer_norm", "black_scholes", "nbody", "radon")
DIRECTIONS = ("forward", "vjp:x", "vjp:w", "jvp")
VERSIONS = {"autotune": "0.1.0", "numba": "0.68.1", "llvmlite": "0.50.0", "numpy": "2.4.6", "python": "3.11.7"}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def fill(path: Path, rows: int, *, seed: int = 0) -> None:
    """Makes the database at `path` with so many measurements; the same seed gives the same content."""
    rng = random.Random(seed)
    machines = [_machine("made up, machine A"), _machine("made up, machine B")]
    with Database.open(path) as database:
        for machine in machines:
            for number in range(WORKLOADS):
                database.add_measurement(_first(number, machine), machine, _run(number, machine))
                database.set_winner(_winner(number, machine, rng), machine)
    with closing(connect(path)) as connection:
        identities = {(key, fingerprint): pair for key, fingerprint, *pair in connection.execute(_IDENTITIES)}
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(_INSERT, _rows(rows - 2 * WORKLOADS, identities, machines, rng))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


_IDENTITIES = """
SELECT DISTINCT workloads."key", machines.fingerprint, workloads.id, machines.id
FROM workloads CROSS JOIN machines
"""
_COLUMNS = (
    "workload_id", "machine_id", "config", "config_digest", "status", "samples", "seconds", "error", "source",
    "versions", "build_seconds", "stopped_early", "load", "started", "run", "digest",
)  # fmt: skip
_INSERT = f"INSERT INTO measurements ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


def _rows(
    count: int, identities: dict[tuple[str, str], list[int]], machines: list[Machine], rng: random.Random
) -> Iterator[tuple[Any, ...]]:
    """Rows run by run, in the order in which they would have been measured."""
    large = int(count * LARGE_SHARE)
    each, rest = divmod(count - large, 2 * WORKLOADS - 1)
    versions, moment, made = canonical.dumps(VERSIONS), BEGIN, 0
    failures = [status for status in Status if status is not Status.OK]
    for place, (number, machine) in enumerate((n, m) for m in machines for n in range(WORKLOADS)):
        workload, fingerprint = identities[_key(number), machine.fingerprint]
        run, scale = _run(number, machine), _scale(number, machine)
        for step in range(large if not place else each + (place <= rest)):
            moment += timedelta(seconds=0.5)
            made += 1
            config = canonical.dumps({name: rng.choice(values) for name, values in KNOBS.items()})
            status = rng.choice(failures) if rng.random() < FAILING else Status.OK
            typical = scale * (1 + rng.expovariate(2.0) / (1 + step / 200))
            samples = [typical * (1 + abs(rng.gauss(0, 0.01))) for _ in range(5)] if status is Status.OK else []
            seconds = statistics.median(samples) if samples else None
            yield (
                workload, fingerprint, config, canonical.digest(config), status.value, json.dumps(samples), seconds,
                "" if seconds else f"it ended with {status}", f"{rng.getrandbits(256):064x}", versions, 0.4, False,
                1.0, moment.isoformat(timespec="milliseconds"), run, f"{made:x}-made-up",
            )  # fmt: skip


def _machine(name: str) -> Machine:
    """This machine under another name, so that its fingerprint is another too."""
    return Machine.from_json(detect().to_json() | {"cpu": name})


def _key(number: int) -> str:
    extents = {"k": 64 + number, "m": 128 + 8 * number, "n": 256}
    return canonical.dumps(
        {
            "kernel": KERNELS[number // len(DIRECTIONS) % len(KERNELS)],
            "definition": f"{number // len(DIRECTIONS):064x}",
            "direction": DIRECTIONS[number % len(DIRECTIONS)],
            "extents": extents,
            "dtype": "float32",
            "threads": 1 + number % 2,
        }
    )


def _run(number: int, machine: Machine) -> str:
    return f"{KERNELS[number // len(DIRECTIONS) % len(KERNELS)]} made up {number} [{machine.fingerprint}]"


def _scale(number: int, machine: Machine) -> float:
    return 1e-4 * (1 + number % 17) * (0.8 if machine.cpu.endswith("B") else 1.0)


def _first(number: int, machine: Machine) -> Measurement:
    return Measurement(
        workload=_key(number),
        config={name: values[0] for name, values in KNOBS.items()},
        status=Status.OK,
        samples=(2 * _scale(number, machine),),
        source="a" * 64,
        machine=machine.fingerprint,
        versions=VERSIONS,
        started=(BEGIN - timedelta(hours=1)).isoformat(timespec="milliseconds"),
    )


def _winner(number: int, machine: Machine, rng: random.Random) -> Winner:
    seconds, gain = _scale(number, machine), 1 + rng.random()
    return Winner(
        workload=_key(number),
        machine=machine.fingerprint,
        config={name: rng.choice(values) for name, values in KNOBS.items()},
        source="b" * 64,
        samples=(seconds,) * 5,
        default_samples=(seconds * gain,) * 5,
        ratio_low=gain * 0.99,
        ratio_high=gain * 1.01,
        versions=VERSIONS,
        proven=(BEGIN + timedelta(days=30)).isoformat(timespec="milliseconds"),
    )
