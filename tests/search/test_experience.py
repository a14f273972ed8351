"""What a search learns from other workloads of a database, and that it goes on by its own measurements."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray

from autotune.cost_model import FEATURE_NAMES, Platform, features_of_batches
from autotune.database import Database
from autotune.database.workload_key import WorkloadKey
from autotune.lang import Kernel
from autotune.machine import Machine, detect, peaks
from autotune.schedule import Config, Workload
from autotune.search import History, Prior, Proposer, Task, prior_for, run
from autotune.search.studies import study_name
from autotune.search.tune import TIMES
from autotune.templates import nests_for, template_for
from tests.search.conftest import DEFAULT, MACHINE, SPACE, WORKLOAD, Replay, measurement_of

HERE = detect()
KERNEL = WORKLOAD.kernel
SHAPES = ({"m": 64, "n": 96, "k": 128}, {"m": 256, "n": 64, "k": 96}, {"m": 128, "n": 128, "k": 64})
ASKED = Workload.of(KERNEL, {"m": 160, "n": 112, "k": 100})
TOTAL = FEATURE_NAMES.index("total_seconds")


def _describe(workload: Workload, configs: Sequence[Config], machine: Machine = HERE) -> NDArray[np.float64]:
    platform = Platform.of(machine, peaks(HERE), workload.threads)
    return features_of_batches(nests_for(workload, configs, machine), len(configs), platform)


def _seconds(workload: Workload, configs: Sequence[Config], machine: Machine = HERE) -> NDArray[np.float64]:
    """A made-up time: the roofline's estimate, and a preference that only the knobs show."""
    unrolled = np.array([abs(float(config["unroll"]) - 4) for config in configs])
    return np.exp2(_describe(workload, configs, machine)[:, TOTAL]) * (1 + 0.2 * unrolled)


def _measure(database: Database, workload: Workload, machine: Machine = HERE, count: int = 60) -> None:
    configs = template_for(workload).space(workload, machine).sample(np.random.default_rng(0), count)
    times = _seconds(workload, configs, machine)
    changes = {"workload": workload.key, "machine": machine.fingerprint}
    found = [measurement_of(config, float(time), **changes) for config, time in zip(configs, times, strict=True)]
    database.add_measurements(found, machine)


def _find(key: WorkloadKey, kernel: Kernel = KERNEL) -> Workload | None:
    return Workload.of(kernel, key.extents, key.dtype, key.threads) if key.definition == kernel.digest else None


def _prior(database: Database, workload: Workload = ASKED) -> Prior | None:
    space = template_for(workload).space(workload, HERE)
    return prior_for(workload, HERE, space, database, find=_find)


def _proposer(prior: Prior | None, seed: int = 0) -> Proposer:
    template = template_for(ASKED)
    return Proposer(
        template.space(ASKED, HERE),
        default=template.default(ASKED, HERE),
        describe=lambda configs: _describe(ASKED, configs),
        prior=prior,
        seed=seed,
    )


def _search(prior: Prior | None, trials: int, seed: int = 0) -> list[Config]:
    space, proposer = template_for(ASKED).space(ASKED, HERE), _proposer(prior, seed)
    found: list[Config] = []
    while len(found) < trials:
        seconds = _seconds(ASKED, found) if found else np.zeros(0)
        found += proposer.propose(History(space.indices(found), seconds, space.indices([])), 8)
    return found


@pytest.fixture
def taught(database: Database) -> Database:
    for shape in SHAPES:
        _measure(database, Workload.of(KERNEL, shape))
    return database


def test_the_first_batch_is_what_other_shapes_have_taught_and_some_that_are_far_from_it(taught: Database) -> None:
    prior = _prior(taught)
    assert prior is not None
    first, spread = _search(prior, 8), _search(None, 8)
    assert first[0] == template_for(ASKED).default(ASKED, HERE)
    assert len({repr(config) for config in first}) == 8
    drawn = template_for(ASKED).space(ASKED, HERE).sample(np.random.default_rng(1), 2000)
    best = _seconds(ASKED, drawn).min()
    assert _seconds(ASKED, first).min() < 1.1 * best
    assert np.median(_seconds(ASKED, first)) < np.median(_seconds(ASKED, spread))


def test_the_same_database_gives_the_same_proposals(taught: Database) -> None:
    assert _search(_prior(taught), 16) == _search(_prior(taught), 16)


def test_scores_are_there_before_the_first_measurement_and_better_after_some(taught: Database) -> None:
    prior, space = _prior(taught), template_for(ASKED).space(ASKED, HERE)
    rows = space.draw(np.random.default_rng(3), 80)
    configs = space.configs(rows)
    # What only this shape is like, so that there is something left to learn.
    times = _seconds(ASKED, configs) * np.array([1.3 if config["inner"] == "rows" else 1.0 for config in configs])
    nothing = History(rows[:0], np.zeros(0), rows[:0])
    some = History(rows[:30], times[:30], rows[:0])
    before, after = (
        np.corrcoef(_proposer(prior).scores(history, rows[30:]), -np.log(times[30:]))[0, 1]
        for history in (nothing, some)
    )
    assert 0.6 < before < after, (before, after)
    assert not _proposer(None).scores(nothing, rows).any()


def test_a_prior_that_is_wrong_is_overcome(taught: Database) -> None:
    prior = _prior(taught)
    assert prior is not None
    right = prior.expect
    wrong = replace(prior, expect=lambda configs, described: -right(configs, described), proven=())
    found = _search(wrong, 48)
    drawn = template_for(ASKED).space(ASKED, HERE).sample(np.random.default_rng(1), 48)
    assert _seconds(ASKED, found).min() < _seconds(ASKED, drawn).min()


def test_without_other_workloads_loop_nests_alone_say_where_to_begin(database: Database) -> None:
    configs = template_for(ASKED).space(ASKED, HERE).sample(np.random.default_rng(1), 200)
    bounds = _describe(ASKED, configs)[:, [FEATURE_NAMES.index(f"{name}_seconds") for name in ("roofline", "total")]]
    for _ in range(2):  # its own measurements are no other workload's
        prior = _prior(database)
        assert prior is not None
        expected = -prior.expect(configs, _describe(ASKED, configs)) / np.log(2)
        assert ((bounds.min(axis=1) <= expected) & (expected <= bounds.max(axis=1))).all()
        assert not prior.proven
        _measure(database, ASKED)
    first, spread = _search(_prior(database), 8), _search(None, 8)
    assert first[0] == template_for(ASKED).default(ASKED, HERE)
    assert np.median(_seconds(ASKED, first)) < np.median(_seconds(ASKED, spread))


def test_another_machine_teaches_of_the_same_workload(database: Database) -> None:
    _measure(database, ASKED, MACHINE)
    prior = _prior(database)
    assert prior is not None
    space = template_for(ASKED).space(ASKED, HERE)
    configs = space.sample(np.random.default_rng(0), 60)
    expected = prior.expect(configs, _describe(ASKED, configs))
    assert np.corrcoef(expected, -np.log(_seconds(ASKED, configs)))[0, 1] > 0.3


def test_what_is_not_known_or_not_valid_is_left_out(taught: Database) -> None:
    unknown = WORKLOAD.key.replace(KERNEL.digest, "0" * len(KERNEL.digest))
    foreign = [measurement_of({**DEFAULT, "rows": rows}, 1e-3, workload=unknown) for rows in range(1, 9)]
    taught.add_measurements(foreign, MACHINE)
    outside = [measurement_of(config, 1e-3) for config in SPACE.sample(np.random.default_rng(0), 20)]
    taught.add_measurements(outside, MACHINE)
    assert _prior(taught) is not None


def test_a_run_says_how_much_of_it_was_spent_on_choosing(database: Database) -> None:
    task = Task(workload=WORKLOAD, machine=MACHINE, space=SPACE, default=DEFAULT, trials=16)
    progress = run(task, Replay(), database).progress
    assert 0 < progress.thinking < progress.elapsed
    study = optuna.load_study(study_name=study_name(WORKLOAD, MACHINE, SPACE), storage=database.url)
    spent = study.user_attrs[TIMES]
    assert 0 < spent["thinking"] < spent["seconds"]
