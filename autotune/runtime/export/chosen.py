"""Which schedules an export has: the winners of this machine, or what serves the sizes that were asked for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autotune.database import Record
from autotune.errors import UsageError
from autotune.lang import Kernel
from autotune.machine import Machine
from autotune.runtime.choice import Choice, Origin, Tuned, read_winners
from autotune.runtime.kernel import TunedKernel
from autotune.schedule import ITEMSIZES, Workload
from autotune.templates import TemplatedKernel, template_for

Extents = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to export of each kernel.

    `directions` are all that are tuned by default unless given; `extents` those of the kernel, None for all that were
    tuned in one of its directions; `dtypes` those in which anything is tuned unless given.
    """

    directions: tuple[str, ...] | None = None
    extents: Extents | None = None
    dtypes: tuple[str, ...] | None = None
    threads: int = 1


@dataclass(frozen=True)
class Chosen:
    """What serves one workload, and in which words that is told."""

    workload: Workload
    choice: Choice

    @property
    def told(self) -> str:
        """Where the schedule comes from."""
        match self.choice.origin:
            case Origin.TUNED:
                return "tuned on this machine"
            case Origin.NEAREST:
                sizes = ", ".join(f"{name}={size}" for name, size in self.choice.made_for.extents)
                return f"not tuned for this size: the schedule tuned for {sizes}"
            case _:
                return "not tuned on this machine: the default schedule"


def chosen(
    kernel: TunedKernel, request: Request, database: str, machine: Machine
) -> "dict[Kernel, tuple[Chosen, ...]]":
    """The schedules of a kernel in each direction; raises UsageError where nothing says for which sizes."""
    if isinstance(kernel.definition, TemplatedKernel):
        origin = kernel.definition.own.origin
        what = f"{origin.name} is a template of your own, in {origin.file}"
        message = f"{what}: an export has generated code only; ship that file itself"
        raise UsageError(message)
    definitions = [kernel.dispatch(direction).kernel for direction in request.directions or kernel.tuned_directions]
    cases = list(_cases(kernel, definitions, request, database, machine))
    if not cases:
        message = (
            f"{kernel.definition.name} is not tuned on this machine with {request.threads} thread(s); "
            f"tune it, or say with --size for which size to export its default schedule"
        )
        raise UsageError(message)
    found = {}
    for definition in definitions:
        each = []
        for dtype, extents in cases:
            known = {name: extents[name] for name in definition.extent_names}
            workload = Workload.of(definition, known, dtype, request.threads)
            winners = read_winners(database, definition, dtype=dtype, threads=request.threads, machine=machine)
            each.append(Chosen(workload, _served(workload, winners, machine)))
        found[definition] = tuple({one.workload.key: one for one in each}.values())
    return found


def _served(workload: Workload, winners: Sequence[Record], machine: Machine) -> Choice:
    """The winner for these extents, else that of the nearest as an exported module measures it, else the default."""
    tuned = Tuned(workload.kernel, workload.dtype, workload.threads, machine, tuple(winners))
    sizes = dict(workload.extents)
    nearest = sorted(tuned.fitting(workload), key=lambda place: _distance(tuned.records[place].extents, sizes))
    default = Choice(template_for(workload).default(workload, machine), Origin.DEFAULT, workload)
    return tuned.choose(workload, nearest) or default


def _distance(first: Extents, second: Extents) -> float:
    """How far apart an exported module takes two shapes to be.

    The root of the summed squares of the binary logarithms of their extents' ratios.
    """
    return math.hypot(*(math.log2(max(first.get(name, 1), 1) / max(size, 1)) for name, size in second.items()))


def _cases(
    kernel: TunedKernel, definitions: Sequence[Kernel], request: Request, database: str, machine: Machine
) -> Iterator[tuple[str, Extents]]:
    """Each dtype with each of the kernel's extents."""
    if request.extents is not None:
        for dtype in request.dtypes or ("float32",):
            yield dtype, request.extents
        return
    seen = set()
    for dtype in request.dtypes or tuple(ITEMSIZES):
        for definition in definitions:
            for record in read_winners(database, definition, dtype=dtype, threads=request.threads, machine=machine):
                if set(kernel.definition.extent_names) <= record.extents.keys():  # a gradient may lack some
                    sizes = {name: record.extents[name] for name in kernel.definition.extent_names}
                    if (case := (dtype, tuple(sorted(sizes.items())))) not in seen:
                        seen.add(case)
                        yield dtype, sizes
