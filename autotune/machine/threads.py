"""Running a function on several cores at once."""

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from autotune.machine.detection import detect
from autotune.machine.linux import siblings

T = TypeVar("T")


def together(function: Callable[[], T], threads: int) -> list[T]:
    """Results of `function` from that many threads which start it at the same time, on cores of their own if possible.

    Threads that live for milliseconds must be put on their cores: they are often started on one and end before the
    kernel spreads them. Two of 8 ms each took 16 ms on two free cores.
    """
    if threads == 1:
        return [function()]
    barrier = threading.Barrier(threads)
    results: list[T] = []

    def run(cpu: int) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {cpu})  # of this thread only
        barrier.wait()
        results.append(function())

    workers = [
        threading.Thread(target=run, args=(cpu,)) for cpu in itertools.islice(itertools.cycle(places()), threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


def places() -> list[int]:
    """One CPU of each core that this process may use."""
    if sys.platform != "linux":
        return list(range(detect().cores))
    allowed = os.sched_getaffinity(0)
    return sorted({min(siblings(Path("/"), cpu) & allowed) for cpu in allowed})
