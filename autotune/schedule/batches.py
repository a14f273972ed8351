"""Loop nests of one structure as arrays of what they differ in: what a cost model looks at thousands of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autotune.schedule.nest import LoopNest

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class LoopNests:
    """Nests that differ only in the steps of their loops and in how far ahead they prefetch.

    `pattern` is any of them; `steps` has shape (nests, loops), `prefetch` shape (nests,).
    """

    pattern: LoopNest
    steps: Rows
    prefetch: Rows

    def __len__(self) -> int:
        return len(self.prefetch)

    @classmethod
    def of(cls, nests: Sequence[LoopNest]) -> Self:
        """Nests of one structure, as `structure` tells it; one at least."""
        steps = np.array([[loop.step for loop in nest.loops] for nest in nests], dtype=np.int64)
        prefetch = np.array([nest.prefetch for nest in nests], dtype=np.int64)
        return cls(nests[0], steps.reshape(len(nests), len(nests[0].loops)), prefetch)


Batch = tuple[Rows, LoopNests]
"""Nests of one structure, and the places that they have among all."""


def batches(nests: Sequence[LoopNest]) -> list[Batch]:
    """Nests by structure."""
    found: dict[LoopNest, list[int]] = {}
    for place, nest in enumerate(nests):
        found.setdefault(structure(nest), []).append(place)
    return [(np.array(places), LoopNests.of([nests[place] for place in places])) for places in found.values()]


def structure(nest: LoopNest) -> LoopNest:
    """The nest without what nests of a batch may differ in; panels of packs are no part of it."""
    loops = tuple(replace(loop, step=1) for loop in nest.loops)
    packs = tuple(replace(pack, panel=1) for pack in nest.packs)
    return replace(nest, loops=loops, packs=packs, prefetch=0)
