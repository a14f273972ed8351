"""Knobs, constraints and the spaces they make, against brute force over the Cartesian product."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.errors import ConfigError
from autotune.schedule import space as module
from autotune.schedule.space import Config, Constraint, Knob, Space


def _at_most(bound: int) -> Any:
    return lambda *columns: sum(columns) <= bound


def _divides(inner: Any, outer: Any) -> Any:
    return outer % inner == 0


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Small spaces of numeric knobs; the smallest values of all knobs together are valid, so none is empty."""
    names = "abcde"[: draw(st.integers(1, 5))]
    values = st.sets(st.integers(1, 9), min_size=1, max_size=4)
    knobs = tuple(Knob(name, tuple(sorted(draw(values))), ordered=draw(st.booleans())) for name in names)
    least = {knob.name: min(int(value) for value in knob.values) for knob in knobs}
    constraints = []
    for _ in range(draw(st.integers(0, 3))):
        chosen = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)))
        bound = sum(least[name] for name in chosen) + draw(st.integers(0, 8))
        constraints.append(Constraint(chosen, _at_most(bound), f"the sum of {chosen} is at most {bound}"))
    return Space(knobs, tuple(constraints))


def _brute_force(space: Space) -> list[Config]:
    names = [knob.name for knob in space.knobs]
    product = itertools.product(*(knob.values for knob in space.knobs))
    configs = [dict(zip(names, values, strict=True)) for values in product]
    return [
        config
        for config in configs
        if all(constraint.holds(*(config[name] for name in constraint.knobs)) for constraint in space.constraints)
    ]


def _key(config: Config) -> tuple[Any, ...]:
    return tuple(config.items())


@given(spaces())
def test_size_and_members_are_those_of_brute_force(space: Space) -> None:
    expected = _brute_force(space)
    everything = space.sample(np.random.default_rng(0), 10**6)
    assert space.size == len(expected)
    assert sorted(map(_key, everything)) == sorted(map(_key, expected))


@given(spaces(), st.integers(0, 2**32), st.integers(0, 30))
def test_samples_are_valid_distinct_and_repeat_with_the_seed(space: Space, seed: int, count: int) -> None:
    sample = space.sample(np.random.default_rng(seed), count)
    assert len(sample) == min(count, space.size)
    assert len(set(map(_key, sample))) == len(sample)
    for config in sample:
        space.check(config)
    assert sample == space.sample(np.random.default_rng(seed), count)


@given(spaces(), st.integers(0, 2**32))
def test_neighbours_are_valid_distinct_and_hold_every_single_step(space: Space, seed: int) -> None:
    (config,) = space.sample(np.random.default_rng(seed), 1)
    neighbours = space.neighbours(config)
    keys = set(map(_key, neighbours))
    assert len(keys) == len(neighbours)
    assert _key(config) not in keys
    assert all(space.contains(neighbour) for neighbour in neighbours)
    assert bool(neighbours) == (space.size > 1)
    for knob in space.knobs:
        here = knob.index(config[knob.name])
        others = range(len(knob.values)) if not knob.ordered else (here - 1, here + 1)
        for position in others:
            if 0 <= position < len(knob.values) and position != here:
                stepped = {**config, knob.name: knob.values[position]}
                assert not space.contains(stepped) or _key(stepped) in keys


@given(spaces(), st.integers(0, 2**32))
def test_positions_and_configs_are_inverse(space: Space, seed: int) -> None:
    configs = space.sample(np.random.default_rng(seed), 5)
    assert space.configs(space.indices(configs)) == configs
    encoded = space.encode(configs)
    assert encoded.shape == (len(configs), len(space.knobs))
    assert ((encoded >= 0) & (encoded <= 1)).all()


def test_draws_are_uniform_over_valid_configs() -> None:
    space = Space((Knob("a", (1, 2, 3)), Knob("b", (1, 2, 3))), (Constraint(("a", "b"), np.less_equal, "a <= b"),))
    rng = np.random.default_rng(0)
    counts = np.zeros((3, 3))
    for _ in range(6000):
        (config,) = space.sample(rng, 1)
        counts[int(config["a"]) - 1, int(config["b"]) - 1] += 1
    drawn = counts[counts > 0]
    assert len(drawn) == space.size == 6
    assert abs(drawn - 1000).max() < 150  # five standard deviations


def test_a_step_passes_over_invalid_values() -> None:
    space = Space(
        (Knob("tile", (3, 4)), Knob("block", (6, 7, 8, 9, 12))),
        (Constraint(("tile", "block"), _divides, "a block is whole tiles"),),
    )
    assert {"tile": 3, "block": 9} in space.neighbours({"tile": 3, "block": 6})


def test_a_config_without_single_steps_has_its_nearest_rows_as_neighbours() -> None:
    far = Constraint(("a", "b"), lambda a, b: ((a == 1) & (b == 1)) | ((a == 4) & (b >= 3)), "either corner")
    space = Space((Knob("a", (1, 2, 3, 4)), Knob("b", (1, 2, 3, 4))), (far,))
    assert space.neighbours({"a": 1, "b": 1}) == [{"a": 4, "b": 3}]


def test_a_large_space_is_small_in_memory_and_exact() -> None:
    blocks = tuple(Knob(name, tuple(range(1, 33))) for name in "abc")
    free = tuple(Knob(name, tuple(range(10))) for name in "uvwxyz")
    space = Space((*blocks, *free), (Constraint(("a", "b", "c"), _at_most(64), "the blocks fit"),))
    fitting = sum(a + b + c <= 64 for a, b, c in itertools.product(range(1, 33), repeat=3))
    assert space.size == fitting * 10**6
    assert len(set(map(_key, space.sample(np.random.default_rng(0), 1000)))) == 1000


def test_a_space_beyond_64_bits_can_be_drawn_from() -> None:
    space = Space(tuple(Knob(f"k{index}", (0, 1, 2, 3)) for index in range(40)))
    assert space.size == 4**40
    assert len(set(map(_key, space.sample(np.random.default_rng(0), 10)))) == 10


def test_a_space_without_knobs_has_one_config() -> None:
    space = Space(())
    assert space.size == 1
    assert space.sample(np.random.default_rng(0), 3) == [{}]
    assert space.neighbours({}) == []


def test_values_keep_their_python_types() -> None:
    space = Space(
        (Knob("order", ("ijk", "kij"), ordered=False), Knob("pack", (False, True)), Knob("scale", (0.5, 2.0)))
    )
    for config in space.sample(np.random.default_rng(0), 8):
        assert [type(value) for value in config.values()] == [str, bool, float]


def test_constraints_see_text_numbers_and_booleans() -> None:
    knobs = (Knob("order", ("ijk", "kij"), ordered=False), Knob("pack", (False, True)), Knob("unroll", (1, 2, 4)))
    packed = Constraint(("order", "pack"), lambda order, pack: (order == "ijk") | pack, "kij needs packing")
    unrolled = Constraint(("pack", "unroll"), lambda pack, unroll: pack | (unroll <= 2), "no unroll by 4 unpacked")
    assert Space(knobs, (packed, unrolled)).size == 2 + 3 + 3


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"tile": 2}, "lacks knob 'block'"),
        ({"tile": 2, "block": 8, "blok": 8}, "unknown knob 'blok'"),
        ({"tile": 3, "block": 8}, "'tile' cannot be 3"),
        ({"tile": 2.0, "block": 8}, "'tile' cannot be 2.0 .float"),
        ({"tile": True, "block": 8}, "'tile' cannot be True .bool"),
        ({"tile": np.int64(2), "block": 8}, "'tile' cannot be .*int64"),
        ({"tile": [2], "block": 8}, "'tile' cannot be .2. .list"),
        ({"tile": 4, "block": 6}, "violates 'a block is whole tiles': tile=4, block=6"),
    ],
)
def test_check_names_what_fails(config: Any, expected: str) -> None:
    knobs = (Knob("tile", (1, 2, 4)), Knob("block", (6, 8)))
    space = Space(knobs, (Constraint(("tile", "block"), _divides, "a block is whole tiles"),))
    with pytest.raises(ConfigError, match=expected):
        space.check(config)
    assert not space.contains(config)


@pytest.mark.parametrize(
    ("values", "ordered", "expected"),
    [
        ((), True, "no values"),
        ((1, 1), False, "lists a value twice"),
        ((2, 1), True, "must increase"),
        ((float("nan"),), True, "cannot have the value nan"),
        ((None,), False, "cannot have the value None"),
    ],
)
def test_a_knob_refuses_bad_values(values: Any, ordered: bool, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        Knob("tile", values, ordered=ordered)


def test_a_space_refuses_names_it_does_not_know_or_knows_twice() -> None:
    knob = Knob("tile", (1, 2))
    with pytest.raises(ConfigError, match="each knob once"):
        Space((knob, knob))
    with pytest.raises(ConfigError, match="'tail'"):
        Space((knob,), (Constraint(("tail",), np.isfinite, "tail"),))


def test_a_space_without_a_valid_config_says_which_constraint_left_none() -> None:
    never = Constraint(("tile",), lambda tile: tile > 9, "tiles above 9")
    with pytest.raises(ConfigError, match="tiles above 9"):
        Space((Knob("tile", (1, 2)),), (never,)).size  # noqa: B018


def test_a_group_too_large_to_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 100)
    knobs = (Knob("a", tuple(range(20))), Knob("b", tuple(range(20))))
    with pytest.raises(ConfigError, match="a, b constrain each other and have more than 100"):
        Space(knobs, (Constraint(("a", "b"), lambda a, b: a + b >= 0, "always"),)).size  # noqa: B018


def test_the_fingerprint_tells_spaces_apart() -> None:
    base = Space((Knob("a", (1, 2)),))
    assert base.fingerprint == Space((Knob("a", (1, 2), doc="text"),)).fingerprint
    others = [
        Space((Knob("a", (1, 3)),)),
        Space((Knob("b", (1, 2)),)),
        Space((Knob("a", (1.0, 2.0)),)),
        Space((Knob("a", (1, 2), ordered=False),)),
        Space((Knob("a", (1, 2)),), (Constraint(("a",), np.isfinite, "finite"),)),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 6
