"""Optuna's samplers on a table."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from autotune.cli.bench.search.tables import Table
from autotune.schedule.space import Knob

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


def optuna_sampler(name: str) -> Callable[[Table, int, int], list[int]]:
    """A search by `tpe` or `gp`.

    These samplers know no constraints. A suggestion that the table does not hold, or that was evaluated before, is
    replaced by the nearest config that was not, and the sampler is told that one's result: nothing is wasted.
    """

    def search(table: Table, budget: int, seed: int) -> list[int]:
        import optuna

        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            return _search(table, budget, _sampler(name, seed))
        finally:
            optuna.logging.set_verbosity(verbosity)

    return search


def _search(table: Table, budget: int, sampler: "BaseSampler") -> list[int]:
    import optuna

    study = optuna.create_study(sampler=sampler)
    distributions = {knob.name: _distribution(knob) for knob in table.space.knobs}
    scaled = table.space.scale(table.rows)
    ordered = np.array([knob.ordered for knob in table.space.knobs])
    left = np.ones(len(table.rows), dtype=np.bool_)
    places: list[int] = []
    while len(places) < min(budget, len(table.rows)):
        trial = study.ask(distributions)
        row = np.array([trial.params[knob.name] for knob in table.space.knobs])
        apart = np.abs(scaled - table.space.scale(row[None, :]))
        distance = np.where(ordered, apart**2, apart != 0).sum(axis=1)
        place = int(np.argmin(np.where(left, distance, np.inf)))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        study.add_trial(_trial(table, place, distributions))
        left[place] = False
        places.append(place)
    return places


def _trial(table: Table, place: int, distributions: "dict[str, BaseDistribution]") -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial

    ok = bool(np.isfinite(table.times[place]))
    return create_trial(
        params=dict(zip(distributions, table.rows[place].tolist(), strict=True)),
        distributions=distributions,
        value=float(table.times[place]) if ok else None,
        state=TrialState.COMPLETE if ok else TrialState.FAIL,
    )


def _distribution(knob: Knob) -> "BaseDistribution":
    """A knob by the positions of its values: what lies between two values is no config."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    last = len(knob.values) - 1
    return IntDistribution(0, last) if knob.ordered else CategoricalDistribution(tuple(range(last + 1)))


def _sampler(name: str, seed: int) -> "BaseSampler":
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "gp":
            return optuna.samplers.GPSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed)
