"""What `bench kernels` measures: kernels of the library, their directions, sizes and numbers of threads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from autotune import library
from autotune.cli.bench.kernels.sizes import ROWS, Size
from autotune.lang import FORWARD
from autotune.runtime import TunedKernel
from autotune.schedule import Workload

Pairs = tuple[tuple[str, int | float | bool], ...]


@dataclass(frozen=True)
class KernelCase:
    """A kernel of the library in one direction; `size` has the forward kernel's extents, in its order."""

    kernel: str
    size: tuple[tuple[str, int], ...]
    direction: str = FORWARD
    options: Pairs = ()
    dtype: str = "float32"
    threads: int = 1

    @property
    def tuned(self) -> TunedKernel:
        """The kernel with these options."""
        found: TunedKernel = getattr(library, self.kernel)
        return found.specialized(**dict(self.options))

    @property
    def workload(self) -> Workload:
        """What is tuned and measured."""
        tuned = self.tuned
        return tuned.workload(self.direction, tuned.extents(dict(self.size)), dtype=self.dtype, threads=self.threads)

    @property
    def title(self) -> str:
        """The size as people write it: "4096x1024"."""
        return "x".join(str(extent) for _, extent in self.size)

    def identity(self) -> dict[str, Any]:
        """The fields of a row that say what was measured."""
        return {
            "kernel": self.kernel,
            "direction": self.direction,
            "size": dict(self.size),
            "options": dict(self.options),
            "dtype": self.dtype,
            "threads": self.threads,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The case of an `identity`."""
        size, options = tuple(data["size"].items()), tuple(data["options"].items())
        return cls(data["kernel"], size, data["direction"], options, data["dtype"], data["threads"])


def shaped(
    kernel: str, *shapes: tuple[int, ...], direction: str = FORWARD, **options: int | float | bool
) -> tuple[KernelCase, ...]:
    """Shapes of a kernel, as the forward kernel's extents in its order; in float32, on one thread."""
    names = getattr(library, kernel).definition.extent_names
    sizes = (tuple(zip(names, shape, strict=True)) for shape in shapes)
    return tuple(KernelCase(kernel, size, direction, tuple(options.items())) for size in sizes)


def suite(names: Iterable[str], threads: Iterable[int], *, quick: bool = False) -> tuple[KernelCase, ...]:
    """Every direction of these kernels: all sizes on the first number of threads, the large ones on the others too.

    Gradients that share work are a direction of their own besides each alone, with the result where that is a number.
    `quick` leaves the sizes that lie in the second-level cache, on the first number of threads.
    """
    first, *others = threads
    kept = tuple(names)
    cases = [case for name in kept for size in _sizes(name, quick=quick) for case in _directions(name, size, first)]
    if not quick:
        cases += [case for more in others for name in kept for case in _directions(name, ROWS[name].large, more)]
    return tuple(cases)


def _sizes(name: str, *, quick: bool) -> tuple[Size, ...]:
    row = ROWS[name]
    return (row.cached,) if quick else (row.cached, row.large, *row.quoted)


def _directions(name: str, size: Size, threads: int) -> Iterable[KernelCase]:
    tuned: TunedKernel = getattr(library, name)
    extents = tuple((extent, size[extent]) for extent in tuned.definition.extent_names)
    options = tuple(ROWS[name].options.items())
    directions = dict.fromkeys((*tuned.directions, *tuned.tuned_directions))
    return (KernelCase(name, extents, direction, options, threads=threads) for direction in directions)
