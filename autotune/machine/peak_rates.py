"""What this machine can do at best, measured: floating-point rate, and read bandwidth of each level of memory."""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import psutil

from autotune.errors import FormatError, UsageError
from autotune.machine.description import Machine
from autotune.machine.detection import detect
from autotune.machine.fields import field, mapping, typed
from autotune.machine.probes import ELEMENTS, Probe, fma_probe, read_probe
from autotune.settings import cache_directory, thread_count

FORMAT = 1
MEMORY = "memory"
# One repetition of a probe. Machines are shared: short ones fall between the time slices of other programs.
PIECE_SECONDS = 1e-3
PIECES = 4
SECONDS = 1.2
LARGEST_BUFFER = 512 * 1024 * 1024
K = TypeVar("K", bound=Hashable)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Peaks:
    """Measured peaks of a machine.

    `fma` maps dtype and number of threads to floating-point operations per second (a fused multiply-add counts as two).
    `bandwidth` maps "L1", "L2", … and "memory" to the bytes per second that one thread reads.
    """

    fma: Mapping[str, Mapping[int, float]]
    bandwidth: Mapping[str, float]

    def __post_init__(self) -> None:
        rates = [rate for by_threads in self.fma.values() for rate in by_threads.values()]
        for rate in [*rates, *self.bandwidth.values()]:
            if not (math.isfinite(rate) and rate > 0):
                message = f"a measured peak must be a positive number per second, not {rate}"
                raise FormatError(message)

    def flops(self, dtype: str, threads: int = 1) -> float:
        """Peak of `threads` threads: measured, or interpolated between measured numbers of threads.

        Beyond the largest measured number it stays what it was there: more threads than cores add nothing.
        """
        by_threads = self.fma[dtype]
        counts = sorted(by_threads)
        return float(np.interp(threads, counts, [by_threads[count] for count in counts]))

    def merge(self, other: "Peaks") -> "Peaks":
        """The higher of the two wherever both measured: a peak is a maximum."""
        return Peaks(
            fma={
                dtype: _higher(self.fma.get(dtype, {}), other.fma.get(dtype, {})) for dtype in {**self.fma, **other.fma}
            },
            bandwidth=_higher(self.bandwidth, other.bandwidth),
        )

    def to_json(self) -> dict[str, Any]:
        """The peaks as data that `json.dumps` takes: numbers of threads become text."""
        fma = {dtype: {str(count): rate for count, rate in rates.items()} for dtype, rates in self.fma.items()}
        return {"fma": fma, "bandwidth": dict(self.bandwidth)}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The peaks that `to_json` gave; raises FormatError where a field is missing or of the wrong type."""
        fma = mapping(field(data, "fma", dict, where="peaks"), where="fma of peaks")
        bandwidth = mapping(field(data, "bandwidth", dict, where="peaks"), where="bandwidth of peaks")
        return cls(
            fma={dtype: _by_threads(rates) for dtype, rates in fma.items()},
            bandwidth={level: typed(rate, float, where=f"bandwidth of {level}") for level, rate in bandwidth.items()},
        )


def peaks(machine: Machine, threads: Sequence[int] | None = None, seconds: float = SECONDS) -> Peaks:
    """Peaks of this machine for these numbers of threads (1 and all that may be used), measured once and kept.

    They are kept in the cache directory under the machine's fingerprint; a file that cannot be read is measured anew.
    """
    wanted = threads or sorted({1, thread_count()})
    path = _path(machine)
    stored = _read(path)
    if stored is not None and all(count in stored.fma.get(dtype, {}) for dtype in ELEMENTS for count in wanted):
        return stored
    measured = measure_peaks(machine, wanted, seconds)
    result = measured if stored is None else stored.merge(measured)
    _write(path, machine, result)
    return result


def stored_peaks(machine: Machine) -> Peaks | None:
    """Peaks of a machine, this one or another, as far as they were measured and are kept in the cache directory."""
    return _read(_path(machine))


def _path(machine: Machine) -> Path:
    return cache_directory() / f"peaks-{machine.fingerprint}.json"


def bandwidth(size: int, threads: int, peaks: Peaks, machine: Machine) -> float:
    """Bytes per second that `threads` threads read at best of `size` bytes: no more than so many times one thread's."""
    holding = (f"L{cache.level}" for cache in machine.caches if cache.size >= size)
    level = next((level for level in holding if level in peaks.bandwidth), "memory")
    return threads * peaks.bandwidth[level]


def measure_peaks(machine: Machine, threads: Sequence[int] = (1,), seconds: float = SECONDS) -> Peaks:
    """The best of many short repetitions of each probe, taken in turn for about `seconds`, set-up not included.

    Raises UsageError where `machine` is not the one this runs on.
    """
    if machine.fingerprint != detect().fingerprint:
        message = f"peaks of {machine.cpu} ({machine.fingerprint}) can be measured only on it; this is {detect().cpu}"
        raise UsageError(message)
    counts = sorted(set(threads))
    probes = {(dtype, count): fma_probe(dtype, machine) for dtype in ELEMENTS for count in counts}
    probes |= {(name, 1): read_probe(size, machine) for name, size in working_sets(machine).items()}
    best = _best_rates(
        {key: _repetition(probe, key[1]) for key, probe in probes.items()}, SECONDS if seconds is None else seconds
    )
    return Peaks(
        fma={dtype: {count: best[dtype, count] for count in counts} for dtype in ELEMENTS},
        bandwidth={name: best[name, 1] for name in working_sets(machine)},
    )


def working_sets(machine: Machine) -> dict[str, int]:
    """Bytes to read for the bandwidth of each level.

    Half of a core's share of the cache: neighbours on a shared machine keep theirs filled, and half of a whole 32 MiB
    L3 cache ran at the speed of memory in a Zen 3 virtual machine. But at least twice the level below, and no more than
    half of the level. Memory: twice the last cache, at least 64 MiB.
    """
    sizes: dict[str, int] = {}
    below = 0
    for cache in machine.caches:
        sizes[f"L{cache.level}"] = min(max(cache.size // cache.shared_by // 2, 2 * below), cache.size // 2)
        below = cache.size
    most = min(LARGEST_BUFFER, psutil.virtual_memory().total // 8)
    return {name: min(size, most) for name, size in sizes.items()} | {MEMORY: min(max(64 << 20, 2 * below), most)}


def _repetition(probe: Probe, threads: int) -> Callable[[], float]:
    """A function that runs the probe for some milliseconds and gives its best rate."""
    rounds = probe.rounds_for(PIECE_SECONDS)
    return lambda: probe.peak(rounds, threads, repetitions=PIECES)


def _best_rates(repetitions: Mapping[K, Callable[[], float]], seconds: float) -> dict[K, float]:
    best = {key: repetition() for key, repetition in repetitions.items()}
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        for key, repetition in repetitions.items():
            best[key] = max(best[key], repetition())
    return best


def _higher(first: Mapping[K, float], second: Mapping[K, float]) -> dict[K, float]:
    return {key: max(first.get(key, 0.0), second.get(key, 0.0)) for key in {**first, **second}}


def _by_threads(data: object) -> dict[int, float]:
    rates = mapping(data, where="rates of peaks")
    for count in rates:
        if not count.isdecimal():
            message = f"rates of peaks must be under numbers of threads, not {count!r}"
            raise FormatError(message)
    return {int(count): typed(rate, float, where=f"rate of {count} threads") for count, rate in rates.items()}


def _read(path: Path) -> Peaks | None:
    """Peaks kept in that file; None where there is none that can be used."""
    try:
        data = json.loads(path.read_bytes())
        if field(data, "format", int, where="the file") != FORMAT:
            logger.info("%s is of another format: peaks are measured anew", path)
            return None
        return Peaks.from_json(field(data, "peaks", dict, where="the file"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, FormatError) as error:
        logger.warning("%s cannot be used, peaks are measured anew: %s", path, error)
        return None


def _write(path: Path, machine: Machine, result: Peaks) -> None:
    """Keep the peaks; the file is replaced as a whole, so that no reader ever sees a part of it."""
    text = json.dumps({"format": FORMAT, "machine": machine.to_json(), "peaks": result.to_json()}, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        logger.warning("peaks are measured but cannot be kept in %s: %s", path, error)


def _replace(path: Path, text: str) -> None:
    """Put a file in place as a whole; a disk that fills leaves the old one, and nothing else."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
