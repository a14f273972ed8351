"""A program, `writer.py URL LABEL COUNT`, that stores measurements and says so after each."""

import json
import sys

from autotune.database import Database
from autotune.machine import Machine
from autotune.measure.measurement import Measurement, Status

MACHINE = Machine(
    cpu="Example 9",
    architecture="x86_64",
    isa="avx2",
    llvm_cpu="znver3",
    cores=2,
    caches=(),
    vector_bytes=32,
    vector_registers=16,
)
PARTS = {
    "definition": "d",
    "direction": "forward",
    "dtype": "float32",
    "extents": {"m": 1},
    "kernel": "k",
    "threads": 1,
}
KEY = json.dumps(PARTS, sort_keys=True, separators=(",", ":"))


def main(url: str, label: str, count: int) -> None:
    """Stores measurements whose config holds the label and a number."""
    with Database.open(url) as database:
        for number in range(count):
            measurement = Measurement(
                workload=KEY,
                config={"label": label, "number": number},
                status=Status.OK,
                samples=(1.0,),
                source="s",
                machine=MACHINE.fingerprint,
                versions={},
                started="2026-01-31T12:00:00+00:00",
            )
            database.add_measurement(measurement, MACHINE)
            print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
