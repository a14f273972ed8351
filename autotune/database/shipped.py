"""Winners that ship with the package, by CPU: they serve a machine with such a CPU that was never tuned.

Files of `shipped_winners` are exports of winners (`autotune db export --winners`), one a CPU.
"""

import logging
from functools import cache
from pathlib import Path
from typing import NamedTuple

from autotune import settings
from autotune.database import canonical
from autotune.database.lookup import Record
from autotune.errors import FormatError
from autotune.machine import Machine

logger = logging.getLogger(__name__)


class Cpu(NamedTuple):
    """What a schedule rests on, however many cores and however large caches there are."""

    isa: str
    llvm_cpu: str
    vector_bytes: int
    vector_registers: int

    @classmethod
    def of(cls, machine: Machine) -> "Cpu":
        """That of a machine."""
        return cls(machine.isa, machine.llvm_cpu, machine.vector_bytes, machine.vector_registers)


def find_shipped(
    *, kernel: str, definition: str, direction: str, dtype: str, threads: int, machine: Machine
) -> tuple[Record, ...]:
    """The shipped winners for these on the CPU of `machine`, one a tuned shape; none if `AUTOTUNE_SHIPPED` is 0."""
    if not settings.shipped_winners():
        return ()
    return _shipped(Cpu.of(machine)).get((kernel, definition, direction, dtype, threads), ())


def folder() -> Path:
    """Where the files are."""
    return Path(__file__).parent / "shipped_winners"


def forget() -> None:
    """Read the files again when they are asked for next."""
    _shipped.cache_clear()


_Key = tuple[str, str, str, str, int]


@cache
def _shipped(cpu: Cpu) -> dict[_Key, tuple[Record, ...]]:
    """All records for a CPU; of several for one shape the last."""
    from autotune.database.exchange import entry_of
    from autotune.database.winner import Winner
    from autotune.database.workload_key import WorkloadKey

    found: dict[_Key, dict[str, Record]] = {}
    for file in sorted(folder().glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                entry = entry_of(line)
                machine = Machine.from_json(dict(entry.machine))
                if Cpu.of(machine) != cpu or not isinstance(entry.value, Winner):
                    continue
                key = WorkloadKey.parse(entry.value.workload)
            except FormatError as error:
                logger.warning("line %d of %s is damaged and left out: %s", number, file.name, error)
                continue
            winner = entry.value
            record = Record(key.extents, winner.config, winner.source, winner.seconds, f"{machine.cpu}, {file.name}")
            place = (key.kernel, key.definition, key.direction, key.dtype, key.threads)
            found.setdefault(place, {})[canonical.dumps(key.extents)] = record
    return {place: tuple(records[name] for name in sorted(records)) for place, records in found.items()}
