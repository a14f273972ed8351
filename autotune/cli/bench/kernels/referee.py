"""Contests in a process of their own, which may crash or hang: then a contestant is left out, not the contest."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from autotune.cli.bench.comparison import THREAD_VARIABLES, ContestError
from autotune.cli.bench.contest import Rules
from autotune.cli.bench.kernels.cases import KernelCase

# From the start of one contestant's preparation to that of the next; from the first round to the end.
PREPARATION_SECONDS = 60.0
OUR_SECONDS = 300.0  # the default schedule is compiled when it is first used, and may be slow
CONTESTS = 30  # of one process: each leaves compiled code behind


class _LostError(Exception):
    """The process died or was ended while it was `at` a contestant, "" for the rounds."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__(reason)
        self.at = at


class Referee:
    """Holds contests on one number of threads, in a process that is started when needed and again when it was lost."""

    def __init__(self, threads: int, database: str) -> None:
        self._threads = threads
        self._database = database
        self._child: _Child | None = None
        self._given_up: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def hold(
        self, case: KernelCase, peers: Sequence[str], rules: Rules, *, tuned: bool, seed: int = 0
    ) -> dict[str, Any]:
        """What `child.hold` gives. Raises ContestError where there is no contest even without the peers that failed.

        A peer with which the process was lost is not asked again for the same kernel: what takes too long to compile
        in one direction mostly does in the others.
        """
        absent = {name: reason for name in peers if (reason := self._given_up.get((name, case.kernel))) is not None}
        while True:
            left = [name for name in peers if name not in absent]
            job = {
                "case": case.identity(), "peers": left, "rules": asdict(rules), "tuned": tuned, "seed": seed
            }  # fmt: skip
            try:
                result = self._held(job)
            except _LostError as lost:
                self._end()
                if lost.at not in left:
                    message = f"the contest of {case.workload.describe()} was lost: {lost}"
                    raise ContestError(message) from lost
                absent[lost.at] = f"{lost} ({case.direction})"
                self._given_up[lost.at, case.kernel] = absent[lost.at]
            else:
                return result | {"absent": absent | result["absent"]}

    def _held(self, job: Mapping[str, Any]) -> dict[str, Any]:
        if self._child is not None and self._child.contests >= CONTESTS:
            self._end()
        if self._child is None:
            self._child = _Child(self._threads, self._database)
        return self._child.hold(job)

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    """The process; what it prints goes to a file, for the last line of one that dies."""

    def __init__(self, threads: int, database: str) -> None:
        self.contests = 0
        self._connection, theirs = Pipe()
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  # closed by `end`
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "autotune.cli.bench.kernels.child", str(theirs.fileno())],
                env=os.environ | _variables(threads, database),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                start_new_session=True,  # Ctrl-C is for the parent, which ends this one
            )

    def hold(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a contest; raises _LostError where the process is lost, ContestError where it says why not."""
        self.contests += 1
        at = "autotune"
        with contextlib.suppress(OSError):  # of a process that died meanwhile, which the next line finds out
            self._connection.send_bytes(json.dumps(job).encode())
        while True:
            message = _received(self._connection, at, self._last_line)
            if "result" in message:
                result: dict[str, Any] = message["result"]
                return result
            if "error" in message:
                raise ContestError(message["error"])
            at = message["at"]

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _last_line(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        said = self._said.read().strip().splitlines()
        return f"the process ended with {code}" + (f": {said[-1][:200]}" if said else "")


def _received(connection: Connection, at: str, last_line: Any) -> dict[str, Any]:
    limit = PREPARATION_SECONDS if at not in {"", "autotune"} else OUR_SECONDS
    try:
        if not connection.poll(limit):
            raise _LostError(at, f"it took more than {limit:.0f} s")
        message: dict[str, Any] = json.loads(connection.recv_bytes())
    except (EOFError, ConnectionError) as error:
        raise _LostError(at, last_line()) from error
    return message


def _variables(threads: int, database: str) -> dict[str, str]:
    """What fixes the number of threads of everything that reads it when it is loaded; XLA's pool is NPROC large."""
    several = str(threads > 1).lower()
    return dict.fromkeys((*THREAD_VARIABLES, "NPROC"), str(threads)) | {
        "AUTOTUNE_DB": database,
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen={several}".strip(),
        "JAX_PLATFORMS": "cpu",
    }
