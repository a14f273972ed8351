"""What `run` is to tune: kernels of some sizes, those of them that were tuned before, or the list of a program."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autotune.cli import kernels, words, workload_list
from autotune.errors import AutotuneError, UsageError
from autotune.search.budget import Demand

if TYPE_CHECKING:
    from autotune.runtime import TunedKernel
    from autotune.schedule import Workload


@dataclass(frozen=True, kw_only=True)
class Request:
    """The words of a command; `sizes` are one for each kernel, one for all of them, or several for one."""

    kernels: Sequence[str]
    sizes: Sequence[str] = ()
    options: Sequence[str] = ()
    directions: tuple[str, ...] | None = None
    dtype: str = "float32"
    threads: int | None = None

    def demands(self) -> tuple[Demand, ...]:
        """One workload a kernel and direction, each called as often as the others.

        Raises UsageError where the sizes are not as many as the kernels, UnknownKernelError, and ShapeError, DtypeError
        and DifferentiationError for what a kernel has not.
        """
        found = list(self._found())
        if not self.sizes:
            message = f"give --size, the extents {', '.join(found[0].definition.extent_names)} or shapes of tensors"
            raise UsageError(message)
        if len(found) > 1 and len(self.sizes) not in (1, len(found)):
            message = f"give --size once for each of the {len(found)} kernels, in their order, or once for all of them"
            raise UsageError(message)
        sizes = [words.shapes(size) for size in self.sizes]
        count = max(len(found), len(sizes))
        pairs = zip(found * (count // len(found)), sizes * (count // len(sizes)), strict=True)
        return tuple(
            Demand(workload=workload) for kernel, shapes in pairs for workload in self._workloads(kernel, shapes)
        )

    def _found(self) -> "Iterator[TunedKernel]":
        given = words.options(self.options)
        for word in self.kernels:
            found = kernels.find(word)
            if len(self.kernels) > 1:  # an option belongs to the kernels that have it
                yield found.specialized(**{name: value for name, value in given.items() if name in found.options})
            else:
                yield found.specialized(**given)

    def _workloads(self, kernel: "TunedKernel", shapes: "dict[str, int | tuple[int, ...]]") -> "Iterator[Workload]":
        extents = kernel.extents(shapes)
        for direction in self.directions or kernel.tuned_directions:
            yield kernel.workload(direction, extents, dtype=self.dtype, threads=self.threads)


def of_list(path: Path, only: Sequence[str] = ()) -> tuple[Demand, ...]:
    """The workloads of a list, those of the kernels `only` if it names some; where one cannot be found it is said.

    Raises FormatError where the file holds no list, and UsageError where nothing of it can be tuned.
    """
    demands = []
    for called in workload_list.read(path):
        if only and called.kernel not in only:
            continue
        try:
            demands.append(Demand(workload=called.workload(), calls=called.calls, seconds=called.seconds))
        except AutotuneError as error:
            sys.stderr.write(f"autotune: {called.describe()} is left out: {error}\n")
    if not demands:
        what = f"none of the kernels {', '.join(only)}" if only else "no workload"
        message = f"{path} has {what} to tune"
        raise UsageError(message)
    return tuple(demands)
