"""Building candidates in parallel: each compiles in a child process, which fills Numba's cache on disk."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import Self

from autotune.errors import UsageError
from autotune.measure.measurement import Status
from autotune.measure.memory import default_limit
from autotune.measure.timing import no_garbage_collection
from autotune.measure.worker import Reply, Worker
from autotune.settings import thread_count

PRELOAD = ("numba", "autotune.codegen")
# The end of a compiler's message says what is wrong; the rest is the way it went.
ERROR_LINES = 30
# Numba and LLVM never free what they have compiled: some megabytes a source.
BUILDS_PER_PROCESS = 100


@dataclass(frozen=True)
class Build:
    """How the build of one source ended: ok, build_error, crash, timeout or out_of_memory, after how many seconds."""

    path: Path
    status: Status
    error: str
    seconds: float


def compile_source(path: Path) -> float:
    """Load a generated module, which compiles it and fills the cache on disk; gives the seconds it took."""
    from autotune.codegen import load  # brings Numba, which only the child processes need

    start = time.perf_counter()
    with no_garbage_collection():  # a compiler's data structures live as long as the compile
        load(path)
    return time.perf_counter() - start


class Builder:
    """A pool of processes that build sources; they import the compiler at once, before the first source is there."""

    def __init__(self, processes: int | None = None, *, timeout: float = 60.0, memory_limit: int | None = None) -> None:
        count = thread_count() if processes is None else processes
        if count < 1:
            message = f"a builder needs at least 1 process, not {count}"
            raise UsageError(message)
        limit = default_limit(count) if memory_limit is None else memory_limit
        self._timeout = timeout
        self._workers = [Worker(preload=PRELOAD, memory_limit=limit) for _ in range(count)]
        self._builds = Counter[Worker]()
        for worker in self._workers:
            worker.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.stop()

    def build(self, paths: Iterable[Path]) -> Iterator[Build]:
        """Build these sources, several at a time; yields each as it finishes, in no fixed order.

        Whoever stops early, or is interrupted, leaves no build running.
        """
        queue = deque(paths)
        running: dict[Worker, _Running] = {}
        try:
            while queue or running:
                for worker in self._workers:
                    if queue and not worker.busy:
                        running[worker] = _Running(queue.popleft(), time.perf_counter())
                        worker.submit(compile_source, running[worker].path, timeout=self._timeout)
                wait([worker.connection for worker in running], min(worker.seconds_left for worker in running))
                for worker in list(running):
                    if (reply := worker.take()) is not None:
                        self._renew(worker)
                        yield running.pop(worker).ended(reply)
        finally:
            for worker in running:
                worker.stop()

    def _renew(self, worker: Worker) -> None:
        """End a process that has built many sources; its next build starts another."""
        self._builds[worker] += 1
        if self._builds[worker] % BUILDS_PER_PROCESS == 0:
            worker.stop()


@dataclass(frozen=True)
class _Running:
    path: Path
    start: float

    def ended(self, reply: Reply[float]) -> Build:
        seconds = reply.value if reply.value is not None else time.perf_counter() - self.start
        status = Status.BUILD_ERROR if reply.status is Status.RUN_ERROR else reply.status
        error = "\n".join(reply.error.splitlines()[-ERROR_LINES:])
        return Build(path=self.path, status=status, error=error, seconds=seconds)
