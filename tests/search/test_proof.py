"""Who wins: only what is faster than the incumbent beyond the noise."""

import numpy as np

from autotune.schedule import Config
from autotune.search.proof import Contest, prove
from tests.search.conftest import BEST, DEFAULT, MACHINE, WORKLOAD, Replay, seconds_of

GOOD: Config = {**BEST, "rows": 5}
NEARLY: Config = {**DEFAULT, "rows": 3}


def _contest(*challengers: Config, stored: Config | None = None) -> Contest:
    return Contest(workload=WORKLOAD, machine=MACHINE, default=DEFAULT, stored=stored, challengers=challengers)


def test_the_fastest_challenger_wins_with_its_samples_and_interval() -> None:
    verdict = prove(_contest(GOOD, BEST), Replay(), seed=0)
    assert verdict.winner is not None
    assert verdict.winner.config == BEST
    assert verdict.winner.workload == WORKLOAD.key
    assert verdict.winner.source == "1" * 64
    ratio = seconds_of(DEFAULT) / seconds_of(BEST)
    assert verdict.winner.ratio_low < ratio < verdict.winner.ratio_high
    assert len(verdict.winner.samples) == len(verdict.winner.default_samples) == 20


def test_a_win_within_the_noise_leaves_the_default() -> None:
    verdict = prove(_contest(NEARLY), Replay(table=lambda config: 1.0 - 1e-4 * (config == NEARLY)), seed=0)
    assert verdict.winner is not None
    assert verdict.winner.config == DEFAULT
    assert (verdict.winner.ratio_low, verdict.winner.ratio_high) == (1.0, 1.0)


def test_a_stored_winner_stays_unless_it_is_beaten() -> None:
    assert prove(_contest(GOOD, stored=BEST), Replay(), seed=0).winner is None
    verdict = prove(_contest(BEST, stored=GOOD), Replay(), seed=0)
    assert verdict.winner is not None
    assert verdict.winner.config == BEST


def test_a_stored_winner_that_has_become_slow_is_beaten_by_the_default() -> None:
    slow: Config = {**DEFAULT, "rows": 1}
    verdict = prove(_contest(stored=slow), Replay(), seed=0)
    assert verdict.winner is not None
    assert verdict.winner.config == DEFAULT


def test_a_challenger_that_fails_now_and_then_does_not_stop_the_next() -> None:
    verdict = prove(_contest(BEST, GOOD), Replay(fails_in_comparison=BEST), seed=0)
    assert verdict.winner is not None
    assert verdict.winner.config == GOOD


def test_without_challengers_the_default_is_stored() -> None:
    verdict = prove(_contest(DEFAULT), Replay(), seed=0)
    assert verdict.winner is not None
    assert verdict.winner.config == DEFAULT


def test_where_nothing_runs_nothing_is_proven_and_the_error_is_told() -> None:
    verdict = prove(_contest(BEST), Replay(table=lambda _: np.inf), seed=0)
    assert verdict.winner is None
    assert verdict.error == "wrong"
