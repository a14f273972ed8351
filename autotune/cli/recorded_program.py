"""A program run as a child that records which workloads it calls."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autotune import settings
from autotune.cli.workload_list import Called, merged, read
from autotune.errors import UsageError

BY_SIGNAL = 128  # to which shells add the number of the signal that ended a program


def run(command: Sequence[str]) -> tuple[int, tuple[Called, ...]]:
    """Run a program to its end: its exit code as shells have it, and what it and its children called.

    Raises UsageError where there is no such program.
    """
    words = [sys.executable, *command] if command[0].endswith(".py") else list(command)
    if shutil.which(words[0]) is None:
        message = f"there is no program {words[0]!r} to record"
        raise UsageError(message)
    with tempfile.TemporaryDirectory(prefix="autotune-record-") as folder:
        with subprocess.Popen(words, env={**os.environ, settings.RECORD: folder}) as process, _outliving(process):
            code = process.wait()
        called = merged(line for path in sorted(Path(folder).glob("*.jsonl")) for line in read(path))
    return (code if code >= 0 else BY_SIGNAL - code), called


@contextmanager
def _outliving(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Ctrl-C reaches the program as it reaches this process, which waits for its end; termination is passed on."""
    interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    terminate = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
