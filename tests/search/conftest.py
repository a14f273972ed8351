"""A made-up machine, workload and space, and a laboratory that replays a table instead of measuring."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from autotune.database import Database
from autotune.lang import Output, Tensor, axes, define, output, sum  # noqa: A004
from autotune.machine import Cache, Machine, versions
from autotune.measure import Measurement, Status
from autotune.schedule import Config, Constraint, Knob, Space, Workload
from autotune.search import Duel

MACHINE = Machine(
    cpu="Test",
    architecture="x86_64",
    isa="avx2",
    llvm_cpu="znver3",
    cores=2,
    caches=(Cache(1, 32 * 1024, 1), Cache(2, 512 * 1024, 1)),
    vector_bytes=32,
    vector_registers=16,
)
SPACE = Space(
    (
        Knob("rows", tuple(range(1, 9))),
        Knob("block", (32, 64, 128, 256, 512)),
        Knob("order", ("ijk", "ikj", "kij"), ordered=False),
        Knob("pack", (False, True), ordered=False),
        Knob("scale", (0.5, 1.0, 2.0)),
    ),
    (Constraint(("rows", "block"), lambda rows, block: rows * block <= 1024, "a block fits"),),
)
DEFAULT: Config = {"rows": 2, "block": 128, "order": "ijk", "pack": True, "scale": 1.0}
BEST: Config = {"rows": 6, "block": 128, "order": "ikj", "pack": True, "scale": 2.0}


def seconds_of(config: Config) -> float:
    """A time with a valley at `BEST` and interactions on the way there."""
    rows, block = float(config["rows"]), np.log2(float(config["block"]))
    order = {"ijk": 0.3, "ikj": 0.0, "kij": 0.8}[str(config["order"])]
    cost = 0.03 * (rows - 6) ** 2 + 0.2 * (block - 7) ** 2 + order * (1 if config["pack"] else 2)
    return float(1e-3 * (1 + cost + (0 if config["pack"] else 0.4) + 0.2 * (2.0 - float(config["scale"]))))


def matmul(a: Tensor["m", "k"], b: Tensor["k", "n"]) -> Output:
    i, k = axes(a)
    _, j = axes(b)
    return output[i, j](sum(a[i, k] * b[k, j], over=k))


WORKLOAD = Workload.of(define(matmul), {"m": 64, "n": 32, "k": 16})


def measurement_of(config: Config, seconds: float, load: float = 1.0, **changes: object) -> Measurement:
    """What a laboratory says of a config: failed where `seconds` is infinite."""
    ok = np.isfinite(seconds)
    fields = {
        "workload": WORKLOAD.key,
        "config": config,
        "status": Status.OK if ok else Status.WRONG_RESULT,
        "samples": (seconds,) if ok else (),
        "error": "" if ok else "wrong",
        "source": "0" * 64,
        "machine": MACHINE.fingerprint,
        "versions": versions(),
        "load": load,
        "started": "2025-01-01T00:00:00.000+00:00",
    }
    return Measurement(**{**fields, **changes})  # type: ignore[arg-type]


@dataclass
class Replay:
    """A laboratory without a machine; `loads` are given to measurements in turn, the last for ever."""

    table: Callable[[Config], float] = seconds_of
    loads: Sequence[float] = (1.0,)
    fails_in_comparison: Config | None = None
    measured: list[Config] = field(default_factory=list)
    settled: int = 0

    def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
        del best
        for config in configs:
            load = self.loads[min(len(self.measured), len(self.loads) - 1)]
            self.measured.append(config)
            yield measurement_of(config, self.table(config) / load, load)

    def settle(self, seconds: float) -> float:
        del seconds
        self.settled += 1
        return 1.0

    def compare(self, configs: Sequence[Config], *, seconds: float) -> Duel:
        del seconds
        if self.fails_in_comparison in configs:
            return Duel(error="crashed")
        times = [self.table(config) for config in configs]
        if not np.isfinite(times).all():
            return Duel(error="wrong")
        wobble = 1 + 0.01 * np.random.default_rng(0).standard_normal((len(configs), 20))
        samples = np.array(times)[:, None] * wobble
        return Duel(tuple(map(tuple, samples.tolist())), tuple(f"{index}" * 64 for index in range(len(configs))))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "tuning.db") as opened:
        yield opened
