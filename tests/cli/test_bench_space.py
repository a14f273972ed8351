"""`bench space`: every config of a small space on this machine, kept, resumed, and readable as a table."""

import json
from pathlib import Path

import numpy as np
import pytest

from autotune.cli.bench.model.data import from_tables
from autotune.cli.bench.search.strategies import STRATEGIES
from autotune.cli.bench.search.tables import load, tables
from autotune.cli.bench.space import spaces
from autotune.cli.bench.space.spaces import SPACES, Exhaustive
from autotune.database import Database
from autotune.errors import FormatError
from autotune.machine import detect
from autotune.templates import template_for
from tests.cli.conftest import Invoke

SMALL = Exhaustive(
    name="small",
    kernel="matmul",
    direction="forward",
    extents={"m": 16, "k": 8, "n": 16},
    varied={"rows": (2, 4), "pack_left": (False, True)},
)


def test_each_space_is_a_part_of_its_template_s_with_the_default_or_near_it() -> None:
    machine = detect()
    for exhaustive in SPACES:
        space, fixed = exhaustive.space(machine), exhaustive.fixed(machine)
        assert 100 < space.size < 2000
        assert {knob.name for knob in space.knobs} == {*exhaustive.varied, *fixed}
        assert all(len(knob.values) == 1 for knob in space.knobs if knob.name in fixed)
        assert exhaustive.workload.flops < 5e7
    assert sum(exhaustive.space(machine).size for exhaustive in SPACES) > 1000


def test_every_config_is_measured_and_nothing_again(
    invoke: Invoke, tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces, "SPACES", (SMALL,))
    folder = tmp_path / "spaces"
    counts = []
    for _ in range(2):
        assert invoke("bench", "space", "--out", str(folder), "--rounds", "1").exit_code == 0
        with Database.open(database, read_only=True) as opened:
            counts.append(sum(1 for _ in opened.measurements(SMALL.workload.key)))
    assert counts[0] >= 4
    assert counts[1] <= 3 * 4  # what was measured on a loaded machine may be repeated, a quiet one's is not
    (path,) = tables(folder)
    table = load(path)
    assert table.rows.shape == (4, 2)
    assert np.isfinite(table.times).all()
    data = json.loads((folder / "spaces.json").read_text())
    (row,) = data["rows"]
    assert row["configs"] == 4
    assert row["failed"] == 0
    assert row["best_ms"] == pytest.approx(table.times.min(), rel=1e-5)
    (measured,) = from_tables(folder)
    assert measured.kernel == "matmul forward"
    assert len({repr(config) for config in measured.experience.configs}) == 4
    assert np.allclose(np.sort(measured.experience.seconds) * 1e3, np.sort(table.times))
    places = STRATEGIES["ours_run"].search(table, 10, 0)  # a tuning run, which begins with the default
    assert sorted(places) == [0, 1, 2, 3]
    (first,) = table.space.configs(table.rows[[places[0]]])
    default = template_for(SMALL.workload).default(SMALL.workload, detect())
    assert abs(float(first["rows"]) - float(default["rows"])) == min(abs(n - float(default["rows"])) for n in (2, 4))
    assert first["pack_left"] == str(default["pack_left"])


def test_tables_of_others_are_not_replayed_as_tuning_runs(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("a,time_ms\n1,2\n2,3\n")
    with pytest.raises(FormatError, match="no tables of `bench space`"):
        STRATEGIES["ours_run"].search(load(tmp_path / "one.csv"), 2, 0)


def test_a_folder_of_other_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("a,time_ms\n1,2\n2,3\n")
    with pytest.raises(FormatError, match="no tables of `bench space`"):
        from_tables(tmp_path)


def test_an_unknown_space_is_a_clear_error(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("bench", "space", "--only", "nothing", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "matmul_forward" in result.output
