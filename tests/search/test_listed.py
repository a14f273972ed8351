"""Spaces given as a table: what is listed, and nothing else, however large the product of the knobs."""

import numpy as np
import pytest

from autotune.errors import ConfigError
from autotune.schedule import Config
from autotune.search import listed

COLUMNS: dict[str, list[int | float | str | bool]] = {
    "block": [16, 32, 32, 64],
    "kind": ["a", "b", "a", "b"],
    "scale": [0.5, 0.5, 2.0, 1.0],
}
CONFIGS: list[Config] = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]


def test_a_listed_space_holds_what_is_listed_and_nothing_else() -> None:
    space = listed(COLUMNS)
    assert space.size == 4
    drawn = space.sample(np.random.default_rng(0), 9)
    assert sorted(map(repr, drawn)) == sorted(map(repr, CONFIGS))
    assert not space.contains({"block": 16, "kind": "b", "scale": 0.5})
    assert [knob.ordered for knob in space.knobs] == [True, False, True]


def test_the_product_of_the_knobs_is_never_looked_at() -> None:
    rows = np.random.default_rng(0).integers(0, 50, size=(500, 9))
    rows[:, 0] = np.arange(500)
    space = listed({f"k{column}": rows[:, column].tolist() for column in range(9)})
    assert np.prod([float(len(knob.values)) for knob in space.knobs]) > 1e15
    assert space.size == 500
    assert all(space.contains(config) for config in space.sample(np.random.default_rng(1), 20))


def test_other_tables_are_other_spaces() -> None:
    other = {**COLUMNS, "scale": [0.5, 0.5, 2.0, 2.0]}
    same = {name: values[::-1] for name, values in COLUMNS.items()}
    assert listed(COLUMNS).fingerprint == listed(same).fingerprint != listed(other).fingerprint


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "one config at least"),
        ({"a": []}, "one config at least"),
        ({"a": [1, 2], "b": [1]}, "one value of every knob"),
        ({"a": [1, 1], "b": [2, 2]}, "twice"),
    ],
)
def test_what_is_no_table_is_an_error(columns: dict[str, list[int | float | str | bool]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        listed(columns)
