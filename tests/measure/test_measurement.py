import json
import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from autotune.errors import FormatError
from autotune.measure import Measurement, Status
from autotune.measure.measurement import now

GOOD = Measurement(
    workload='{"kernel":"matmul"}',
    config={"rows": 6, "share": 0.5, "order": "ijk", "pack": True},
    status=Status.OK,
    samples=(3e-3, 1e-3, 2e-3, 5e-3),
    source="0123abcd",
    machine="cbd755e34af6",
    versions={"python": "3.11.7", "numba": "0.68.1"},
    build_seconds=1.25,
    load=0.97,
    started="2026-11-24T02:57:26.046+00:00",
)
FAILED = replace(GOOD, status=Status.CRASH, samples=(), error="died of SIGSEGV")


@pytest.mark.parametrize("measurement", [GOOD, FAILED, replace(GOOD, stopped_early=True)])
def test_survives_json(measurement: Measurement) -> None:
    text = json.dumps(measurement.to_json(), allow_nan=False)
    assert Measurement.from_json(json.loads(text)) == measurement


def test_seconds_are_the_median_or_infinite() -> None:
    assert GOOD.seconds == pytest.approx(2.5e-3)
    assert FAILED.seconds == math.inf


def test_status_is_told_by_its_text() -> None:
    assert GOOD.to_json()["status"] == "ok"
    assert {str(status) for status in Status} == {
        "ok", "build_error", "crash", "timeout", "wrong_result", "out_of_memory", "run_error",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"samples": (1e-3, 0.0)}, "samples of a measurement must be positive seconds"),
        ({"samples": (math.nan,)}, "samples of a measurement must be positive seconds"),
        ({"samples": ()}, "has samples if and only if it is ok; this is ok"),
        ({"status": Status.TIMEOUT}, "has samples if and only if it is ok; this is timeout"),
        ({"build_seconds": -1.0}, "build_seconds of a measurement must be 0 or more, not -1.0"),
        ({"load": 0.0}, "load of a measurement must be positive, not 0.0"),
        ({"started": "yesterday"}, "ISO 8601 time with its zone, not 'yesterday'"),
        ({"started": "2026-11-24T02:57:26"}, "ISO 8601 time with its zone"),
    ],
)
def test_bad_measurements_cannot_be_made(change: dict[str, Any], text: str) -> None:
    with pytest.raises(FormatError, match=text):
        replace(GOOD, **change)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"status": "fine"}, "status of a measurement must be one of ok, build_error.*not 'fine'"),
        ({"samples": "fast"}, "samples of a measurement must be of type list, not 'fast'"),
        ({"samples": ["fast"]}, "a sample must be of type float, not 'fast'"),
        ({"samples": [True]}, "a sample must be of type float, not True"),
        ({"config": {"rows": [6]}}, r"knob 'rows' of a config must be a number.*not \[6\]"),
        ({"config": None}, "config of a measurement must be of type dict, not None"),
        ({"versions": {"numba": 68}}, "version of numba must be of type str, not 68"),
        ({"stopped_early": 1}, "stopped_early of a measurement must be of type bool, not 1"),
        ({"machine": None}, "machine of a measurement must be of type str, not None"),
    ],
)
def test_bad_json_names_the_field(change: dict[str, object], text: str) -> None:
    with pytest.raises(FormatError, match=text):
        Measurement.from_json(GOOD.to_json() | change)


@pytest.mark.parametrize("name", GOOD.to_json())
def test_missing_fields_are_named(name: str) -> None:
    data = GOOD.to_json()
    del data[name]
    with pytest.raises(FormatError, match=f"a measurement lacks the field '{name}'"):
        Measurement.from_json(data)


def test_whole_numbers_are_taken_for_times() -> None:
    measurement = Measurement.from_json(GOOD.to_json() | {"samples": [1, 2], "load": 1})
    assert measurement.samples == (1.0, 2.0)
    assert isinstance(measurement.load, float)


def test_the_time_is_told_in_utc() -> None:
    offset = datetime.fromisoformat(now()).utcoffset()
    assert offset is not None
    assert not offset
