"""What runs inside a worker's process: it receives functions by name, calls them and sends back how that ended."""

import contextlib
import ctypes
import faulthandler
import importlib
import os
import pickle
import resource
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from autotune.measure.measurement import Status
from autotune.settings import MEASURING

READY = "ready"
# From <sys/prctl.h>.
PR_SET_PDEATHSIG = 1
Answer = tuple[Status, object, str]


def main(pipe: int, parent: int, preload: tuple[str, ...], memory_limit: int | None) -> None:
    """Serve calls that come through the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ[MEASURING] = "1"  # a user's module that is imported here must not start to tune
    os.set_inheritable(pipe, False)
    _die_with(parent)
    _volunteer_for_the_oom_killer()
    _forbid_core_files()
    faulthandler.enable()
    for name in preload:
        with contextlib.suppress(Exception):  # only a head start: the call that needs it raises it again, with its text
            importlib.import_module(name)
    _limit(memory_limit)
    with contextlib.suppress(EOFError, OSError):  # the parent is gone or wants no answer any more
        serve(Connection(pipe))


def serve(connection: Connection) -> None:
    """Answer calls one by one; ends with EOFError or OSError when the other side closes."""
    connection.send(READY)
    while True:
        answer = run(connection.recv_bytes())
        try:
            message = pickle.dumps(answer)
        except Exception:
            message = pickle.dumps((Status.RUN_ERROR, None, traceback.format_exc()))
        connection.send_bytes(message)


def run(request: bytes) -> Answer:
    """Call the pickled function; everything it raises becomes an answer, `SystemExit` too."""
    try:
        function, arguments = pickle.loads(request)
        return Status.OK, function(*arguments), ""
    except MemoryError:
        return Status.OUT_OF_MEMORY, None, traceback.format_exc()
    except BaseException:
        return Status.RUN_ERROR, None, traceback.format_exc()


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, even by SIGKILL.

    Elsewhere than on Linux the end of the pipe must do: an idle child ends at once, a busy one after its call.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def _volunteer_for_the_oom_killer() -> None:
    """When the machine runs out of memory, the kernel shall take the child rather than the process that tunes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _forbid_core_files() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _limit(memory: int | None) -> None:
    """Allow at most that many bytes of private memory beyond what is taken now.

    Beyond, because a process that has imported NumPy has tens of megabytes for each core, nearly all of it never used.
    RLIMIT_DATA rather than RLIMIT_AS, which counts what libraries and files map as well.
    """
    if memory is None:
        return
    taken = getattr(psutil.Process().memory_info(), "data", 0)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = taken + memory if most == resource.RLIM_INFINITY else min(taken + memory, most)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, most))
