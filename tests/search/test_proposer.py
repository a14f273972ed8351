"""Proposals: distinct, repeatable, and better than chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from autotune.schedule import Config, Knob, Space
from autotune.search import History, Proposer
from tests.search.conftest import BEST, DEFAULT, SPACE, seconds_of

EMPTY = SPACE.indices([])


def _search(proposer: Proposer, space: Space, trials: int, table: object = seconds_of, batch: int = 8) -> list[Config]:
    """The configs proposed when each is measured, in order."""
    found: list[Config] = []
    while len(found) < trials:
        seconds = np.array([table(config) for config in found])  # type: ignore[operator]
        history = History(space.indices(found), seconds, space.indices([]))
        proposed = proposer.propose(history, min(batch, trials - len(found)))
        if not proposed:
            break
        found += proposed
    return found


def _key(config: Config) -> tuple[tuple[str, object], ...]:
    return tuple(config.items())


def test_the_first_batch_begins_with_the_default_and_is_spread() -> None:
    first = Proposer(SPACE, default=DEFAULT).propose(History(EMPTY, np.zeros(0), EMPTY), 8)
    assert first[0] == DEFAULT
    assert all(len({config[knob] for config in first}) > 1 for knob in DEFAULT)


def test_no_config_is_proposed_twice_and_all_are_valid() -> None:
    found = _search(Proposer(SPACE, default=DEFAULT), SPACE, 64)
    assert len(set(map(_key, found))) == 64
    assert all(SPACE.contains(config) for config in found)


def test_the_same_seed_and_measurements_give_the_same_proposals() -> None:
    runs = [_search(Proposer(SPACE, default=DEFAULT, seed=seed), SPACE, 32) for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]


def test_a_search_that_is_continued_by_another_proposer_goes_on_as_it_would_have() -> None:
    whole = _search(Proposer(SPACE, default=DEFAULT), SPACE, 32)
    begun = whole[:16]
    history = History(SPACE.indices(begun), np.array([seconds_of(config) for config in begun]), EMPTY)
    assert Proposer(SPACE, default=DEFAULT).propose(history, 8) == whole[16:24]


def test_a_search_finds_the_best_sooner_than_chance() -> None:
    """Of 612 configs; chance has seen a quarter of them after 160 draws, and the best with probability 0.1 after 64."""
    for seed in range(3):
        found = _search(Proposer(SPACE, default=DEFAULT, seed=seed), SPACE, 64)
        assert BEST in found


def test_features_help_where_they_tell_the_time() -> None:
    def describe(configs: object) -> NDArray[np.float64]:
        return np.array([[np.log(_rugged(config))] for config in configs])  # type: ignore[attr-defined]

    best = [
        min(map(_rugged, _search(Proposer(SPACE, default=DEFAULT, describe=features), SPACE, 24, _rugged)))
        for features in (describe, None)
    ]
    assert best[0] < best[1]


def _rugged(config: Config) -> float:
    """A time that no knob tells by itself."""
    key = sum(ord(letter) * (3 + place) ** 2 for place, letter in enumerate(repr(_key(config))))
    return 1e-3 * (1 + key % 997)


def test_pending_configs_are_not_proposed_again() -> None:
    proposer = Proposer(SPACE, default=DEFAULT)
    measured = SPACE.draw(np.random.default_rng(0), 10)
    seconds = np.array([seconds_of(config) for config in SPACE.configs(measured)])
    first = proposer.propose(History(measured, seconds, EMPTY), 8)
    second = proposer.propose(History(measured, seconds, SPACE.indices(first)), 8)
    assert not set(map(_key, first)) & set(map(_key, second))


@pytest.mark.parametrize("batch", [1, 3, 8, 100])
def test_a_small_space_is_exhausted_and_then_nothing_is_proposed(batch: int) -> None:
    space = Space((Knob("a", (1, 2, 3)), Knob("b", (False, True), ordered=False)))
    found = _search(Proposer(space), space, 100, lambda config: float(config["a"]), batch)
    assert len(set(map(_key, found))) == len(found) == 6


def test_a_space_of_one_config_is_proposed_once() -> None:
    space = Space((Knob("a", (1,)),))
    assert _search(Proposer(space, default={"a": 1}), space, 5, lambda _: 1.0) == [{"a": 1}]


@pytest.mark.parametrize("seconds", [1.0, np.inf])
def test_equal_times_and_failures_only_leave_the_search_spread(seconds: float) -> None:
    found = _search(Proposer(SPACE, default=DEFAULT), SPACE, 40, lambda _: seconds)
    assert len(set(map(_key, found))) == 40


def test_a_large_space_is_searched() -> None:
    space = Space(tuple(Knob(f"k{index}", tuple(range(8))) for index in range(10)))

    def table(config: Config) -> float:
        return 1.0 + sum((float(value) - 5) ** 2 for value in config.values())

    found = _search(Proposer(space, default=dict.fromkeys((knob.name for knob in space.knobs), 0)), space, 64, table)
    chance = [table(config) for config in space.sample(np.random.default_rng(0), 64)]
    assert min(map(table, found)) < 0.5 * min(chance)
    assert len(set(map(_key, found))) == 64
