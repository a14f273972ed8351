"""A workload's key taken apart, so that its parts can be columns."""

from dataclasses import dataclass
from typing import Self

from autotune.database import canonical, fields
from autotune.errors import FormatError
from autotune.machine.fields import field, mapping

_PARTS = {"kernel", "definition", "direction", "extents", "dtype", "threads"}


@dataclass(frozen=True)
class WorkloadKey:
    """The parts of a workload's key; `definition` is the digest of the kernel's definition."""

    kernel: str
    definition: str
    direction: str
    extents: dict[str, int]
    dtype: str
    threads: int

    def __str__(self) -> str:
        return f"{self.kernel} {self.direction} {self.sizes}"

    @property
    def sizes(self) -> str:
        """What is the same for a kernel and its gradients: "m=64,n=64 float32 1 thread"."""
        extents = ",".join(f"{name}={size}" for name, size in self.extents.items())
        return f"{extents} {self.dtype} {self.threads} thread{'' if self.threads == 1 else 's'}"

    @classmethod
    def parse(cls, key: str) -> Self:
        """Takes a key apart; raises `FormatError` for a text that is not the canonical JSON of just these parts."""
        where = "a workload's key"
        parts = mapping(canonical.loads(key), where=where)
        if parts.keys() - _PARTS or canonical.dumps(parts) != key:
            message = f"{where} must be canonical JSON of {', '.join(sorted(_PARTS))}, not {key!r:.200}"
            raise FormatError(message)
        names = ("kernel", "definition", "direction", "dtype")
        return cls(
            extents=fields.extents(field(parts, "extents", dict, where=where)),
            threads=fields.count(field(parts, "threads", int, where=where), where="threads of a workload", bits=31),
            **{
                name: fields.text(field(parts, name, str, where=where), where=f"{name} of a workload") for name in names
            },
        )


def words(key: str) -> str:
    """A key for people, as `Workload.describe` has it but for the order of extents; the key itself where it is none."""
    try:
        return str(WorkloadKey.parse(key))
    except FormatError:
        return key
