"""`doctor`: what it finds and says to do, on this machine and where things are broken."""

import json
from pathlib import Path

import pytest

from autotune.cli import checks
from autotune.cli.checks import State
from tests.cli.conftest import Invoke


def test_every_check_is_told_and_a_healthy_machine_exits_0(invoke: Invoke, database: Path) -> None:
    result = invoke("doctor", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["healthy"]) == (0, True)
    names = [row["check"] for row in told["rows"]]
    parts = "versions,compiler,threads,threading layer,CPU governor,load,memory,cache directory,database"
    assert names == parts.split(",")
    assert all(bool(row["fix"]) == (row["state"] != "ok") for row in told["rows"])
    assert not database.exists()
    text = invoke("doctor").stdout
    assert all(name in text for name in names)
    assert "\x1b" not in text


def test_a_broken_database_and_cache_exit_1(
    invoke: Invoke, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write_text("no database")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("AUTOTUNE_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("AUTOTUNE_THREADS", "many")
    result = invoke("doctor", "--json")
    told = {row["check"]: row for row in json.loads(result.stdout)["rows"]}
    assert result.exit_code == 1
    assert {name for name, row in told.items() if row["state"] == "broken"} == {
        "threads",
        "cache directory",
        "database",
    }
    assert "set AUTOTUNE_CACHE" in told["cache directory"]["fix"]
    assert "autotune db import" in told["database"]["fix"]


@pytest.mark.parametrize(
    ("governors", "state"),
    [((), State.OK), (("performance", "performance"), State.OK), (("performance", "powersave"), State.WARNING)],
)
def test_governor(tmp_path: Path, governors: tuple[str, ...], state: State) -> None:
    for number, governor in enumerate(governors):
        folder = tmp_path / checks.CPUS / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
    found = checks.governor(tmp_path)
    assert found.state is state
    assert ("cpupower" in found.fix) == (state is State.WARNING)


def test_more_threads_than_a_container_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("100000 100000\n")
    monkeypatch.setenv("AUTOTUNE_THREADS", "2")
    found = checks.threads(tmp_path)
    assert (found.state, found.fix[:20]) == (State.WARNING, "set AUTOTUNE_THREADS")


def test_layers_that_threads_cannot_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_imports", lambda _: False)
    assert checks.threading_layer().state is State.WARNING
    monkeypatch.setattr("numba.config.THREADING_LAYER", "tbb")
    assert checks.threading_layer().state is State.BROKEN
