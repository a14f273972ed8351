"""The sampler in Optuna studies of all kinds."""

import math
from pathlib import Path

import optuna
import pytest
from optuna.trial import Trial, TrialState

from autotune.errors import UsageError
from autotune.schedule import Config, Knob, Space
from autotune.search import Proposer, Sampler
from autotune.search.sampler import distributions
from tests.search.conftest import DEFAULT, SPACE, seconds_of

TINY = Space((Knob("a", (1, 2, 3)), Knob("b", (False, True), ordered=False)))


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _sampler(space: Space = SPACE, batch: int = 8, seed: int = 0) -> Sampler:
    default = DEFAULT if space is SPACE else None
    return Sampler(space, Proposer(space, default=default, seed=seed), batch=batch)


def _batches(study: optuna.Study, count: int, space: Space = SPACE) -> None:
    for _ in range(count):
        trials = [study.ask(distributions(space)) for _ in range(8)]
        for trial in trials:
            study.tell(trial, seconds_of(trial.params))


def _configs(study: optuna.Study) -> list[Config]:
    return [trial.params for trial in study.get_trials(deepcopy=False)]


def _suggest(trial: Trial) -> Config:
    return {name: trial._suggest(name, distribution) for name, distribution in distributions(SPACE).items()}


def test_asked_in_batches_it_proposes_valid_configs_once_each() -> None:
    study = optuna.create_study(sampler=_sampler())
    _batches(study, 4)
    found = _configs(study)
    assert found[0] == DEFAULT
    assert all(SPACE.contains(config) for config in found)
    assert len({repr(config) for config in found}) == 32


def test_optimize_works_and_improves() -> None:
    study = optuna.create_study(sampler=_sampler())
    study.optimize(lambda trial: seconds_of(_suggest(trial)), n_trials=40)
    assert study.best_value < seconds_of(DEFAULT)
    assert len({repr(config) for config in _configs(study)}) == 40


def test_maximizing_is_minimizing_the_opposite() -> None:
    down, up = optuna.create_study(sampler=_sampler()), optuna.create_study(sampler=_sampler(), direction="maximize")
    down.optimize(lambda trial: seconds_of(_suggest(trial)), n_trials=24)
    up.optimize(lambda trial: -seconds_of(_suggest(trial)), n_trials=24)
    assert _configs(down) == _configs(up)


def test_a_study_continued_in_another_process_goes_on_as_it_would_have(tmp_path: Path) -> None:
    whole = optuna.create_study(sampler=_sampler())
    _batches(whole, 4)
    url = f"sqlite:///{tmp_path}/study.db"
    for _ in range(2):
        study = optuna.create_study(storage=url, study_name="s", sampler=_sampler(), load_if_exists=True)
        _batches(study, 2)
    assert _configs(study) == _configs(whole)


def test_values_come_back_from_a_database_as_they_were(tmp_path: Path) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db", sampler=_sampler())
    _batches(study, 1)
    for config in _configs(study):
        SPACE.check(config)


def test_failed_and_pruned_trials_are_known_and_not_repeated() -> None:
    study = optuna.create_study(sampler=_sampler(TINY, batch=2))
    for state in (TrialState.FAIL, TrialState.PRUNED, TrialState.FAIL):
        study.tell(study.ask(distributions(TINY)), state=state)
    for _ in range(3):
        study.tell(study.ask(distributions(TINY)), math.inf)
    assert len({repr(config) for config in _configs(study)}) == 6


def test_optimize_ends_when_the_space_is_exhausted() -> None:
    study = optuna.create_study(sampler=_sampler(TINY))
    study.optimize(
        lambda trial: trial.suggest_int("a", 1, 3) + trial.suggest_categorical("b", (False, True)), n_trials=50
    )
    assert len(study.trials) == 6


def test_asking_beyond_the_last_config_is_an_error() -> None:
    study = optuna.create_study(sampler=_sampler(TINY))
    for _ in range(6):
        study.ask(distributions(TINY))
    with pytest.raises(UsageError, match="all 6 configs"):
        study.ask(distributions(TINY))


def test_an_unknown_parameter_is_an_error() -> None:
    study = optuna.create_study(sampler=_sampler(TINY))
    trial = study.ask()
    with pytest.raises(UsageError, match="'c' is no knob of the space: a, b"):
        trial.suggest_float("c", 0, 1)


def test_trials_of_other_parameters_are_ignored() -> None:
    study = optuna.create_study(sampler=_sampler(TINY))
    other = optuna.distributions.IntDistribution(0, 9)
    study.add_trial(optuna.trial.create_trial(value=1.0, params={"c": 1}, distributions={"c": other}))
    study.add_trial(optuna.trial.create_trial(value=1.0, params={"a": 7}, distributions={"a": other}))
    study.add_trial(optuna.trial.create_trial(value=1.0))
    found = [study.ask(distributions(TINY)).params for _ in range(6)]
    assert len({repr(config) for config in found}) == 6


def test_an_enqueued_config_is_taken_and_not_proposed() -> None:
    study = optuna.create_study(sampler=_sampler(TINY))
    study.enqueue_trial({"a": 2, "b": True})
    found = [study.ask(distributions(TINY)).params for _ in range(6)]
    assert found[0] == {"a": 2, "b": True}
    assert len({repr(config) for config in found}) == 6


def test_several_objectives_are_refused() -> None:
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=_sampler(TINY))
    with pytest.raises(ValueError, match="multi-objective"):
        study.ask(distributions(TINY))


def test_numbers_are_numbers_for_the_plots() -> None:
    found = distributions(SPACE)
    assert found["rows"] == optuna.distributions.IntDistribution(1, 8)
    assert found["block"] == optuna.distributions.IntDistribution(32, 512, log=True)
    assert found["scale"] == optuna.distributions.FloatDistribution(0.5, 2.0)
    assert found["order"] == optuna.distributions.CategoricalDistribution(("ijk", "ikj", "kij"))
