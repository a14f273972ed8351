"""What the database knows of other workloads, as a prior for the search of a new one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeAlias

import numpy as np

from autotune.cost_model.features import Platform, features_of_batches
from autotune.cost_model.transfer import Experience, Transfer
from autotune.database import Database
from autotune.database.workload_key import WorkloadKey
from autotune.errors import AutotuneError, FormatError
from autotune.machine import Machine, Peaks, detect, peaks
from autotune.machine.peak_rates import stored_peaks
from autotune.measure.measurement import Measurement
from autotune.schedule.space import Config, Space
from autotune.schedule.workload import Workload
from autotune.search.prior import Prior, learnt, unlearnt
from autotune.search.studies import config_key
from autotune.templates import FunctionTemplate, nests_for, template_for

Find: TypeAlias = Callable[[WorkloadKey], Workload | None]
"""The workload of a key, for kernels whose definition is at hand."""

LEAST = 4  # measurements that say something of a workload
WORKLOADS = 200  # that are looked at, those of the same kernel first
READ = 20_000  # measurements that are read, about a second, as many of each workload
PROVEN = 8  # fastest configs of other workloads that are looked at before any other


def prior_for(
    workload: Workload, machine: Machine, space: Space, database: Database, *, find: Find, seed: int = 0
) -> Prior | None:
    """What other workloads, and this one on other machines, let expect.

    Where the database holds none of use it is what loop nests alone let expect, and None for a template without them.
    """
    if isinstance(template_for(workload), FunctionTemplate):
        return None
    found = [
        (other, experience)
        for other, place, experience in experiences(database, find, first=workload.kernel.name)
        if (other.key, place.fingerprint) != (workload.key, machine.fingerprint)
    ]
    transfer = Transfer([experience for _, experience in found], seed)
    if not transfer.workloads:
        return unlearnt()
    return learnt(transfer, _proven(workload, space, found))


def experiences(database: Database, find: Find, *, first: str = "") -> Iterator[tuple[Workload, Machine, Experience]]:
    """Each workload with its measurements on a machine.

    Those of the kernel called `first` come first. Measurements by unlike versions are apart. Left out are workloads of
    kernels that are not at hand, and configs that their space no longer has.
    """
    machines = database.machines()
    known = (find(key) for key in sorted(_keys(database), key=lambda key: key.kernel != first))
    workloads = [each for each in known if each is not None and not isinstance(template_for(each), FunctionTemplate)]
    workloads = workloads[:WORKLOADS]
    for workload in workloads:
        read = islice(database.measurements(workload.key), max(LEAST, READ // len(workloads)))
        for (fingerprint, _), measurements in _alike(read).items():
            machine = machines.get(fingerprint)
            experience = None if machine is None else experience_of(workload, machine, measurements)
            if machine is not None and experience is not None:
                yield workload, machine, experience


def _keys(database: Database) -> Iterator[WorkloadKey]:
    """The workloads that something is known of; a damaged key is as if it were not there."""
    for key in database.workloads():
        with suppress(FormatError):
            yield WorkloadKey.parse(key)


def experience_of(workload: Workload, machine: Machine, measurements: Iterable[Measurement]) -> Experience | None:
    """Measurements of a workload with the features of their configs; None of too few, or of a machine it cannot run on.

    Of several measurements of a config it is the one that was made while least else was running.
    """
    known: dict[str, Measurement] = {}
    for measurement in measurements:
        key = config_key(measurement.config)
        if key not in known or measurement.load > known[key].load:
            known[key] = measurement
    configs = [dict(measurement.config) for measurement in known.values()]
    seconds = np.array([measurement.seconds for measurement in known.values()], dtype=np.float64)
    try:
        valid = np.flatnonzero(template_for(workload).space(workload, machine).valid(configs))
        if len(valid) < LEAST:
            return None
        configs = [configs[place] for place in valid]
        platform = Platform.of(machine, _peaks(machine), workload.threads)
        described = features_of_batches(nests_for(workload, configs, machine), len(configs), platform)
    except AutotuneError:  # such as a machine whose registers hold no tile
        return None
    return Experience(configs, described, seconds[valid])


def _alike(measurements: Iterable[Measurement]) -> dict[tuple[str, str], list[Measurement]]:
    """Measurements by machine and versions."""
    found: dict[tuple[str, str], list[Measurement]] = {}
    for measurement in measurements:
        found.setdefault((measurement.machine, repr(sorted(measurement.versions.items()))), []).append(measurement)
    return found


def _peaks(machine: Machine) -> Peaks:
    """Peaks of a machine; of another than this one, where they are not known, this one's for as wide vectors."""
    here = detect()
    if machine.fingerprint == here.fingerprint:
        return peaks(machine)
    stored = stored_peaks(machine)
    if stored is not None:
        return stored
    known, width = peaks(here), machine.vector_bytes / here.vector_bytes
    fma = {dtype: {count: rate * width for count, rate in rates.items()} for dtype, rates in known.fma.items()}
    return Peaks(fma=fma, bandwidth=known.bandwidth)


def _proven(workload: Workload, space: Space, found: Sequence[tuple[Workload, Experience]]) -> tuple[Config, ...]:
    """The fastest configs of other workloads that this one's space has, most alike first."""
    best: dict[str, Config] = {}
    for _, experience in sorted(found, key=lambda pair: _unlikeness(workload, pair[0])):
        config = experience.configs[int(np.argmin(experience.seconds))]
        best.setdefault(config_key(config), config)
    configs = list(best.values())
    return tuple(configs[place] for place in np.flatnonzero(space.valid(configs))[:PROVEN])


def _unlikeness(workload: Workload, other: Workload) -> tuple[bool, bool, float]:
    """Another kernel, another direction, extents a factor of 2 to the so many apart."""
    kernel, direction = other.kernel.name != workload.kernel.name, other.kernel.digest != workload.kernel.digest
    sizes = other.sizes
    apart = sum(
        abs(float(np.log2(max(1, size)) - np.log2(max(1, sizes[name]))))
        for name, size in workload.sizes.items()
        if name in sizes
    )
    return kernel, direction, apart
