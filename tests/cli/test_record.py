"""`record`: real programs that end well, fail, are interrupted, and start others; and lists written by hand."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autotune.cli import workload_list
from autotune.errors import FormatError
from tests.cli.conftest import Invoke

PROGRAM = """
import multiprocessing, os, sys, time
import numpy as np
import autotune as at

@at.kernel
def doubled(x: at.Tensor["n"]):
    (i,) = at.axes(x)
    return at.output[i](2 * x[i])

def call(size, times):
    for _ in range(times):
        doubled(np.ones(size, np.float32))

if __name__ == "__main__":
    call(5, 3)
    what = sys.argv[1]
    if what == "raise":
        raise RuntimeError("wrong")
    if what == "children":
        for method in ("fork", "spawn"):
            process = multiprocessing.get_context(method).Process(target=call, args=(5, 10))
            process.start()
            process.join()
    if what == "wait":
        call(7, 1)
        print("ready", flush=True)
        time.sleep(600)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def _record(folder: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "autotune", "record", "-o", str(folder / "list.jsonl"), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "list.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_program_that_fails_keeps_its_exit_code_and_its_list(program: Path, tmp_path: Path) -> None:
    process = _record(tmp_path, "--", sys.executable, str(program), "raise")
    _, said = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "RuntimeError: wrong" in said
    (row,) = _rows(tmp_path)
    assert (row["kernel"], row["size"], row["calls"]) == (f"{program}:doubled", {"n": 5}, 3)
    (called,) = workload_list.read(tmp_path / "list.jsonl")
    assert called.workload().describe() == "doubled forward n=5 float32 1 thread"


@pytest.mark.slow
def test_calls_of_the_processes_that_it_starts_are_added(program: Path, tmp_path: Path) -> None:
    process = _record(tmp_path, str(program), "children")
    assert (process.communicate(timeout=240), process.returncode)[1] == 0
    assert [(row["size"], row["calls"]) for row in _rows(tmp_path)] == [({"n": 5}, 23)]


@pytest.mark.slow
@pytest.mark.usefixtures("_listens_to_ctrl_c")
def test_an_interrupted_program_has_its_list(program: Path, tmp_path: Path) -> None:
    process = _record(tmp_path, sys.executable, str(program), "wait")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=240)
    assert process.returncode == 130
    assert sorted((row["size"]["n"], row["calls"]) for row in _rows(tmp_path)) == [(5, 3), (7, 1)]


def test_a_program_that_is_not_there(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("record", "-o", str(tmp_path / "list.jsonl"), "no-such-program")
    assert result.exit_code == 2
    assert "there is no program 'no-such-program'" in result.stderr
    assert not (tmp_path / "list.jsonl").exists()


def test_a_program_that_calls_nothing(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("record", "-o", str(tmp_path / "list.jsonl"), sys.executable, "-c", "pass")
    assert result.exit_code == 0
    assert "no kernel of autotune was called" in result.stderr
    assert (tmp_path / "list.jsonl").read_text() == ""


def test_a_list_by_hand_needs_kernel_and_size_only(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text('{"kernel": "matmul", "size": {"m": 2, "k": 3, "n": 4}, "calls": 5}\n\n' * 2)
    (called,) = workload_list.read(path)
    assert called.calls == 10
    assert called.workload().describe() == "matmul forward m=2,k=3,n=4 float32 1 thread"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("matmul", "line 1: "),
        ("[]", "no JSON object"),
        ('{"kernel": "matmul"}', "no size"),
        ('{"kernel": "matmul", "size": {"m": 1.5}}', "size cannot be"),
        ('{"kernel": "matmul", "size": {}, "calls": NaN}', "calls cannot be nan"),
        ('{"kernel": "matmul", "size": {}, "calls": -1}', "calls cannot be -1"),
        ('{"kernel": "matmul", "size": [1]}', "size that is no object"),
        ('{"kernel": "matmul", "size": {}, "sizes": {}}', "a field 'sizes'"),
    ],
)
def test_a_list_that_is_none(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text(line + "\n")
    with pytest.raises(FormatError, match=said):
        workload_list.read(tmp_path / "list.jsonl")
