"""Whole runs by replay: budgets, resumption, failures, loaded machines, interruption."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from autotune.database import Database
from autotune.errors import ConfigError, DatabaseError, UsageError
from autotune.measure import Measurement, Status
from autotune.schedule import Config, Knob, Space
from autotune.search import (
    BatchProposed,
    Duel,
    Event,
    Finished,
    MachineLoaded,
    Proving,
    Started,
    Task,
    TrialFinished,
    run,
)
from autotune.search.studies import study_name
from autotune.search.tune import Run
from tests.search.conftest import (
    BEST,
    DEFAULT,
    MACHINE,
    SPACE,
    WORKLOAD,
    Replay,
    measurement_of,
    seconds_of,
)

ROOT = Path(__file__).parents[2]


def _task(trials: int = 24, **changes: object) -> Task:
    task = Task(workload=WORKLOAD, machine=MACHINE, space=SPACE, default=DEFAULT, trials=trials)
    return replace(task, **changes)  # type: ignore[arg-type]


def _stored(database: Database) -> list[Measurement]:
    return list(database.measurements(WORKLOAD.key, MACHINE.fingerprint))


def _study(database: Database, space: Space = SPACE) -> optuna.Study:
    return optuna.load_study(study_name=study_name(WORKLOAD, MACHINE, space), storage=database.url)


def _configs(measurements: Sequence[Measurement]) -> list[str]:
    return [repr(dict(measurement.config)) for measurement in measurements]


def test_a_run_measures_stores_and_proves(database: Database) -> None:
    laboratory = Replay()
    outcome = run(_task(48), laboratory, database)
    assert len(laboratory.measured) == len(_stored(database)) == 48
    assert laboratory.measured[0] == DEFAULT
    assert outcome.winner == database.winner(WORKLOAD.key, MACHINE.fingerprint)
    assert outcome.winner is not None
    assert outcome.winner.config == BEST
    assert outcome.replaced
    assert not outcome.interrupted
    assert outcome.progress.best == seconds_of(BEST)
    assert outcome.gflops == pytest.approx(WORKLOAD.flops / seconds_of(BEST) / 1e9, rel=0.02)


def test_the_study_holds_every_trial_with_its_value(database: Database) -> None:
    run(_task(), Replay(), database)
    trials = _study(database).get_trials()
    assert len(trials) == 24
    assert all(trial.value == seconds_of(trial.params) for trial in trials)


def test_the_same_seed_gives_the_same_run(database: Database, tmp_path: Path) -> None:
    first, second = Replay(), Replay()
    run(_task(), first, database)
    with Database.open(tmp_path / "other.db") as other:
        run(_task(), second, other)
    assert first.measured == second.measured


def test_a_second_run_continues_where_the_first_ended(database: Database, tmp_path: Path) -> None:
    first, second, whole = Replay(), Replay(), Replay()
    run(_task(16), first, database)
    outcome = run(_task(32), second, database)
    with Database.open(tmp_path / "whole.db") as other:
        run(_task(32), whole, other)
    assert first.measured + second.measured == whole.measured
    assert outcome.progress.earlier == 16
    assert outcome.progress.done == 32


def test_a_run_with_nothing_left_to_do_measures_nothing(database: Database) -> None:
    before = run(_task(), Replay(), database)
    laboratory = Replay()
    after = run(_task(), laboratory, database)
    assert laboratory.measured == []
    assert after.winner == before.winner
    assert not after.replaced


def test_measurements_of_other_machines_workloads_and_versions_do_not_count(database: Database) -> None:
    elsewhere = replace(MACHINE, cpu="Other")
    other = measurement_of(DEFAULT, 1e-9, machine=elsewhere.fingerprint)
    database.add_measurement(other, elsewhere)
    database.add_measurement(measurement_of(BEST, 1e-9, versions={"autotune": "0"}), MACHINE)
    laboratory = Replay()
    outcome = run(_task(8), laboratory, database)
    assert outcome.progress.earlier == 0
    assert outcome.progress.best > 1e-4
    assert len(laboratory.measured) == 8


def test_imported_measurements_become_trials(database: Database) -> None:
    configs = SPACE.sample(np.random.default_rng(0), 12)
    for config in configs:
        seconds = seconds_of(config) if config["rows"] != 3 else np.inf
        database.add_measurement(measurement_of(config, seconds), MACHINE)
    laboratory = Replay()
    run(_task(20), laboratory, database)
    assert len(laboratory.measured) == 8
    assert not set(map(repr, configs)) & set(map(repr, laboratory.measured))
    assert len(_study(database).trials) == 20


def test_an_exhausted_space_ends_the_run(database: Database) -> None:
    space = Space((Knob("a", (1, 2, 3)), Knob("b", (False, True), ordered=False)))
    task = _task(100, space=space, default={"a": 2, "b": True})
    outcome = run(task, Replay(table=lambda config: float(config["a"])), database)
    assert outcome.exhausted
    assert outcome.progress.done == 6
    assert outcome.winner is not None
    assert outcome.winner.config["a"] == 1


def test_a_space_of_one_config_is_measured_once(database: Database) -> None:
    space = Space((Knob("a", (1,)),))
    laboratory = Replay(table=lambda _: 1.0)
    outcome = run(_task(9, space=space, default={"a": 1}), laboratory, database)
    assert laboratory.measured == [{"a": 1}]
    assert outcome.winner is not None


def test_a_space_without_knobs_is_one_config(database: Database) -> None:
    laboratory = Replay(table=lambda _: 1.0)
    events: list[Event] = []
    outcome = run(_task(9, space=Space(()), default={}), laboratory, database, report=events.append)
    assert laboratory.measured == [{}]
    assert outcome.exhausted
    assert (outcome.progress.done, outcome.progress.trials) == (1, 1)
    assert outcome.winner is not None
    assert outcome.winner.config == {}
    assert [type(event) for event in events] == [Started, BatchProposed, TrialFinished, Proving, Finished]
    again = run(_task(9, space=Space(()), default={}), laboratory, database)
    assert laboratory.measured == [{}]
    assert again.winner == outcome.winner


def test_failures_are_counted_and_nothing_is_proven_where_all_fail(database: Database) -> None:
    outcome = run(_task(16), Replay(table=lambda _: np.inf), database)
    assert outcome.progress.failures == {Status.WRONG_RESULT: 16}
    assert outcome.winner is None
    assert outcome.error == "wrong"
    trials = _study(database).get_trials()
    assert {trial.state for trial in trials} == {optuna.trial.TrialState.FAIL}
    assert {trial.user_attrs["status"] for trial in trials} == {"wrong_result"}


def test_equal_times_leave_the_default_as_winner(database: Database) -> None:
    outcome = run(_task(16), Replay(table=lambda _: 1e-3), database)
    assert outcome.winner is not None
    assert outcome.winner.config == DEFAULT


def test_what_is_measured_on_a_loaded_machine_is_measured_again(database: Database) -> None:
    """The second and third of the first batch: both records stay, the quiet one counts."""
    laboratory = Replay(loads=(1.0, 0.6, 0.7, 1.0))
    events: list[Event] = []
    run(_task(8), laboratory, database, report=events.append)
    assert len(laboratory.measured) == 10
    assert laboratory.measured[1:3] == laboratory.measured[8:]
    assert [measurement.load for measurement in _stored(database)] == [1.0, 0.6, 0.7, *[1.0] * 7]
    assert laboratory.settled == 1
    (loaded,) = (event for event in events if isinstance(event, MachineLoaded))
    assert (loaded.load, loaded.again) == (0.6, 2)
    assert all(trial.value == seconds_of(trial.params) for trial in _study(database).get_trials())


def test_a_machine_that_stays_loaded_does_not_stop_the_run(database: Database) -> None:
    laboratory = Replay(loads=(1.0, 0.6))
    outcome = run(_task(16), laboratory, database)
    assert outcome.progress.done == 16
    assert len(laboratory.measured) <= 3 * 16 + 4
    marked = [trial for trial in _study(database).get_trials() if "load" in trial.user_attrs]
    assert len(marked) == 15  # all but the first, which was measured on a quiet machine
    assert [trial.value for trial in marked] == pytest.approx([seconds_of(trial.params) / 0.6 for trial in marked])


def test_a_load_that_did_not_slow_a_config_does_not_make_it_fast(database: Database) -> None:
    """What runs beside may have gone before the timing began: no time is less than it was measured."""

    @dataclass
    class Spared(Replay):
        def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
            for measurement in super().measure(configs, best=best):
                seconds = seconds_of(dict(measurement.config))
                yield replace(measurement, samples=(seconds,))

    outcome = run(_task(32), Spared(loads=(1.0, 1.0, 0.5)), database)
    trials = _study(database).get_trials()
    assert [trial.value for trial in trials] == [seconds_of(trial.params) for trial in trials]
    assert outcome.winner is not None
    assert seconds_of(outcome.winner.config) == min(trial.value for trial in trials if trial.value is not None)


def test_what_only_looked_slow_on_a_loaded_machine_is_measured_again_before_the_proof(database: Database) -> None:
    configs = [config for config in SPACE.sample(np.random.default_rng(0), 12) if config != BEST]
    for config in configs:
        database.add_measurement(measurement_of(config, seconds_of(config)), MACHINE)
    database.add_measurement(measurement_of(BEST, 3 * seconds_of(BEST), load=0.3), MACHINE)
    laboratory = Replay()
    outcome = run(_task(len(configs) + 1), laboratory, database)
    assert laboratory.measured == [BEST]
    assert outcome.winner is not None
    assert outcome.winner.config == BEST


def test_events_tell_the_run_in_order(database: Database) -> None:
    events: list[Event] = []
    run(_task(16), Replay(), database, report=events.append)
    kinds = [type(event) for event in events]
    batch = [BatchProposed, *[TrialFinished] * 8]
    assert kinds == [Started, *batch, *batch, Proving, Finished]
    done = [event.progress.done for event in events if isinstance(event, TrialFinished)]
    assert done == list(range(1, 17))
    best = [event.progress.best for event in events]
    assert best == sorted(best, reverse=True)
    assert events[1].progress.left is None
    assert events[-1].progress.left == 0


def test_a_time_budget_ends_the_run(database: Database) -> None:
    outcome = run(_task(10_000, seconds=1e-6), Replay(), database)
    assert outcome.progress.done == 1
    assert outcome.winner is not None


def test_what_waits_to_be_measured_again_counts_when_time_is_up(database: Database) -> None:
    """Five of a batch are measured, all but the first on a loaded machine."""
    laboratory = Replay(loads=(1.0, 0.6))
    begun = Run(
        task=_task(),
        laboratory=laboratory,
        database=database,
        report=lambda _: None,
        allowance=lambda: 100.0 if len(laboratory.measured) < 5 else 0.0,
    )
    begun.search()
    assert begun.progress().done == len(_stored(database)) == 5
    assert sum(trial.state is optuna.trial.TrialState.COMPLETE for trial in _study(database).trials) == 5


@dataclass
class Interrupting(Replay):
    """Presses Ctrl-C before one of the measurements, or in the comparison."""

    after: int | None = None
    in_comparison: bool = False

    def measure(self, configs: Sequence[Config], *, best: float) -> Iterator[Measurement]:
        for measurement in super().measure(configs, best=best):
            if len(self.measured) - 1 == self.after:
                raise KeyboardInterrupt
            yield measurement

    def compare(self, configs: Sequence[Config], *, seconds: float) -> Duel:
        if self.in_comparison:
            raise KeyboardInterrupt
        return super().compare(configs, seconds=seconds)


def test_an_interrupted_run_proves_what_it_has_and_can_be_continued(database: Database) -> None:
    outcome = run(_task(), Interrupting(after=11), database)
    assert outcome.interrupted
    assert outcome.progress.done == 11
    assert outcome.winner is not None
    assert not [trial for trial in _study(database).get_trials() if not trial.state.is_finished()]
    rest = Replay()
    outcome = run(_task(), rest, database)
    assert len(rest.measured) == 13
    assert not outcome.interrupted
    assert len(set(_configs(_stored(database)))) == 24


def test_interrupting_the_proof_keeps_the_measurements(database: Database) -> None:
    outcome = run(_task(), Interrupting(in_comparison=True), database)
    assert outcome.interrupted
    assert outcome.winner is None
    assert len(_stored(database)) == 24


def test_a_killed_run_is_resumed_without_repeating_a_measurement(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from autotune.database import Database\n"
        "from autotune.search import TrialFinished, run\n"
        "from tests.search.conftest import Replay\n"
        "from tests.search.test_tune import _task\n"
        "def die(event):\n"
        "    if isinstance(event, TrialFinished) and event.progress.done == 13:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "with Database.open(sys.argv[1]) as database:\n"
        "    run(_task(), Replay(), database, report=die)\n"
    )
    path = tmp_path / "tuning.db"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    with Database.open(path) as database:
        assert len(_stored(database)) == 13
        assert [trial for trial in _study(database).get_trials() if not trial.state.is_finished()]
        laboratory = Replay()
        outcome = run(_task(), laboratory, database)
        assert outcome.progress.earlier == 13
        assert len(laboratory.measured) == 11
        assert len(set(_configs(_stored(database)))) == 24
        trials = _study(database).get_trials()
        assert sum(trial.state is optuna.trial.TrialState.COMPLETE for trial in trials) == 24
        assert all(trial.state.is_finished() for trial in trials)


def test_a_measurement_that_was_stored_but_not_told_is_told_on_resumption(database: Database) -> None:
    run(_task(8), Replay(), database)
    study = _study(database)
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    study.enqueue_trial(BEST)
    trial = study.ask()
    from autotune.search.sampler import distributions

    assert {name: trial._suggest(name, each) for name, each in distributions(SPACE).items()} == BEST
    database.add_measurement(measurement_of(BEST, seconds_of(BEST)), MACHINE)
    outcome = run(_task(16), Replay(), database)
    assert outcome.progress.earlier == 9
    assert _study(database).trials[8].value == seconds_of(BEST)


def test_a_database_that_breaks_is_reported_and_what_was_stored_stays(database: Database) -> None:
    def lock(event: Event) -> None:
        if isinstance(event, TrialFinished) and event.progress.done == 5:
            with database.engine.begin() as connection:
                connection.exec_driver_sql("DROP TABLE trial_values")

    with pytest.raises(DatabaseError, match="Optuna's study cannot be read or written"):
        run(_task(), Replay(), database, report=lock)
    assert len(_stored(database)) == 6


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        ({"trials": 0}, UsageError, "trials must be at least 1, not 0"),
        ({"batch": 0}, UsageError, "batch must be at least 1"),
        ({"seconds": 0.0}, UsageError, "more than 0 seconds"),
        ({"default": {**DEFAULT, "rows": 99}}, ConfigError, "'rows' cannot be 99"),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(
    changes: dict[str, object], error: type[Exception], expected: str
) -> None:
    with pytest.raises(error, match=expected):
        _task(**changes)  # type: ignore[arg-type]


def test_the_optuna_log_level_is_left_as_it_was(database: Database) -> None:
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        run(_task(1), Replay(), database)
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(optuna.logging.INFO)
