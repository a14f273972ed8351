import ctypes
import operator
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autotune.measure import Status, Worker

GIB = 1 << 30
# A script without `if __name__ == "__main__"`, as people write them.
PARENT = """
import os, signal, time
from autotune.measure import Worker
worker = Worker()
print(worker.call(os.getpid, timeout=30).value, flush=True)
"""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(memory_limit=GIB) as running:
        yield running


def test_runs_functions_in_one_other_process(worker: Worker) -> None:
    first = worker.call(os.getpid, timeout=30)
    assert first.status is Status.OK
    assert first.value == worker.pid != os.getpid()
    assert worker.call(os.getpid, timeout=30) == first


def test_what_the_function_raises_is_told(worker: Worker) -> None:
    pid = worker.call(os.getpid, timeout=30).value
    reply = worker.call(operator.truediv, 1, 0, timeout=30)
    assert (reply.status, reply.value) == (Status.RUN_ERROR, None)
    assert "ZeroDivisionError: division by zero" in reply.error
    assert worker.call(sys.exit, 3, timeout=30).status is Status.RUN_ERROR
    assert worker.call(os.getpid, timeout=30).value == pid, "the process goes on"


@pytest.mark.parametrize(
    ("function", "argument", "name"),
    [(ctypes.string_at, 0, "SIGSEGV"), (os.abort, None, "SIGABRT"), (signal.raise_signal, signal.SIGILL, "SIGILL")],
)
def test_a_crash_is_told_with_its_signal(
    worker: Worker, function: Callable[..., object], argument: int | None, name: str
) -> None:
    reply = worker.call(function, *([] if argument is None else [argument]), timeout=30)
    assert reply.status is Status.CRASH
    assert reply.signal == signal.Signals[name]
    assert re.match(rf"died of {name}\nFatal Python error: ", reply.error)
    assert worker.call(operator.add, 2, 3, timeout=30).value == 5


def test_a_process_that_exits_has_crashed(worker: Worker) -> None:
    reply = worker.call(os._exit, 3, timeout=30)
    assert (reply.status, reply.signal) == (Status.CRASH, None)
    assert reply.error == "exited with code 3"


def test_a_call_that_takes_too_long_is_killed(worker: Worker, gone: Callable[[int], bool]) -> None:
    pid = worker.call(os.getpid, timeout=30).value
    reply = worker.call(time.sleep, 1000, timeout=0.2)
    assert (reply.status, reply.error) == (Status.TIMEOUT, "took longer than 0.2 s")
    assert pid is not None
    assert gone(pid)
    assert worker.call(operator.add, 2, 3, timeout=30).value == 5


def test_starting_a_process_does_not_count_as_the_calls_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time; time.sleep(1.5)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Worker(preload=("slow_to_import",)) as worker:
        assert worker.call(operator.add, 2, 3, timeout=1.0).value == 5


def test_what_cannot_be_preloaded_is_left_to_the_call() -> None:
    with Worker(preload=("no_such_module",)) as worker:
        assert worker.call(operator.add, 2, 3, timeout=30).value == 5


def test_memory_beyond_the_limit_is_refused(worker: Worker) -> None:
    assert worker.call(len, bytes(10), timeout=30).value == 10
    assert worker.call(bytes, 2 * GIB, timeout=30).status is Status.OUT_OF_MEMORY


def test_death_by_a_kill_that_is_not_ours_means_lack_of_memory(worker: Worker) -> None:
    reply = worker.call(signal.raise_signal, signal.SIGKILL, timeout=30)
    assert (reply.status, reply.signal) == (Status.OUT_OF_MEMORY, signal.SIGKILL)


def test_an_abort_for_lack_of_memory_is_told_as_such(worker: Worker) -> None:
    program = "import os; os.write(2, b'LLVM ERROR: out of memory'); os.abort()"
    reply = worker.call(eval, f"exec({program!r})", timeout=30)
    assert (reply.status, reply.signal) == (Status.OUT_OF_MEMORY, signal.SIGABRT)


def test_an_answer_that_cannot_be_sent_is_an_error(worker: Worker) -> None:
    reply = worker.call(eval, "lambda: None", timeout=30)
    assert reply.status is Status.RUN_ERROR
    assert "pickle" in reply.error.lower()


def test_an_answer_that_cannot_be_read_is_a_crash(worker: Worker) -> None:
    fd = "next(o for o in __import__('gc').get_objects() if type(o).__name__ == 'Connection')"
    reply = worker.call(eval, f"{fd}.send_bytes(b'garbage')", timeout=30)
    assert reply.status is Status.CRASH
    assert "cannot be read" in reply.error


def test_what_cannot_be_named_is_the_callers_error(worker: Worker) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        worker.call(lambda: None, timeout=30)
    assert worker.call(operator.add, 2, 3, timeout=30).value == 5


def test_a_child_that_died_idle_is_replaced(worker: Worker, gone: Callable[[int], bool]) -> None:
    pid = worker.call(os.getpid, timeout=30).value
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    reply = worker.call(os.getpid, timeout=30)
    assert reply.status is Status.OK
    assert reply.value != pid
    assert gone(pid)


def test_interrupts_are_for_the_parent_only(worker: Worker) -> None:
    pid = worker.call(os.getpid, timeout=30).value
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    assert worker.call(os.getpid, timeout=30).value == pid
    assert os.getpgid(pid) == pid, "it is in a process group of its own"


def test_what_the_child_prints_stays_off_the_terminal(worker: Worker, capfd: pytest.CaptureFixture[str]) -> None:
    worker.call(print, "from Python", timeout=30)
    worker.call(os.write, 1, b"from C", timeout=30)
    worker.call(os.abort, timeout=30)
    assert capfd.readouterr() == ("", "")


def test_stopping_ends_what_the_child_started(worker: Worker, gone: Callable[[int], bool]) -> None:
    grandchild = worker.call(os.spawnlp, os.P_NOWAIT, "sleep", "sleep", "1000", timeout=30).value
    assert grandchild is not None
    worker.stop()
    assert worker.pid is None
    assert gone(grandchild)
    worker.stop()


def test_one_call_at_a_time(worker: Worker) -> None:
    worker.submit(time.sleep, 0.05, timeout=30)
    with pytest.raises(RuntimeError, match="one call at a time"):
        worker.submit(os.getpid, timeout=30)
    while (reply := worker.take(1.0)) is None:
        pass
    assert reply.status is Status.OK
    assert not worker.busy


def test_a_worker_that_is_dropped_takes_its_child_along(gone: Callable[[int], bool]) -> None:
    dropped = Worker()
    pid = dropped.call(os.getpid, timeout=30).value
    del dropped
    assert pid is not None
    assert gone(pid)


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "worker.submit(time.sleep, 1000, timeout=1000); os.kill(os.getpid(), signal.SIGKILL)",
        "worker.submit(time.sleep, 1000, timeout=1000)",
    ],
)
def test_the_child_dies_with_its_parent(end: str, tmp_path: Path, gone: Callable[[int], bool]) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT + end)
    parent = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    (line,) = parent.stdout.splitlines()  # one: the script was not run again in the child
    assert gone(int(line))
