"""Studies and spaces that make little sense: huge, empty, failing throughout, with values that are no times."""

import math
from collections.abc import Callable, Sequence

import optuna
import pytest

from autotune.errors import AutotuneError
from autotune.schedule import Constraint, Knob, Space
from autotune.search import Sampler
from autotune.search.sampler import distributions
from tests.search.conftest import SPACE

HUGE = Space(
    tuple(Knob(f"k{number}", tuple(range(10))) for number in range(12)),
    (Constraint(("k0", "k1"), lambda k0, k1: k0 != k1, "two differ"),),
)


def _study(space: Space, values: Callable[[int], float | None], trials: int, batch: int = 4) -> Sequence[str]:
    """Configs in the order of their proposal; a value of None fails."""
    study = optuna.create_study(sampler=Sampler(space, batch=batch, seed=0))
    for number in range(trials):
        trial = study.ask(distributions(space))
        value = values(number)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)
    return [repr(sorted(trial.params.items())) for trial in study.trials]


def test_a_space_of_a_trillion_configs_is_searched_without_being_listed() -> None:
    assert HUGE.size == 9 * 10**11
    found = _study(HUGE, lambda number: 1.0 + number % 5, 24)
    assert len(set(found)) == 24


@pytest.mark.parametrize(
    "values",
    [
        lambda _: None,
        lambda _: 1.0,
        lambda _: math.inf,
        lambda _: -math.inf,
        lambda number: -1.0 - number,
        lambda _: 0.0,
        lambda number: [1e-3, None, math.inf, -math.inf, -2.0, 0.0, 1e300, 1e-300][number % 8],
    ],
    ids=["all fail", "constant", "infinite", "minus infinity", "negative", "zero", "everything"],
)
def test_no_value_ends_a_search_or_repeats_a_config(values: Callable[[int], float | None]) -> None:
    found = _study(SPACE, values, 30)
    assert len(set(found)) == 30


def test_a_space_without_a_valid_config_is_refused() -> None:
    empty = Space((Knob("a", (1, 2)), Knob("b", (1, 2))), (Constraint(("a",), lambda a: a > 2, "never"),))
    with pytest.raises(AutotuneError, match="never"):
        _study(empty, lambda _: 1.0, 1)
