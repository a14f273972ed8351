"""What a machine is, as plain data: CPU, vector registers, caches, cores."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

from autotune.errors import FormatError
from autotune.machine.fields import field


class VectorSet(NamedTuple):
    """The vector registers of an instruction set."""

    bytes: int
    registers: int


VECTOR_SETS = {
    "sse2": VectorSet(bytes=16, registers=16),
    "avx2": VectorSet(bytes=32, registers=16),
    "avx512": VectorSet(bytes=64, registers=32),
    "neon": VectorSet(bytes=16, registers=32),
}


@dataclass(frozen=True)
class Cache:
    """A data or unified cache: its level (1 is nearest the core), its size in bytes, the cores that share one."""

    level: int
    size: int
    shared_by: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                message = f"{name} of a cache must be at least 1, not {value}"
                raise FormatError(message)


@dataclass(frozen=True)
class Machine:
    """A machine as far as tuning depends on it.

    `cpu` is the vendor's name, `revision` tells apart what shares that name (cloud providers call several generations
    "AMD EPYC"). `llvm_cpu` is what LLVM calls it. `cores` counts physical cores of the whole machine, whatever part of
    them a process may use: pinning a process does not make it another machine. `caches` goes from level 1 outwards.
    `vector_bytes` and `vector_registers` are those of `isa`.
    """

    cpu: str
    architecture: str
    isa: str
    llvm_cpu: str
    cores: int
    caches: tuple[Cache, ...]
    vector_bytes: int
    vector_registers: int
    revision: str = ""

    def __post_init__(self) -> None:
        if self.isa not in VECTOR_SETS:
            message = f"isa of a machine must be one of {', '.join(VECTOR_SETS)}, not {self.isa!r}"
            raise FormatError(message)
        for name in ("cores", "vector_bytes", "vector_registers"):
            if getattr(self, name) < 1:
                message = f"{name} of a machine must be at least 1, not {getattr(self, name)}"
                raise FormatError(message)
        levels = [cache.level for cache in self.caches]
        if levels != sorted(set(levels)):
            message = f"caches of a machine must be in increasing order of level, each level once, not {levels}"
            raise FormatError(message)

    @cached_property
    def fingerprint(self) -> str:
        """12 hex digits that tell machines apart on which different schedules may be best.

        Hardware only: neither versions nor load, nor `llvm_cpu`, whose text may change with a release of LLVM.
        """
        identity = self.to_json()
        del identity["llvm_cpu"]
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def cache(self, level: int) -> Cache | None:
        """The cache of that level, or None where the machine has none."""
        return next((cache for cache in self.caches if cache.level == level), None)

    def to_json(self) -> dict[str, Any]:
        """The machine as data that `json.dumps` takes."""
        return asdict(self) | {"caches": [asdict(cache) for cache in self.caches]}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The machine that `to_json` gave; raises FormatError where a field is missing or of the wrong type."""
        where = "a machine"
        return cls(
            cpu=field(data, "cpu", str, where=where),
            revision=field(data, "revision", str, where=where),
            architecture=field(data, "architecture", str, where=where),
            isa=field(data, "isa", str, where=where),
            llvm_cpu=field(data, "llvm_cpu", str, where=where),
            cores=field(data, "cores", int, where=where),
            caches=tuple(_cache_from_json(cache) for cache in field(data, "caches", list, where=where)),
            vector_bytes=field(data, "vector_bytes", int, where=where),
            vector_registers=field(data, "vector_registers", int, where=where),
        )


def _cache_from_json(data: object) -> Cache:
    return Cache(**{name: field(data, name, int, where="a cache") for name in ("level", "size", "shared_by")})
