"""Which schedule serves a workload: its winner, the winner of the nearest extents, a shipped one, or the default."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autotune.cost_model.likeness import Candidates
from autotune.database import Record, find_shipped, find_winners
from autotune.errors import DatabaseError, ShapeError
from autotune.lang import Kernel
from autotune.lang.sizes import extents_in
from autotune.machine import Machine
from autotune.schedule import Config, Workload
from autotune.schedule.structure import LARGEST_WINDOW, structural_extents
from autotune.templates import template_for

logger = logging.getLogger("autotune")

# Extents at which default schedules are made. A schedule serves every shape, so these few are all that is ever compiled
# for an untuned kernel, and a new shape costs a lookup.
SIZES = (1, 8, 32, 64, 96, 128, 1024)
LARGE_SIZES = (1 << 10, 1 << 12, 1 << 16, 1 << 20, 1 << 24)


class Origin(StrEnum):
    """Where a schedule comes from."""

    TUNED = "tuned"
    NEAREST = "nearest"
    SHIPPED = "shipped"
    DEFAULT = "default"


@dataclass(frozen=True)
class Choice:
    """The config that serves a workload, where it comes from, and the workload whose space it is a point of."""

    config: Config
    origin: Origin
    made_for: Workload


@dataclass(frozen=True)
class Tuned:
    """Winners for one kernel, dtype and number of threads: those of this machine, or such as are `shipped`."""

    kernel: Kernel
    dtype: str
    threads: int
    machine: Machine
    records: tuple[Record, ...]
    shipped: bool = False

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """What each was tuned for."""
        return tuple(Workload.of(self.kernel, record.extents, self.dtype, self.threads) for record in self.records)

    @cached_property
    def structures(self) -> tuple[dict[str, int], ...]:
        """The structural extents of each: code for others cannot be used."""
        return tuple(map(structural_extents, self.workloads))

    @cached_property
    def candidates(self) -> Candidates:
        """What tells how far they are."""
        configs = (record.config for record in self.records)
        return Candidates(tuple(zip(self.workloads, configs, strict=True)), self.machine)

    @cached_property
    def positions(self) -> dict[tuple[tuple[str, int], ...], int]:
        """Where the winner for certain extents stands."""
        return {workload.extents: position for position, workload in enumerate(self.workloads)}

    def distances(self, workload: Workload) -> NDArray[np.float64]:
        """How far each is from a workload, as `cost_model.likeness` measures it; infinitely where it cannot serve."""
        distances = np.full(len(self.records), np.inf)
        fitting = self.fitting(workload)
        distances[fitting] = self.candidates.distances(workload.sizes)[fitting]
        return distances

    def fitting(self, workload: Workload) -> list[int]:
        """Positions of those whose code may serve a workload, in no order."""
        structure = structural_extents(workload)
        return [position for position, other in enumerate(self.structures) if other == structure]

    def ranked(self, workload: Workload) -> Iterator[int]:
        """Positions of those that may serve a workload, the nearest first."""
        own = self.positions.get(workload.extents)
        if own is not None:
            yield own
        if len(self.records) > (own is not None):
            distances = self.distances(workload)
            yield from (
                int(position)
                for position in np.argsort(distances, kind="stable")
                if position != own and distances[position] < np.inf
            )

    def choose(self, workload: Workload, order: Iterable[int] | None = None) -> Choice | None:
        """The nearest one whose config is still valid, or the first in this order; None where there is none."""
        for position in self.ranked(workload) if order is None else order:
            made_for, config = self.workloads[position], self.records[position].config
            if template_for(made_for).space(made_for, self.machine).contains(config):
                return Choice(config, origin_of(made_for, workload, shipped=self.shipped), made_for)
            logger.warning("the config tuned for %s is no longer valid; tune it again", made_for.describe())
        return None


def origin_of(made_for: Workload, workload: Workload, *, shipped: bool) -> Origin:
    """Where the schedule made for one workload comes from, as another one sees it."""
    if shipped:
        return Origin.SHIPPED
    return Origin.TUNED if made_for.extents == workload.extents else Origin.NEAREST


@dataclass(frozen=True)
class Known:
    """All winners that may serve a kernel: a machine's own ones come first, whatever their extents."""

    own: Tuned
    shipped: Tuned

    @property
    def first(self) -> Tuned:
        """Those that are asked first: the machine's own, where it has any."""
        return self.own if self.own.records else self.shipped

    def choose(self, workload: Workload) -> Choice:
        """The winner for these extents; else that of the nearest ones; else the default for about this size."""
        return self.own.choose(workload) or self.shipped.choose(workload) or default_choice(workload, self.own.machine)


def read_known(database: str, kernel: Kernel, *, dtype: str, threads: int, machine: Machine) -> Known:
    """The winners of a database, and what ships with the package for such a CPU."""
    records = read_winners(database, kernel, dtype=dtype, threads=threads, machine=machine)
    shipped = find_shipped(
        kernel=kernel.name,
        definition=kernel.digest,
        direction=kernel.direction,
        dtype=dtype,
        threads=threads,
        machine=machine,
    )
    return Known(
        Tuned(kernel, dtype, threads, machine, records),
        Tuned(kernel, dtype, threads, machine, shipped, shipped=True),
    )


def default_choice(workload: Workload, machine: Machine) -> Choice:
    """The default for extents of about this size."""
    similar = _similar(workload)
    # The template too: which stage has most operations, and so which template runs it, depends on the extents.
    return Choice(template_for(similar).default(similar, machine), Origin.DEFAULT, similar)


def read_winners(database: str, kernel: Kernel, *, dtype: str, threads: int, machine: Machine) -> tuple[Record, ...]:
    """The winners of a kernel on this machine; none, with a warning, where the database cannot be read."""
    try:
        return find_winners(
            database,
            kernel=kernel.name,
            definition=kernel.digest,
            direction=kernel.direction,
            dtype=dtype,
            threads=threads,
            fingerprint=machine.fingerprint,
        )
    except DatabaseError as error:
        logger.warning("tuned schedules of %s cannot be looked up: %s", kernel.name, error)
        return ()


def _similar(workload: Workload) -> Workload:
    """The workload at extents of about this size; at its own ones where those do not fit together.

    Extents that follow from others are made to follow; structural ones, and small ones that others follow from, stay: a
    window of three is another kernel than one of eight.
    """
    kernel = workload.kernel
    sources = {name for size in kernel.sizes.values() for name in extents_in(size)}
    small = {name for name, size in workload.extents if name in sources and size <= LARGEST_WINDOW}
    kept = small | structural_extents(workload).keys()
    given = {name: size if name in kept else rounded(size) for name, size in workload.extents}
    try:
        known = given | kernel.complete({name: size for name, size in given.items() if name not in kernel.sizes})
        extents = {name: known[name] for name in given}
        return Workload.of(kernel, extents, workload.dtype, workload.threads)
    except ShapeError:
        return workload


def rounded(size: int) -> int:
    """The smallest of `SIZES` that is not below `size`; beyond, that of `LARGE_SIZES` nearest in ratio.

    A size rounded up by much would be taken to lie in memory when it lies in a cache, which is what counts then.
    """
    if size > SIZES[-1]:
        return min(LARGE_SIZES, key=lambda known: max(known / size, size / known))
    return next(known for known in SIZES if size <= known)
