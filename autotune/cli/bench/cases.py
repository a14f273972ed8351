"""What `bench matmul` measures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from autotune import library
from autotune.autodiff import derive
from autotune.errors import UsageError
from autotune.lang import FORWARD
from autotune.schedule import Workload

KERNELS = {("m", "k", "n"): library.matmul, ("b", "m", "k", "n"): library.batch_matmul}
GRADIENTS = ("vjp:a", "vjp:b")
LARGE = (1024, 1024, 1024)
SIZES = (
    (512, 512, 512),
    (1000, 1000, 1000),
    (1023, 1023, 1023),
    (2048, 2048, 2048),
    (8192, 64, 64),
    (64, 64, 8192),
    (64, 8192, 64),
    (17, 33, 65),
    (32, 64, 64, 64),
)
QUICK = ((512, 512, 512), (64, 1024, 64), (17, 33, 65))


@dataclass(frozen=True)
class Case:
    """A matrix product, or a batch of them, in one direction; `size` is (m, k, n) or (b, m, k, n)."""

    size: tuple[int, ...]
    direction: str = FORWARD
    dtype: str = "float32"
    threads: int = 1

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the extents in `size`."""
        return next(axes for axes in KERNELS if len(axes) == len(self.size))

    @property
    def extents(self) -> dict[str, int]:
        """Extents by name."""
        return dict(zip(self.axes, self.size, strict=True))

    @property
    def workload(self) -> Workload:
        """What is tuned and measured."""
        definition = derive(KERNELS[self.axes].definition, self.direction)
        return Workload.of(definition, self.extents, self.dtype, self.threads)

    @property
    def title(self) -> str:
        """The size as people write it: 17x33x65."""
        return "x".join(map(str, self.size))

    def identity(self) -> dict[str, Any]:
        """The fields of a row that say what was measured."""
        return {
            "kernel": KERNELS[self.axes].definition.name,
            "direction": self.direction,
            "size": self.extents,
            "dtype": self.dtype,
            "threads": self.threads,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The case of an `identity`."""
        return cls(tuple(data["size"].values()), data["direction"], data["dtype"], data["threads"])


def suite(threads: Iterable[int]) -> tuple[Case, ...]:
    """Everything the project's figures ask for, the tuning run that is timed first."""
    return tuple(
        case
        for count in threads
        for case in (
            *(Case(LARGE, direction, threads=count) for direction in (FORWARD, *GRADIENTS)),
            Case(LARGE, dtype="float64", threads=count),
            *(Case(size, threads=count) for size in SIZES),
        )
    )


def quick(threads: Iterable[int]) -> tuple[Case, ...]:
    """A few minutes' worth: what shows that everything works."""
    return of_sizes(QUICK, threads)


def of_sizes(sizes: Iterable[tuple[int, ...]], threads: Iterable[int]) -> tuple[Case, ...]:
    """The cases of the suite that have these sizes, and the forward product for sizes that it does not have."""
    counts = tuple(threads)
    known = suite(counts)
    found: list[Case] = []
    for size in sizes:
        if not any(len(axes) == len(size) for axes in KERNELS):
            message = f"--sizes takes mxkxn as 17x33x65, or bxmxkxn for a batch, not {'x'.join(map(str, size))}"
            raise UsageError(message)
        of_size = [case for case in known if case.size == size]
        found += of_size or [Case(size, threads=count) for count in counts]
    return tuple(found)
