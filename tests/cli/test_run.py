"""`run`: misuse, and real tuning runs, one to its end, one stopped by Ctrl-C and one killed."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from autotune.database import Database
from autotune.errors import DatabaseError
from autotune.machine import detect
from tests.cli.conftest import Invoke

if TYPE_CHECKING:
    import subprocess

Start = Callable[..., "subprocess.Popen[str]"]
SMALL = ("run", "matmul", "--size", "m=64,n=48,k=80", "--threads", "1", "--direction", "forward")
PATIENCE = 240.0  # seconds that a loaded machine may take


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("matmull", "--size", "m=8,n=8,k=8"), "no built-in kernel 'matmull'; did you mean matmul"),
        (("matmul", "--size", "1024"), "--size takes name=extent pairs"),
        (("matmul", "--size", "m=8,n=8"), "the extents k are not given"),
        (("matmul", "--size", "m=8,n=8,k=8,q=8"), "q=8 is neither a tensor's shape nor an extent"),
        (("matmul", "--size", "a=8x9,b=7x8"), "extent k is 9 in a=8x9 but 7 in b=7x8"),
        (("matmul", "--size", "a=8x9x3,n=8"), "a[m, k] has 2 dimensions"),
        (("matmul", "--size", "m=8,n=8,k=8", "--dtype", "float16"), "dtype 'float16' is not supported"),
        (("matmul", "--size", "m=8,n=8,k=8", "--direction", "vjp:c"), "no input 'c'"),
        (("matmul", "--size", "m=8,n=8,k=8", "--direction", "back"), "no direction 'back'; it has forward"),
        (("matmul", "--size", "m=8,n=8,k=8", "--time", "soon"), "--time takes a duration"),
        (("matmul", "--size", "m=8,n=8,k=8", "--threads", "0"), "--threads"),
        (("matmul", "--size", "m=8,n=8,k=8", "--option", "stride=2"), "kernel matmul has no option 'stride'"),
        (("conv2d", "--size", "m=8", "--option", "strid=2"), "no option 'strid'; did you mean stride?"),
        (("conv2d", "--size", "m=8", "--option", "stride"), "--option takes name=value pairs"),
        (("conv2d", "--size", "x=1x3x1x1,w=4x3x3x3"), "the inputs are too small"),
        (("conv2d", "--size", "x=1x3x2x2,w=4x3x3x3"), "extent p is 0, so there is nothing to tune"),
        (("conv2d", "--size", "x=1x3x8x8,w=4x3x3x3,p=5"), "extent p"),
        (("no/such/file.py:kernel", "--size", "m=8"), "no file no/such/file.py"),
        (("matmul", "softmax", "matmul", "--size", "m=8", "--size", "m=9"), "once for each of the 3 kernels"),
        (("matmul", "softmax", "--size", "m=8,n=8,k=8"), "m=8"),
        (("--size", "m=8"), "name a KERNEL"),
        (("--workloads", __file__, "--direction", "forward"), "the list says what --direction would"),
    ],
)
def test_misuse(words: tuple[str, ...], said: str, database: Path, invoke: Invoke) -> None:
    result = invoke("run", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not database.exists()


@pytest.mark.slow
def test_a_run_with_its_gradients(start: Start, invoke: Invoke) -> None:
    done = _ended(start("run", "matmul", "--size", "a=64x80,n=48", "--trials", "2", "--json"))
    assert done.code == 0
    found = json.loads(done.stdout)
    assert [row["direction"] for row in found["rows"]] == ["forward", "vjp:a", "vjp:b"]
    assert found["machine"]["fingerprint"] == detect().fingerprint
    assert found["interrupted"] is False
    assert found["peak_memory_bytes"] > 0
    for row in found["rows"]:
        assert row["size"] == {"m": 64, "k": 80, "n": 48}
        assert row["proven"]
        assert row["measurements"] >= 2
        assert row["gain_low"] <= row["gain_high"]
        assert Path(row["source"]).is_file()
    assert "matmul vjp:b" in done.stderr
    assert "2 trials" in done.stderr
    shown = invoke("show", "matmul")
    assert shown.stdout.count("source") == 3

    again = _ended(start("run", "matmul", "--size", "a=64x80,n=48", "--trials", "2"))
    assert again.code == 0
    assert "known from earlier runs" in again.stdout
    assert "gain (95 % interval)" in again.stdout
    assert [row["measurements"] for row in found["rows"]] == [
        row["measurements"] for row in json.loads(invoke("show", "matmul", "--json").stdout)["rows"]
    ]


@pytest.mark.slow
def test_a_kernel_with_options(start: Start, invoke: Invoke) -> None:
    words = ("--size", "x=2x6x8x9,w=4x3x3x3", "--option", "stride=2", "--option", "padding=1")
    done = _ended(start("run", "conv2d", *words, "--direction", "vjp:x", "--trials", "2", "--json"))
    assert done.code == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["direction"] == "vjp:x"
    assert row["options"] == {"stride": 2, "padding": 1, "dilation": 1}
    assert row["size"]["g"] == 2
    assert row["statuses"] == {"ok": row["measurements"]}
    shown = json.loads(invoke("show", "conv2d", "--option", "stride=2,padding=1", "--json").stdout)["rows"]
    assert [row["direction"] for row in shown] == ["vjp:x"]
    assert "conv2d with stride=1, padding=0, dilation=1 is not tuned" in invoke("show", "conv2d").stdout


@pytest.mark.slow
def test_a_kernel_that_only_moves_data(start: Start) -> None:
    done = _ended(start("run", "embedding", "--size", "table=30x16,idx=20", "--direction", "forward"))
    assert done.code == 0, done.stderr
    assert "20 trials" in done.stdout


@pytest.mark.slow
def test_a_kernel_from_a_file(tmp_path: Path, start: Start) -> None:
    source = (
        "import autotune as at\n\n\n@at.kernel\n"
        'def scaled(a: at.Tensor["m", "k"], x: at.Tensor["k"], factor: at.Scalar):\n'
        "    i, k = at.axes(a)\n"
        "    return at.output[i](factor * at.sum(a[i, k] * x[k], over=k))\n"
    )
    (tmp_path / "mine.py").write_text(source)
    word = f"{tmp_path / 'mine.py'}:scaled"
    done = _ended(start("run", word, "--size", "m=64,k=48", "--trials", "2", "--direction", "forward", "--json"))
    assert done.code == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["kernel"], row["size"]) == ("scaled", {"m": 64, "k": 48})


@pytest.mark.slow
def test_a_budget_for_a_list_of_workloads(tmp_path: Path, start: Start) -> None:
    small = {"kernel": "matmul", "size": {"m": 8, "n": 24, "k": 16}, "threads": 1}
    rows = [small | {"calls": 10}, small | {"direction": "vjp:a", "calls": 1000}, {"kernel": "gone", "size": {}}]
    path = tmp_path / "list.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = _ended(start("run", "--workloads", str(path), "--trials", "2", "--time", "2m", "--json"))
    assert done.code == 0, done.stderr
    assert "gone forward  float32 is left out: there is no built-in kernel 'gone'" in done.stderr
    found = json.loads(done.stdout)
    assert [row["direction"] for row in found["rows"]] == ["forward", "vjp:a"]
    assert all(row["proven"] for row in found["rows"])
    budget = found["budget"]
    assert budget["seconds"] == 120
    assert budget["used_seconds"] == pytest.approx(sum(each["seconds"] for each in budget["received"]))
    assert [(each["direction"], each["calls"], each["trials"]) for each in budget["received"]] == [
        ("forward", 10, 2),
        ("vjp:a", 1000, 2),
    ]
    assert all(each["before_ms"] >= each["after_ms"] > 0 for each in budget["received"])

    again = _ended(
        start(
            "run",
            "matmul",
            "--size",
            "m=8,n=24,k=16",
            "--direction",
            "forward,vjp:a",
            "--threads",
            "1",
            "--trials",
            "2",
            "--time",
            "2m",
        )
    )
    assert again.code == 0, again.stderr
    assert "won in all calls" in again.stdout


@pytest.mark.slow
def test_ctrl_c_prints_the_best_so_far_and_exits_130(start: Start, database: Path) -> None:
    process = start(*SMALL, "--trials", "5000")
    _wait_for_measurements(database, 3)
    process.send_signal(signal.SIGINT)
    done = _ended(process)
    assert done.code == 130
    assert "GFLOP/s" in done.stdout
    assert "forward" in done.stdout.splitlines()[-1]
    assert done.stderr.splitlines()[-1] == "autotune: stopped; the same command goes on from here"
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_killed_run_goes_on_without_repeating_a_measurement(start: Start, database: Path, invoke: Invoke) -> None:
    process = start(*SMALL, "--trials", "5000")
    _wait_for_measurements(database, 5)
    process.kill()
    assert _ended(process).code == -signal.SIGKILL
    before = invoke("db", "export", "-").stdout.splitlines()
    known = {_config(line) for line in before}

    done = _ended(start(*SMALL, "--trials", str(len(known) + 3)))
    assert done.code == 0, done.stderr
    assert f"{len(known)} of them known from earlier runs" in done.stdout
    after = invoke("db", "export", "-").stdout.splitlines()
    assert set(before) <= set(after)
    new = {_config(line) for line in set(after) - set(before) if json.loads(line)["kind"] == "measurement"}
    assert len(new) == 3
    assert not new & known


class Ended(NamedTuple):
    """What a process left."""

    code: int
    stdout: str
    stderr: str


def _ended(process: "subprocess.Popen[str]") -> Ended:
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return Ended(process.returncode, stdout, stderr)


def _wait_for_measurements(database: Path, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if sum(_counts(database)) >= count:
            return
        time.sleep(0.1)
    pytest.fail(f"there were not {count} measurements within {PATIENCE} s")


def _counts(database: Path) -> Iterator[int]:
    try:
        with Database.open(database, read_only=True) as opened:
            yield from (sum(summary.counts.values()) for summary in opened.summaries(kernel="matmul"))
    except DatabaseError:  # it is not there yet
        return


def _config(line: str) -> str:
    data: dict[str, Any] = json.loads(line)
    return json.dumps(data["config"], sort_keys=True)
