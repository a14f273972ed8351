"""Candidates: new, valid, spread."""

import numpy as np

from autotune.schedule import Knob, Space
from autotune.search import pool
from tests.search.conftest import DEFAULT, SPACE

LARGE = Space(tuple(Knob(f"k{index}", tuple(range(8))) for index in range(10)))


def test_points_are_one_apart_at_most_along_a_knob() -> None:
    everything = SPACE.draw(np.random.default_rng(0), SPACE.size)
    points = pool.points(SPACE, everything)
    assert points.shape == (SPACE.size, len(pool.columns(SPACE)))
    orders = {
        tuple(point)
        for point in pool.points(SPACE, SPACE.indices([{**DEFAULT, "order": o} for o in ("ijk", "ikj", "kij")]))
    }
    first, second, third = map(np.array, sorted(orders))
    assert np.isclose([np.sum((first - second) ** 2), np.sum((second - third) ** 2)], 1).all()


def test_a_small_space_is_looked_at_whole_without_what_is_known() -> None:
    known = SPACE.draw(np.random.default_rng(0), 100)
    found = pool.pool(SPACE, np.random.default_rng(1), known=known, best=known[:2], count=8)
    rows = {tuple(row) for row in found.tolist()}
    assert len(rows) == len(found) == SPACE.size - 100
    assert not rows & {tuple(row) for row in known.tolist()}


def test_a_large_space_is_sampled_with_the_surroundings_of_the_best() -> None:
    known = LARGE.draw(np.random.default_rng(0), 20)
    found = pool.pool(LARGE, np.random.default_rng(1), known=known, best=known[:3], count=8)
    rows = {tuple(row) for row in found.tolist()}
    assert pool.DRAWN <= len(rows) == len(found) < 2 * pool.DRAWN
    assert {tuple(row) for row in LARGE.near(known[0]).tolist()} <= rows | {tuple(row) for row in known.tolist()}


def test_spread_configs_are_farther_apart_than_drawn_ones() -> None:
    points = pool.points(SPACE, SPACE.draw(np.random.default_rng(0), 300))
    chosen = points[pool.spread(points, points[:0], 8)]
    assert _nearest(chosen) > 1.5 * _nearest(points[:8])


def test_spread_keeps_away_from_what_is_chosen() -> None:
    points = np.array([[0.0], [0.1], [0.5], [1.0]])
    assert pool.spread(points, np.array([[0.0]]), 2) == [3, 2]
    assert pool.spread(points, points[:0], 9) == [2, 0, 3, 1]
    assert pool.spread(points[:0], points, 2) == []


def _nearest(points: np.ndarray) -> float:
    distances = np.linalg.norm(points[:, None] - points[None, :], axis=-1)
    return float(np.min(distances + 9 * np.eye(len(points))))
