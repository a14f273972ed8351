"""How a tuning run shows itself."""

import io
import math
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from autotune.cli import progress
from autotune.library import embedding
from autotune.measure import Measurement, Status
from autotune.schedule import Workload
from autotune.search import BatchProposed, Finished, MachineLoaded, Progress, Proving, Started, TrialFinished

PEAK = 100e9


@pytest.fixture
def at(workload: Workload) -> Callable[..., Progress]:
    """Makes a state of a run: 24 of 64 trials after 12 s, the best at half the peak; arguments replace its fields."""

    def make(**fields: Any) -> Progress:
        state: dict[str, Any] = {
            "workload": workload,
            "trials": 64,
            "done": 24,
            "earlier": 0,
            "best": workload.flops / 50e9,
            "failures": {},
            "elapsed": 12.0,
            "left": 20.0,
        }
        return Progress(**(state | fields))

    return make


@pytest.fixture
def trial(workload: Workload) -> Measurement:
    return Measurement(
        workload=workload.key,
        config={},
        status=Status.OK,
        samples=(1e-6,),
        source="",
        machine="",
        versions={},
        started="2026-01-31T12:00:00+00:00",
    )


def shown(event: Any, *, width: int = 80, **more: Any) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(progress.lines(event, PEAK, **more))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_live_lines(at: Callable[..., Progress], trial: Measurement, width: int) -> None:
    failures = {Status.TIMEOUT: 2, Status.CRASH: 1}
    text = shown(TrialFinished(at(failures=failures), trial), width=width, part="(2 of 3)")
    for part in (
        "(2 of 3)",
        "24/64",
        "2.0 trials/s",
        "20 s left",
        "50.0 GFLOP/s, 50.0 % of peak",
        "2 timeout, 1 crash",
    ):
        assert part in text
    assert len(text.splitlines()) == 5
    assert all(len(line) <= width for line in text.splitlines())


def test_the_time_left_goes_on_between_events(at: Callable[..., Progress]) -> None:
    assert "13 s left" in shown(BatchProposed(at(), 8), since=7.0)
    assert "0 s left" in shown(BatchProposed(at(), 8), since=100.0)


def test_nothing_measured_yet(at: Callable[..., Progress]) -> None:
    text = shown(Started(at(done=0, best=math.inf, left=None, elapsed=0.0)))
    assert "nothing measured yet" in text
    assert "left" not in text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda state: BatchProposed(state, 8), "building 8 candidates"),
        (lambda state: MachineLoaded(state, 0.75, 3), "takes up to 25.0 % of the machine; measuring 3 again"),
        (lambda state: MachineLoaded(state, 0.75, 0), "takes up to 25.0 % of the machine"),
        (lambda state: Proving(state, 3), "proving the best of 3"),
        (lambda state: Finished(state, None), "finished"),
    ],
)
def test_what_is_going_on(make: Callable[[Progress], Any], words: str, at: Callable[..., Progress]) -> None:
    assert words in shown(make(at()))


class TestPlainLines:
    @pytest.fixture
    def out(self) -> Console:
        return Console(file=io.StringIO(), width=160, highlight=False)

    def said(self, out: Console) -> list[str]:
        assert isinstance(out.file, io.StringIO)
        return out.file.getvalue().splitlines()

    def test_start_and_end(self, out: Console, at: Callable[..., Progress], workload: Workload) -> None:
        with progress.PlainLines(out, PEAK, "(1 of 2)") as report:
            report(Started(at(done=10, earlier=10)))
            report(BatchProposed(at(), 8))
            report(Finished(at(done=64, failures={Status.CRASH: 1}), None))
        assert self.said(out) == [
            f"{workload.describe()}: 64 trials, 10 of them known from earlier runs (1 of 2)",
            "  matmul forward: 64 trials in 12 s, 50.0 GFLOP/s, 50.0 % of peak, 2.46 µs, failed: 1 crash",
        ]

    def test_the_end_says_how_much_of_the_time_was_the_search_s_own(
        self, out: Console, at: Callable[..., Progress]
    ) -> None:
        with progress.PlainLines(out, PEAK, "") as report:
            report(Finished(at(done=64, thinking=0.6), None))
        assert "64 trials in 12 s (5.0 % of it the search's own), 50.0 GFLOP/s" in self.said(out)[0]

    def test_one_trial_of_a_kernel_that_only_moves_data(self, out: Console, at: Callable[..., Progress]) -> None:
        rows = embedding.workload("forward", {"v": 10, "d": 4, "t": 7}, threads=1)
        with progress.PlainLines(out, PEAK, "") as report:
            report(Started(at(workload=rows, trials=1, done=0, best=math.inf)))
            report(Finished(at(workload=rows, trials=1, done=1, best=2e-6), None))
        assert self.said(out) == [f"{rows.describe()}: 1 trial", "  embedding forward: 1 trial in 12 s, 2.00 µs"]

    def test_a_line_every_few_seconds(self, out: Console, at: Callable[..., Progress], trial: Measurement) -> None:
        times = iter([0.0, 2.0, 6.0, 6.0, 7.0])
        with progress.PlainLines(out, PEAK, "", every=5.0, clock=lambda: next(times)) as report:
            for done in (1, 2, 3):
                report(TrialFinished(at(done=done), trial))
        assert self.said(out) == ["  2/64 trials, 50.0 GFLOP/s, 50.0 % of peak, 2.46 µs, 0.2 trials/s, 20 s left"]


def test_a_terminal_keeps_one_line_of_a_run(at: Callable[..., Progress], workload: Workload) -> None:
    out = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    report = progress.display(out, workload, PEAK, "")
    assert isinstance(report, progress.LiveLines)
    with report:
        report(Started(at()))
        report(Finished(at(done=64), None))
    assert isinstance(out.file, io.StringIO)
    assert "matmul forward: 64 trials in 12 s, 50.0 GFLOP/s" in out.file.getvalue().splitlines()[-1]
