import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from autotune.errors import FormatError, UsageError
from autotune.machine import Cache, Peaks, detect, measure_peaks, peaks
from autotune.machine.peak_rates import working_sets

MADE_UP = Peaks(
    fma={"float32": {1: 100e9, 4: 340e9}, "float64": {1: 50e9, 4: 170e9}}, bandwidth={"L1": 2e11, "memory": 2e10}
)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that peaks of this machine are kept in."""
    monkeypatch.setenv("AUTOTUNE_CACHE", str(tmp_path))
    monkeypatch.setenv("AUTOTUNE_THREADS", "1")
    return tmp_path / f"peaks-{detect().fingerprint}.json"


def test_measures_every_dtype_and_level() -> None:
    machine = detect()
    measured = measure_peaks(machine, (1, 2), seconds=0.05)
    assert set(measured.fma) == {"float32", "float64"}
    assert all(set(rates) == {1, 2} for rates in measured.fma.values())
    assert set(measured.bandwidth) == {*(f"L{cache.level}" for cache in machine.caches), "memory"}
    # Not a figure: the nearest cache is several times faster than memory on any machine, loaded or not.
    assert measured.bandwidth["L1"] > measured.bandwidth["memory"]


def test_is_not_measured_for_another_machine() -> None:
    other = replace(detect(), cpu="Another CPU")
    with pytest.raises(UsageError, match=r"peaks of Another CPU .* can be measured only on it"):
        measure_peaks(other)


def test_is_kept(kept: Path) -> None:
    first = peaks(detect(), seconds=0.01)
    assert Peaks.from_json(json.loads(kept.read_text())["peaks"]) == first
    kept.write_text(json.dumps({"format": 1, "machine": detect().to_json(), "peaks": MADE_UP.to_json()}))
    assert peaks(detect(), seconds=0.01) == MADE_UP, "read, not measured again"


def test_more_threads_are_measured_and_added(kept: Path) -> None:
    kept.write_text(json.dumps({"format": 1, "peaks": MADE_UP.to_json()}))
    result = peaks(detect(), threads=(2,), seconds=0.01)
    assert set(result.fma["float32"]) == {1, 2, 4}
    assert result.fma["float32"][4] == 340e9
    assert Peaks.from_json(json.loads(kept.read_text())["peaks"]) == result


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"format"',
        '{"format": 0, "peaks": {}}',
        '{"format": "1"}',
        '{"format": 1}',
        '{"format": 1, "peaks": {"fma": [], "bandwidth": {}}}',
        '{"format": 1, "peaks": {"fma": {"float32": {"one": 1.0}}, "bandwidth": {}}}',
        '{"format": 1, "peaks": {"fma": {"float32": {"1": -1.0}}, "bandwidth": {}}}',
        '{"format": 1, "peaks": {"fma": {"float32": {"1": NaN}}, "bandwidth": {}}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_measured_anew(kept: Path, text: str) -> None:
    kept.write_text(text)
    result = peaks(detect(), seconds=0.01)
    assert Peaks.from_json(json.loads(kept.read_text())["peaks"]) == result


def test_bytes_that_are_no_text_are_measured_anew(kept: Path) -> None:
    kept.write_bytes(b"\xff\xfe\x00")
    assert peaks(detect(), seconds=0.01).fma["float32"][1] > 0


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AUTOTUNE_CACHE", str(tmp_path / "file" / "cache"))
    assert peaks(detect(), threads=(1,), seconds=0.01).fma["float32"][1] > 0
    assert "cannot be kept" in caplog.text


def test_leaves_no_other_files(kept: Path) -> None:
    peaks(detect(), seconds=0.01)
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_survives_json() -> None:
    assert Peaks.from_json(json.loads(json.dumps(MADE_UP.to_json()))) == MADE_UP


def test_threads_between_measured_ones_are_interpolated() -> None:
    assert MADE_UP.flops("float32") == 100e9
    assert MADE_UP.flops("float32", 2) == pytest.approx(180e9)
    assert MADE_UP.flops("float64", 64) == 170e9


def test_merging_takes_the_higher() -> None:
    other = Peaks(fma={"float32": {1: 90e9, 2: 200e9}}, bandwidth={"L1": 3e11, "L2": 1e11})
    merged = MADE_UP.merge(other)
    assert merged.fma == {"float32": {1: 100e9, 2: 200e9, 4: 340e9}, "float64": MADE_UP.fma["float64"]}
    assert merged.bandwidth == {"L1": 3e11, "L2": 1e11, "memory": 2e10}


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_peak_is_a_positive_number(rate: float) -> None:
    with pytest.raises(FormatError, match="must be a positive number per second"):
        Peaks(fma={}, bandwidth={"L1": rate})


def test_working_sets_fit_their_level_and_no_lower_one() -> None:
    caches = (Cache(1, 48 << 10, 1), Cache(2, 2 << 20, 1), Cache(3, 105 << 20, 56))
    sizes = working_sets(replace(detect(), caches=caches))
    assert sizes == {"L1": 24 << 10, "L2": 1 << 20, "L3": 4 << 20, "memory": 210 << 20}
