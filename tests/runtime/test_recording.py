"""What is recorded of calls: counts and times by workload, from threads and forked processes, and names of kernels."""

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import autotune as at
from autotune.library import conv2d, matmul
from autotune.runtime import recording
from autotune.runtime.recording import Recording, place_of


@at.kernel
def doubled(x: at.Tensor["n"]) -> object:
    (i,) = at.axes(x)
    return at.output[i](2 * x[i])


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _interpreted: None) -> Iterator[Recording]:
    """Calls of this process are recorded, and served by the reference."""
    made = Recording(tmp_path)
    monkeypatch.setattr("autotune.runtime.dispatch.recording", lambda: made)
    doubled.refresh()
    matmul.refresh()
    yield made
    doubled.refresh()
    matmul.refresh()


def _lines(recorder: Recording) -> list[dict[str, Any]]:
    recorder.write()
    return [json.loads(line) for line in recorder.path.read_text().splitlines()]


def test_calls_are_counted_by_workload(recorder: Recording) -> None:
    small, large = np.ones(3, np.float32), np.ones(7, np.float64)
    for argument in (small, large, small):
        np.testing.assert_array_equal(doubled(argument), 2 * argument)
    lines = _lines(recorder)
    assert [(line["size"], line["dtype"], line["calls"]) for line in lines] == [
        ({"n": 3}, "float32", 2),
        ({"n": 7}, "float64", 1),
    ]
    assert all(line["direction"] == "forward" and line["threads"] == 1 and line["seconds"] > 0 for line in lines)


def test_gradients_are_lines_of_their_own(recorder: Recording) -> None:
    a, b = np.ones((3, 4), np.float32), np.ones((4, 5), np.float32)
    c, pullback = at.vjp(matmul, a, b)
    pullback(c)
    assert [(line["kernel"], line["direction"]) for line in _lines(recorder)] == [
        ("matmul", "forward"),
        ("matmul", "vjp:a"),
        ("matmul", "vjp:b"),
    ]


def test_a_refused_argument_is_one_call(recorder: Recording) -> None:
    doubled(np.ones(8, np.float32)[::2])
    assert [line["calls"] for line in _lines(recorder)] == [1]


def test_a_call_after_a_refresh_counts_to_the_same_line(recorder: Recording) -> None:
    for _ in range(2):
        doubled(np.ones(3, np.float32))
        doubled.refresh()
    assert [line["calls"] for line in _lines(recorder)] == [2]


def test_threads_lose_no_call(recorder: Recording) -> None:
    argument = np.ones(3, np.float32)
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(lambda _: [doubled(argument) for _ in range(50)], range(8)))
    assert [line["calls"] for line in _lines(recorder)] == [400]


def test_an_empty_array_is_nothing_to_tune(recorder: Recording) -> None:
    doubled(np.ones(0, np.float32))
    assert _lines(recorder) == []


def test_what_is_new_is_written_while_the_program_runs(recorder: Recording) -> None:
    doubled(np.ones(3, np.float32))
    assert json.loads(recorder.path.read_text())["calls"] == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:.*fork:RuntimeWarning")
def test_a_forked_process_counts_its_own_calls(recorder: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: list[Any] = []
    monkeypatch.setattr(os, "register_at_fork", lambda *, after_in_child: hooks.append(after_in_child))
    recorder.watch()
    doubled(np.ones(3, np.float32))
    before = recorder.path
    hooks[0]()  # as os.fork does in the child
    assert recorder.path != before
    doubled(np.ones(3, np.float32))
    assert [line["calls"] for line in _lines(recorder)] == [1]
    assert json.loads(before.read_text())["calls"] == 1


def test_a_folder_that_is_gone_ends_no_program(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Recording(tmp_path / "gone").write()
    assert "calls are not recorded" in caplog.text


def test_nothing_is_recorded_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOTUNE_RECORD", raising=False)
    recording.recording.cache_clear()
    assert recording.recording() is None
    recording.recording.cache_clear()


def test_names_are_those_that_commands_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert place_of(matmul) == "matmul"
    assert place_of(conv2d.specialized(stride=2)) == "conv2d"
    assert place_of(doubled) == f"{__name__}:doubled"
    module = ModuleType("a_script")
    module.__file__ = str(tmp_path / "a_script.py")
    module.other = at.kernel(_in(module, "here"))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_script", module)
    assert place_of(module.other) == f"{tmp_path / 'a_script.py'}:other"
    assert place_of(at.kernel(_in(module, "nowhere"))) is None


def _in(module: ModuleType, name: str) -> Any:
    def function(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return at.output[i](3 * x[i])

    function.__module__, function.__name__ = module.__name__, name
    return function
