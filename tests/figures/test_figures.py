"""Figures show what they are given: every value once, in one unit, and no text as markup."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autotune import figures
from autotune.database.views import Curve, Point, Prediction, Sample, Step, Tuned
from autotune.database.workload_key import WorkloadKey
from autotune.figures.theme import empty
from autotune.figures.times import Unit

EVIL = "<b>bold</b> & <a href='javascript:alert(1)'>link</a>"
ESCAPED = "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;a href='javascript:alert(1)'&gt;link&lt;/a&gt;"
BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)


def tuned(**changed: Any) -> Tuned:
    parts = {
        "kernel": "matmul",
        "definition": "d",
        "direction": "forward",
        "extents": {"m": 8},
        "dtype": "float32",
        "threads": 1,
    }
    key = WorkloadKey(**{name: changed.pop(name, value) for name, value in parts.items()})
    example: dict[str, Any] = {
        "workload_id": 1, "machine_id": 1, "key": key, "machine": "0123456789ab", "cpu": "Example 9",
        "counts": {"ok": 20, "crash": 3}, "best_seconds": 1e-3, "first": "", "last": "", "seconds": 1e-3,
        "default_seconds": 2e-3, "ratio_low": 1.9, "ratio_high": 2.1, "proven": "2026-01-31T12:00:00+00:00",
    }  # fmt: skip
    return Tuned(**(example | changed))


def curve(name: str = "") -> Curve:
    steps = (Step(1, BEGIN, 4e-3), Step(3, BEGIN + timedelta(minutes=2), 2e-3))
    points = (
        Point(1, 1, BEGIN, "ok", 4e-3),
        Point(2, 2, BEGIN, "crash", None),
        Point(3, 3, steps[1].started, "ok", 2e-3),
    )
    return Curve(name, steps, points, 5, BEGIN, BEGIN + timedelta(minutes=4))


def texts(figure: Any) -> str:
    return str(figure.to_dict())


def test_rows_say_what_they_are_about_above_them() -> None:
    written, points = figures.gains([tuned(kernel="a" * 80)]).data
    assert written.y == points.y == (f"{'a' * 80} forward m=8 float32 1 thread",)
    name, _, sizes = written.text[0].partition("<br>")
    assert name == f"{'a' * 55}…"
    assert "m=8 float32 1 thread" in sizes


@pytest.mark.parametrize(("over", "places"), [("trials", [1, 3, 5]), ("time", [0, 2, 4])])
def test_the_best_so_far_goes_down_in_steps(over: Any, places: list[float]) -> None:
    figure = figures.best_so_far([curve()], figures.Lines(8e-3, {"numpy": 6e-3}, 1e-3), over=over)
    steps = next(trace for trace in figure.data if trace.line.shape == "hv")
    assert (list(steps.x), list(steps.y)) == (places, [4.0, 2.0, 2.0])
    assert figure.layout.yaxis.title.text == "time per call, ms"
    assert sorted(shape.y0 for shape in figure.layout.shapes) == [1.0, 6.0, 8.0]
    assert {"default 8.00 ms", "numpy 6.00 ms", "roofline 1.00 ms", "best so far 2.00 ms"} == {
        trace.name for trace in figure.data if trace.name
    }


def test_the_knob_that_matters_is_the_most_important() -> None:
    rng = random.Random(3)
    samples = []
    for number in range(120):
        config = {
            "rows": rng.choice((2, 4, 8)),
            "unroll": rng.choice((1, 2)),
            "order": rng.choice(("ij", "ji")),
            "same": 1,
        }
        samples.append(Sample(number, config, 1e-3 * int(config["rows"]) * rng.uniform(1, 1.05)))
    found = figures.importances(samples)
    assert next(iter(found)) == "rows"
    assert found["rows"] > 0.9
    assert sum(found.values()) == pytest.approx(1)
    assert "same" not in found
    assert figures.importances(samples[:5]) == {}
    figure = figures.parallel_coordinates(samples)
    *knobs, time = figure.data[0].dimensions
    assert [knob.label for knob in knobs] == ["rows", "unroll", "order"]
    assert list(knobs[0].ticktext) == ["2", "4", "8"]
    assert len(time["values"]) == len(samples)


def test_gains_carry_their_interval() -> None:
    _, bars = figures.gains([tuned(), tuned(seconds=None, default_seconds=None)]).data
    assert list(bars.x) == [2.0]
    assert (bars.error_x.array[0], bars.error_x.arrayminus[0]) == (pytest.approx(0.1), pytest.approx(0.1))


def test_directions_share_a_line_and_machines_do_not_mix() -> None:
    entries = [tuned(), tuned(direction="vjp:a", seconds=3e-3), tuned(extents={"m": 9}), tuned(machine="b" * 12)]
    figure = figures.directions(entries)
    points = {(trace.name, x, y) for trace in figure.data if trace.name for x, y in zip(trace.x, trace.y, strict=True)}
    line = "matmul m=8 float32 1 thread on 0123456789ab"
    assert points == {("forward", 1.0, line), ("vjp:a", 3.0, line)}
    figure = figures.machines(entries)
    assert {trace.name for trace in figure.data if trace.name} == {
        "Example 9 (0123456789ab)",
        f"Example 9 ({'b' * 12})",
    }


def test_failures_are_counted_by_kind() -> None:
    figure = figures.failures([tuned(), tuned(kernel="softmax", counts={"timeout": 5}), tuned(counts={"ok": 9})])
    assert {(trace.name, tuple(trace.x)) for trace in figure.data if trace.name} == {
        ("crash", (3, 0)),
        ("timeout", (0, 5)),
    }


def test_predictions_are_coloured_by_batch() -> None:
    figure = figures.predicted([Prediction(8, 1, 2e-3, 3e-3), Prediction(16, 2, 2e-3, 2e-3)])
    points = figure.data[-1]
    assert (list(points.x), list(points.y), list(points.marker.color)) == ([2.0, 2.0], [3.0, 2.0], [2, 3])


def test_names_are_text() -> None:
    evil = tuned(kernel=EVIL, cpu=EVIL, counts={"crash": 1})
    other = tuned(kernel=EVIL, cpu=EVIL, direction="vjp:a", machine="b" * 12)
    samples = [
        Sample(number, {EVIL: number % 3, "order": EVIL if number % 2 else "a"}, 1.0 + number % 3)
        for number in range(20)
    ]
    row = {
        "kernel": EVIL,
        "direction": EVIL,
        "size": {EVIL: 1},
        "ms": 1.0,
        "roofline": 0.5,
        "ratio": 2.0,
        "bound": "memory",
        "threads": 1,
        "peers": {EVIL: 2.0},
    }
    made = [
        figures.gains([evil]), figures.failures([evil]),
        figures.machines([evil, tuned(kernel=EVIL, machine="b" * 12)]),
        figures.directions([evil, tuned(kernel=EVIL, direction="vjp:a"), other]),
        figures.best_so_far([curve(EVIL)], figures.Lines(peers={EVIL: 1.0})), figures.importance(samples),
        figures.parallel_coordinates(samples), figures.against_peers([row]),
    ]  # fmt: skip
    for figure in made:
        assert empty(figure) is None
        assert "<b>" not in texts(figure)
        assert "<a " not in texts(figure)
        assert ESCAPED.split(" ", 1)[0] in texts(figure)


@pytest.mark.parametrize(
    "figure",
    [
        figures.best_so_far([]), figures.predicted([]), figures.importance([]), figures.parallel_coordinates([]),
        figures.gains([]), figures.directions([tuned()]), figures.machines([tuned()]), figures.failures([]),
        figures.against_peers([]),
    ],
)  # fmt: skip
def test_nothing_to_see_is_said(figure: Any) -> None:
    assert empty(figure)


@pytest.mark.parametrize(("seconds", "name", "value"), [(2.0, "s", 2.0), (3e-5, "µs", 30.0), (4e-10, "ns", 0.4)])
def test_a_figure_has_one_unit(seconds: float, name: str, value: float) -> None:
    unit = Unit.of([seconds, 100 * seconds])
    assert unit.name == name
    assert unit(seconds) == pytest.approx(value)
