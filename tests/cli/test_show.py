"""`show`."""

import json
from pathlib import Path

import pytest

from autotune.database import Database, Winner
from autotune.machine import detect
from autotune.schedule import Workload
from tests.cli.conftest import Invoke


def test_everything_about_a_winner(tuned: Winner, workload: Workload, invoke: Invoke) -> None:
    result = invoke("show", "matmul")
    assert result.exit_code == 0
    assert workload.describe() in result.stdout
    for part in ("2.00 µs", "61.4 GFLOP/s", "of peak", "3.00 µs", "1.50x (1.25 to 1.75)", "2 ok, 1 timeout"):
        assert part in result.stdout
    assert f"rows={tuned.config['rows']}" in result.stdout


def test_as_json(tuned: Winner, workload: Workload, invoke: Invoke) -> None:
    found = json.loads(invoke("show", "matmul", "--json").stdout)
    (row,) = found["rows"]
    assert found["machine"] == detect().fingerprint
    assert (row["kernel"], row["direction"], row["dtype"], row["threads"]) == ("matmul", "forward", "float32", 1)
    assert row["size"] == dict(workload.extents)
    assert (row["ms"], row["default_ms"]) == (2e-3, 3e-3)
    assert (row["gain"], row["gain_low"], row["gain_high"]) == (pytest.approx(1.5), 1.25, 1.75)
    assert row["gflops"] == pytest.approx(workload.flops / 2e-6 * 1e-9)
    assert row["fma_fraction"] > 0
    assert row["statuses"] == {"ok": 2, "timeout": 1}
    assert row["config"] == tuned.config
    assert row["source"] == str(Path(row["source"]))
    assert Path(row["source"]).is_file()


@pytest.mark.usefixtures("tuned")
def test_source_that_is_gone_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> None:
    monkeypatch.setenv("AUTOTUNE_CACHE", str(tmp_path / "emptied"))
    (row,) = json.loads(invoke("show", "matmul", "--json").stdout)["rows"]
    assert Path(row["source"]).is_file()


def test_measured_but_not_proven(tuned: Winner, database: Path, invoke: Invoke) -> None:
    exported = invoke("db", "export", "-").stdout
    database.unlink()
    measurements = "\n".join(line for line in exported.splitlines() if json.loads(line)["kind"] == "measurement")
    assert invoke("db", "import", "-", stdin=measurements).exit_code == 0
    result = invoke("show", "matmul")
    assert "none proven yet" in result.stdout
    assert tuned.source not in result.stdout


def test_kernel_that_is_not_tuned(tuned: Winner, invoke: Invoke) -> None:
    assert tuned.machine in invoke("show", "batch_matmul").stdout
    assert json.loads(invoke("show", "batch_matmul", "--json").stdout)["rows"] == []


def test_another_kernel_of_the_same_name_is_left_out(tuned: Winner, tmp_path: Path, invoke: Invoke) -> None:
    source = (
        "import autotune as at\n@at.kernel\ndef matmul(a: at.Tensor['m', 'k']):\n"
        "    i, k = at.axes(a)\n    return at.output[i](at.sum(a[i, k], over=k))\n"
    )
    (tmp_path / "mine.py").write_text(source)
    result = invoke("show", f"{tmp_path / 'mine.py'}:matmul")
    assert result.stdout.startswith("matmul is not tuned on this machine")
    assert tuned.source not in result.stdout


def test_missing_database(database: Path, invoke: Invoke) -> None:
    result = invoke("show", "matmul")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"there is no database {database}" in result.stderr
    assert not database.exists()


def test_database_by_option(tuned: Winner, database: Path, tmp_path: Path, invoke: Invoke) -> None:
    moved = database.rename(tmp_path / "moved.db")
    assert "winner" not in invoke("show", "matmul", "--db", str(moved)).stderr
    with Database.open(moved, read_only=True) as opened:
        assert opened.winner(tuned.workload, tuned.machine) == tuned
