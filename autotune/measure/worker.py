"""One child process that runs functions on request and may die of them.

The child is a fresh interpreter, not a fork: threads and locks of this process do not reach it. It is started by
`subprocess` rather than by `multiprocessing`, which would import the user's main script again in the child, so that a
script that tunes at its top level, without `if __name__ == "__main__"`, would start itself for ever. The pipe and the
way of calling (a module-level function by name, pickled arguments) are those of `multiprocessing`.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import IO, Any, Generic, Self, TypeVar

from autotune.measure import child
from autotune.measure.measurement import Status

T = TypeVar("T")

# A loaded machine may take seconds to start Python and import Numba: that time is not the function's.
START_SECONDS = 120.0
# Text that a process prints which aborts because it got no memory: LLVM, libstdc++ and glibc say it this way.
OUT_OF_MEMORY_TEXTS = ("out of memory", "bad_alloc", "Cannot allocate memory")


@dataclass(frozen=True)
class Reply(Generic[T]):
    """How a call ended: `value` where `status` is ok, `error` as text otherwise.

    `status` is run_error where the function raised, crash where its process died (of `signal`, or by exiting),
    timeout where it was killed for taking too long, and out_of_memory where it raised MemoryError or was killed by
    somebody else, which is what the kernel does to a process that takes too much.
    """

    status: Status
    value: T | None = None
    error: str = ""
    signal: int | None = None


class Worker:
    """One child process, started when first needed and again after each death; never raises for what the child does.

    `preload` names modules that the child imports before its first call; `memory_limit` bounds, in bytes, what it may
    take beyond them. The child dies with this process, however that ends. Not for use from several threads at once.
    """

    def __init__(self, *, preload: tuple[str, ...] = (), memory_limit: int | None = None) -> None:
        self._preload = preload
        self._memory_limit = memory_limit
        self._child: _Child | None = None
        self._timeout = 0.0
        self._deadline = 0.0
        self._busy = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The child's process number, or None while there is none."""
        return self._child.process.pid if self._child else None

    @property
    def busy(self) -> bool:
        """Whether a call was submitted whose reply was not taken yet."""
        return self._busy

    @property
    def connection(self) -> Connection:
        """What to wait on for the reply to the submitted call."""
        if self._child is None or not self._busy:
            message = "nothing was submitted"
            raise RuntimeError(message)
        return self._child.connection

    @property
    def seconds_left(self) -> float:
        """Time until the submitted call is killed."""
        return max(0.0, self._deadline - time.monotonic())

    def start(self) -> None:
        """Start the child unless it lives, without waiting until it is ready."""
        if self._child is not None and self._child.process.poll() is not None:
            self.stop()
        if self._child is None:
            self._child = _Child(self._preload, self._memory_limit)

    def stop(self) -> None:
        """Kill the child with everything it started; the next call gets a fresh one."""
        if self._child is not None:
            self._child.end()
        self._child = None
        self._busy = False

    def call(self, function: Callable[..., T], *arguments: object, timeout: float) -> Reply[T]:
        """Run `function(*arguments)` in the child and wait for its reply, at most `timeout` seconds.

        The function is found by module and name, so it must be at the top level of an importable module.
        """
        self.submit(function, *arguments, timeout=timeout)
        try:
            while (reply := self.take(self.seconds_left)) is None:
                pass
        except BaseException:  # Ctrl-C, most likely: the child still runs the call and must not answer the next one
            self.stop()
            raise
        return reply

    def submit(self, function: Callable[..., object], *arguments: object, timeout: float) -> None:
        """Start `function(*arguments)` in the child; `take` gives the reply."""
        if self._busy:
            message = "a worker runs one call at a time"
            raise RuntimeError(message)
        request = pickle.dumps((function, arguments))
        self.start()
        if not self._send(request):  # died since its last call, which is not the function's fault
            self.stop()
            self.start()
            self._send(request)
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout + (0.0 if self._living.ready else START_SECONDS)
        self._busy = True

    def take(self, wait: float = 0.0) -> Reply[Any] | None:
        """The reply to the submitted call, or None if after `wait` seconds there is none and time is left."""
        running = self._living
        try:
            if not running.connection.poll(min(wait, self.seconds_left)):
                return self._ended_late() if self.seconds_left == 0.0 else None
            message = running.connection.recv()
        except (EOFError, OSError):
            return self._died()
        except Exception as error:  # a wild write in the child reached the bytes of its answer
            self.stop()
            return Reply(status=Status.CRASH, error=f"the answer cannot be read: {error}")
        if message == child.READY:
            running.ready = True
            self._deadline = time.monotonic() + self._timeout
            return None
        self._busy = False
        status, value, text = message
        return Reply(status=status, value=value, error=text)

    @property
    def _living(self) -> "_Child":
        if self._child is None:
            message = "the worker has no child process"
            raise RuntimeError(message)
        return self._child

    def _send(self, request: bytes) -> bool:
        self._living.forget_output()
        try:
            self._living.connection.send_bytes(request)
        except OSError:
            return False
        return True

    def _ended_late(self) -> Reply[Any]:
        if self._living.process.poll() is not None:  # it died, but something that it started holds the pipe open
            return self._died()
        what = (
            f"took longer than {self._timeout:g} s" if self._living.ready else f"did not start in {START_SECONDS:g} s"
        )
        self.stop()
        return Reply(status=Status.TIMEOUT, error=what)

    def _died(self) -> Reply[Any]:
        running = self._living
        code = running.wait()
        output = running.output()
        self.stop()
        if code is None:
            return Reply(status=Status.CRASH, error=_lines("closed its connection", output))
        if code >= 0:
            return Reply(status=Status.CRASH, error=_lines(f"exited with code {code}", output))
        lacked_memory = -code == signal.SIGKILL or any(text in output for text in OUT_OF_MEMORY_TEXTS)
        return Reply(
            status=Status.OUT_OF_MEMORY if lacked_memory else Status.CRASH,
            error=_lines(f"died of {signal.Signals(-code).name}", output),
            signal=-code,
        )


class _Child:
    """A running child process with its pipe and the file that takes what it prints."""

    def __init__(self, preload: tuple[str, ...], memory_limit: int | None) -> None:
        self.ready = False
        self.connection, theirs = Pipe()
        # A file, not a pipe: the last words of a crash must not need a reader, and nothing may reach the terminal.
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
        arguments = (theirs.fileno(), os.getpid(), preload, memory_limit)
        program = f"import sys; sys.path[:] = {sys.path!r}; from {child.__name__} import main; main{arguments!r}"
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C in a terminal goes to the group in front, which is not this one
            )
        self._finalizer = weakref.finalize(self, _end, self.process, self.connection, self._printed)

    def wait(self) -> int | None:
        """Exit code, negative for a signal, of a child that has closed its pipe; None if it lives on regardless."""
        try:
            return self.process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return None

    def output(self) -> str:
        """The end of what the child printed since the last call was sent."""
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, size - 4000))
        return self._printed.read().decode(errors="replace").strip()

    def forget_output(self) -> None:
        """Drop what the child printed; its own position in the file is this one."""
        self._printed.seek(0)
        self._printed.truncate()

    def end(self) -> None:
        """Kill the child and everything in its process group, and wait for it."""
        self._finalizer()


def _end(process: "subprocess.Popen[bytes]", connection: Connection, printed: IO[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    connection.close()
    printed.close()


def _lines(first: str, rest: str) -> str:
    return f"{first}\n{rest}" if rest else first
