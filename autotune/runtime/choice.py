"""Which schedule serves a workload: its winner, the winner of the nearest extents, or the default."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from autotune.database import Record, find_winners
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
    DEFAULT = "default"


@dataclass(frozen=True)
class Choice:
    """The config that serves a workload, where it comes from, and the workload whose space it is a point of."""

    config: Config
    origin: Origin
    made_for: Workload


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


def choose(workload: Workload, winners: tuple[Record, ...], machine: Machine) -> Choice:
    """The winner for these extents; else that of the nearest ones; else the default for extents of about this size."""
    extents = dict(workload.extents)
    for record in sorted(winners, key=lambda record: distance(record.extents, extents)):
        tuned = Workload.of(workload.kernel, record.extents, workload.dtype, workload.threads)
        if structural_extents(tuned) != structural_extents(workload):
            continue
        if template_for(tuned).space(tuned, machine).contains(record.config):
            return Choice(record.config, Origin.TUNED if record.extents == extents else Origin.NEAREST, tuned)
        logger.warning("the config tuned for %s is no longer valid; tune it again", tuned.describe())
    similar = _similar(workload)
    # The template too: which stage has most operations, and so which template runs it, depends on the extents.
    return Choice(template_for(similar).default(similar, machine), Origin.DEFAULT, similar)


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


def distance(first: Mapping[str, int], second: Mapping[str, int]) -> float:
    """How far apart two shapes are.

    The root of the summed squares of the binary logarithms of their extents' ratios.
    """
    logs = (math.log2(max(first.get(name, 1), 1) / max(size, 1)) for name, size in second.items())
    return math.sqrt(sum(log * log for log in logs))
