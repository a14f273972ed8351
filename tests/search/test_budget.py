"""Budgets for several workloads, by replay: who gets trials, resumption, interruption, what is reported."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import optuna
import pytest

from autotune.database import Database
from autotune.errors import UsageError
from autotune.measure import Measurement
from autotune.schedule import Config, Workload
from autotune.search import Demand, Event, Finished, Task, TrialFinished, run, tune_all
from autotune.search.budget import Member, Share, share_out
from tests.search.conftest import BEST, DEFAULT, MACHINE, SPACE, WORKLOAD, Replay, seconds_of

WORKLOADS = tuple(Workload.of(WORKLOAD.kernel, {"m": size, "n": 32, "k": 16}) for size in (16, 32, 64))


@dataclass
class Other(Replay):
    """A laboratory of another workload; `log` is shared by several."""

    workload: Workload = WORKLOAD
    log: list[int] = field(default_factory=list)

    def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
        for measurement in super().measure(configs, best=best):
            self.log.append(dict(self.workload.extents)["m"])
            yield replace(measurement, workload=self.workload.key)


def _task(workload: Workload, trials: int) -> Task:
    return Task(workload=workload, machine=MACHINE, space=SPACE, default=DEFAULT, trials=trials)


def _members(
    log: list[int],
    *,
    calls: Sequence[float] = (1, 1, 1),
    trials: int = 24,
    table: Callable[[Config], float] = seconds_of,
) -> list[Member]:
    return [
        Member(
            demand=Demand(workload=workload, calls=each),
            floor=0.5e-3,
            task=partial(_task, workload, trials),
            laboratory=Other(workload=workload, log=log, table=table),
        )
        for workload, each in zip(WORKLOADS, calls, strict=False)
    ]


def _interrupting(after: int) -> Callable[[Event], None]:
    count = 0

    def report(event: Event) -> None:
        nonlocal count
        count += isinstance(event, TrialFinished)
        if count == after and isinstance(event, TrialFinished):
            raise KeyboardInterrupt

    return report


def _counts(log: list[int]) -> list[int]:
    return [log.count(dict(workload.extents)["m"]) for workload in WORKLOADS]


def test_all_workloads_are_tuned_and_proven_in_one_budget(database: Database) -> None:
    log: list[int] = []
    shares = share_out(_members(log, trials=48), database, seconds=None)
    assert _counts(log) == [48, 48, 48]
    for share in shares:
        assert (share.trials, share.batches) == (48, 6)
        assert share.outcome is not None
        assert share.outcome.winner is not None
        assert share.outcome.winner.config == BEST
        assert share.before == pytest.approx(seconds_of(DEFAULT), rel=0.02)
        assert share.after == pytest.approx(seconds_of(BEST), rel=0.02)
        assert share.gained == pytest.approx(seconds_of(DEFAULT) - seconds_of(BEST), rel=0.1)
        assert share.seconds > 0


def test_a_workload_is_tuned_as_if_it_were_alone(database: Database, tmp_path: Path) -> None:
    together, alone = _members([]), Other(workload=WORKLOADS[1])
    share_out(together, database, seconds=None)
    with Database.open(tmp_path / "other.db") as other:
        run(_task(WORKLOADS[1], 24), alone, other)
    beside = together[1].laboratory
    assert isinstance(beside, Other)
    assert beside.measured == alone.measured


def test_trials_go_to_what_is_called_often(database: Database) -> None:
    log: list[int] = []
    shares = share_out(_members(log, calls=(1e-4, 1e4, 1)), database, seconds=None, report=_interrupting(48))
    assert log[:8] == [32] * 8  # the largest stake first
    assert set(log[:24]) == {16, 32, 64}
    counts = _counts(log)
    assert counts[0] == 8
    assert counts[1] == 24
    assert [share.trials for share in shares] == counts


def test_a_budget_goes_on_where_it_stopped(database: Database) -> None:
    first: list[int] = []
    shares = share_out(_members(first), database, seconds=None, report=_interrupting(29))
    assert all(share.outcome is not None and share.outcome.interrupted for share in shares)
    assert all(share.outcome is not None and share.outcome.winner is not None for share in shares)
    names = optuna.get_all_study_names(database.url)
    assert len(names) == 3
    for name in names:
        study = optuna.load_study(study_name=name, storage=database.url)
        assert all(trial.state.is_finished() for trial in study.get_trials())
    second: list[int] = []
    shares = share_out(_members(second), database, seconds=None)
    assert [one + other for one, other in zip(_counts(first), _counts(second), strict=True)] == [24, 24, 24]
    assert not any(share.outcome is not None and share.outcome.interrupted for share in shares)
    third: list[int] = []
    shares = share_out(_members(third), database, seconds=None)
    assert third == []
    assert [(share.trials, share.gained) for share in shares] == [(0, 0.0)] * 3
    assert all(share.after == pytest.approx(seconds_of(BEST), rel=0.2) for share in shares)


def test_what_the_time_did_not_reach_received_nothing(database: Database) -> None:
    log: list[int] = []
    shares = share_out(_members(log, calls=(1, 3, 2)), database, seconds=1e-6)
    assert log == []
    assert shares == tuple(
        Share(demand=share.demand, batches=0, seconds=0.0, before=None, after=None, outcome=None) for share in shares
    )
    assert [share.trials for share in shares] == [0, 0, 0]


def test_time_ends_the_search_and_is_left_for_the_proofs(database: Database) -> None:
    events: list[Event] = []
    shares = share_out(_members([], trials=10_000), database, seconds=1.0, report=events.append)
    received = [share for share in shares if share.trials]
    assert received
    assert sum(isinstance(event, Finished) for event in events) == len(received)
    assert all(share.outcome is not None and share.outcome.winner is not None for share in received)


def test_failures_of_all_configs_end_with_no_winner(database: Database) -> None:
    (share,) = share_out(_members([], table=lambda _: float("inf"))[:1], database, seconds=None)
    assert share.outcome is not None
    assert (share.outcome.winner, share.outcome.error, share.gained) == (None, "wrong", 0.0)
    assert (share.before, share.after) == (None, None)


@pytest.mark.parametrize(("demands", "seconds"), [((), 1.0), ((Demand(workload=WORKLOAD),), None)])
def test_a_budget_of_nothing_is_refused(demands: tuple[Demand, ...], seconds: float | None, database: Database) -> None:
    with pytest.raises(UsageError, match="a budget needs workloads, and a time or a number of trials"):
        tune_all(demands, machine=MACHINE, database=database, seconds=seconds)
