"""Winners that ship with the package: whom they serve, and that those that do are in order."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import autotune as at
from autotune import library
from autotune.database import Database, Winner, shipped
from autotune.database.exchange import entry_of
from autotune.database.workload_key import WorkloadKey
from autotune.machine import Machine, detect
from autotune.runtime import Origin
from autotune.schedule import Workload
from autotune.templates import template_for
from tests.runtime.winners import winner_of


@at.kernel
def scaled(x: at.Tensor["rows", "cols"], y: at.Tensor["cols", "n"]):
    i, k = at.axes(x)
    _, j = at.axes(y)
    return at.output[i, j](2 * at.sum(x[i, k] * y[k, j], over=k))


def winner(rows: int, machine: Machine) -> Winner:
    workload = scaled.workload("forward", {"rows": rows, "cols": 16, "n": 32}, dtype="float64")
    made = winner_of(workload, template_for(workload).default(workload, machine), machine)
    return replace(made, samples=tuple(1e-6 * (1 + 0.01 * number) for number in range(40)))


def arrays(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    return rng.standard_normal((rows, 16)), rng.standard_normal((16, 32))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the winners ship of this test, in the place of the package's own."""
    monkeypatch.setenv("AUTOTUNE_SHIPPED", "1")
    folder = tmp_path / "shipped_winners"
    folder.mkdir()
    monkeypatch.setattr(shipped, "folder", lambda: folder)
    shipped.forget()
    yield folder
    shipped.forget()
    at.refresh()


def ship(folder: Path, machine: Machine, *rows: int) -> None:
    """Winners that were found on a machine, as its export has them."""
    with Database.open(folder.parent / "elsewhere.db") as database:
        for size in rows:
            database.set_winner(winner(size, machine), machine)
        with (folder / "some-cpu.jsonl").open("w", encoding="utf-8") as stream:
            assert database.export_jsonl(stream, winners=True) == len(rows)


def elsewhere(**changed: object) -> Machine:
    """Another machine, of the same CPU unless that is changed."""
    return replace(detect(), cpu="a CPU", cores=999, **changed)  # type: ignore[arg-type]


def test_a_machine_that_was_never_tuned_is_served_what_ships_for_its_cpu(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ship(folder, elsewhere(), 16, 64)
    with caplog.at_level(logging.WARNING):
        for rows in (16, 70, 71, 60):
            x, y = arrays(rows)
            np.testing.assert_allclose(scaled(x, y), 2 * (x @ y), rtol=1e-12, atol=1e-12)
            found = scaled.explain(x, y)
            assert found.origin is Origin.SHIPPED
            assert found.made_for["rows"] == (16 if rows == 16 else 64)
    assert "rows=64, cols=16, n=32 ships with the package, at a distance of" in str(found)
    assert "a CPU, some-cpu.jsonl" in str(found)
    (said,) = [record.getMessage() for record in caplog.records]
    assert (
        "is not tuned on this machine and runs what was tuned on another one of its CPU; to tune it: autotune" in said
    )


def test_a_machines_own_winners_come_first(folder: Path, tmp_path: Path) -> None:
    ship(folder, elsewhere(), 64)
    with Database.open(tmp_path / "tuning.db") as database:
        database.set_winner(winner(16, detect()), detect())
    found = scaled.explain(*arrays(64))
    assert (found.origin, found.made_for["rows"]) == (Origin.NEAREST, 16)
    assert [bool(one.shipped) for one in found.candidates] == [False, True]


@pytest.mark.parametrize("changed", [{"llvm_cpu": "another"}, {"vector_bytes": 16}, {"vector_registers": 8}])
def test_other_cpus_are_not_served(folder: Path, changed: dict[str, object]) -> None:
    ship(folder, elsewhere(**changed), 16)
    assert scaled.explain(*arrays(16)).origin is Origin.DEFAULT


def test_who_wants_none_has_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(folder, elsewhere(), 16)
    monkeypatch.setenv("AUTOTUNE_SHIPPED", "0")
    assert scaled.explain(*arrays(16)).origin is Origin.DEFAULT


def test_a_damaged_line_does_not_take_the_others_with_it(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    ship(folder, elsewhere(), 16, 64)
    file = folder / "some-cpu.jsonl"
    file.write_text("{\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert scaled.explain(*arrays(16)).origin is Origin.SHIPPED
    assert any("line 1 of some-cpu.jsonl is damaged" in record.getMessage() for record in caplog.records)


def test_an_export_of_winners_is_short_and_can_be_imported(folder: Path, tmp_path: Path) -> None:
    ship(folder, elsewhere(), 16)
    lines = (folder / "some-cpu.jsonl").read_text(encoding="utf-8").splitlines()
    with Database.open(tmp_path / "imported.db") as database:
        assert database.import_jsonl(lines).added == 1
        (found,) = database.winners()
    assert len(found.samples) == 9
    assert found.samples[0] == 1e-6
    assert found.seconds == pytest.approx(winner(16, elsewhere()).seconds, rel=0.01)


def test_what_ships_is_of_kernels_as_they_are_and_of_their_spaces() -> None:
    files = list(shipped.folder().glob("*.jsonl"))
    assert files
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            entry = entry_of(line)
            assert isinstance(entry.value, Winner)
            machine, key = Machine.from_json(dict(entry.machine)), WorkloadKey.parse(entry.value.workload)
            definition = getattr(library, key.kernel).dispatch(key.direction).kernel
            assert definition.digest == key.definition, f"{file.name}: {key} is of another definition"
            workload = Workload.of(definition, key.extents, key.dtype, key.threads)
            template_for(workload).space(workload, machine).check(entry.value.config)
            assert entry.value.ratio_high >= 1
