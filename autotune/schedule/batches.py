"""Loop nests of one structure as arrays of what they differ in: what a cost model looks at thousands of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autotune.schedule.nest import LoopNest

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class LoopNests:
    """Nests that differ only in the steps of their loops, in how far ahead they prefetch and in what they stream.

    `pattern` is any of them; `steps` has shape (nests, loops), `prefetch` and `streamed` shape (nests,).
    """

    pattern: LoopNest
    steps: Rows
    prefetch: Rows
    streamed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.prefetch)

    @classmethod
    def of(cls, nests: Sequence[LoopNest]) -> Self:
        """Nests of one structure, as `structure` tells it; one at least."""
        steps = np.array([[loop.step for loop in nest.loops] for nest in nests], dtype=np.int64)
        prefetch = np.array([nest.prefetch for nest in nests], dtype=np.int64)
        streamed = np.array([nest.streamed for nest in nests], dtype=np.bool_)
        return cls(nests[0], steps.reshape(len(nests), len(nests[0].loops)), prefetch, streamed)


Batch = tuple[Rows, LoopNests]
"""Nests of one structure, and the places that they have among all."""


def batches(nests: Sequence[LoopNest]) -> list[Batch]:
    """Nests by structure."""
    found: dict[LoopNest, list[int]] = {}
    for place, nest in enumerate(nests):
        found.setdefault(structure(nest), []).append(place)
    return [(np.array(places), LoopNests.of([nests[place] for place in places])) for places in found.values()]


def joined(found: Iterable[Batch]) -> list[Batch]:
    """Batches with those of one structure put together."""
    alike: dict[LoopNest, list[Batch]] = {}
    for batch in found:
        alike.setdefault(structure(batch[1].pattern), []).append(batch)
    return [_one(same) for same in alike.values()]


def _one(same: Sequence[Batch]) -> Batch:
    places, nests = zip(*same, strict=True)
    parts = ([getattr(each, name) for each in nests] for name in ("steps", "prefetch", "streamed"))
    return np.concatenate(places), LoopNests(nests[0].pattern, *map(np.concatenate, parts))


def structure(nest: LoopNest) -> LoopNest:
    """The nest without what nests of a batch may differ in; panels of packs are no part of it."""
    loops = tuple(replace(loop, step=1) for loop in nest.loops)
    packs = tuple(replace(pack, panel=1) for pack in nest.packs)
    return replace(nest, loops=loops, packs=packs, prefetch=0, streamed=False)
