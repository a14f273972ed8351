"""The commands in this process or in one of their own, with a database of the tests' own."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autotune.autodiff import derive
from autotune.cli.app import app
from autotune.codegen import generate, write
from autotune.database import Database, Winner
from autotune.library import matmul
from autotune.machine import detect, versions
from autotune.measure import Measurement, Status
from autotune.schedule import Config, Workload
from autotune.templates import template_for

Invoke = Callable[..., Result]


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOTUNE_DB", str(tmp_path / "tuning.db"))
    monkeypatch.setenv("AUTOTUNE_THREADS", "1")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The file that commands use as their database; it is not there yet."""
    return tmp_path / "tuning.db"


@pytest.fixture
def invoke() -> Invoke:
    """Runs a command in this process: `invoke("list", "--json")`. What it does not report as an error is raised."""

    def run(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, words, input=stdin, prog_name="autotune", catch_exceptions=False)

    return run


@pytest.fixture
def _listens_to_ctrl_c() -> Iterator[None]:
    # A suite that a script started in the background inherits that SIGINT is ignored, and so would its children. It is
    # set here, not after a fork: JAX, which other tests import, warns of any Python code that runs in a fork.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.fixture
def start(_listens_to_ctrl_c: None) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts a command in a process of its own; none outlives the test."""
    processes = []

    def popen(*words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "autotune", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield popen
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def workload() -> Workload:
    """A product of matrices with unequal extents."""
    return Workload.of(derive(matmul.definition, "forward"), {"m": 48, "n": 32, "k": 40}, "float32", 1)


@pytest.fixture
def tuned(database: Path, workload: Workload) -> Winner:
    """A database with three measurements of the workload, one failed, and the winner, which took 2 µs instead of 3."""
    machine, template = detect(), template_for(workload)
    config = template.default(workload, machine)
    source = generate(workload, config, machine)
    write(source)
    winner = Winner(
        workload=workload.key,
        machine=machine.fingerprint,
        config=config,
        source=source.digest,
        samples=(2e-6, 2e-6, 2.5e-6),
        default_samples=(3e-6, 3e-6, 3.5e-6),
        ratio_low=1.25,
        ratio_high=1.75,
        versions=versions(),
        proven="2026-01-31T12:00:00+00:00",
    )
    with Database.open(database) as opened:
        opened.add_measurements([_measurement(workload, config, second) for second in range(3)], machine)
        opened.set_winner(winner, machine)
    return winner


def _measurement(workload: Workload, config: Config, second: int) -> Measurement:
    failed = second == 0
    return Measurement(
        workload=workload.key,
        config=config,
        status=Status.TIMEOUT if failed else Status.OK,
        samples=() if failed else (2e-6, 2.5e-6),
        error="took too long" if failed else "",
        source="a" * 64,
        machine=detect().fingerprint,
        versions=versions(),
        started=f"2026-01-31T12:00:{second:02d}+00:00",
    )
