"""What the features of a loop nest let expect of its time, before anything was measured or learnt."""

import numpy as np

from autotune.cost_model.estimate import Vector
from autotune.cost_model.features import FEATURE_NAMES

BOUNDS = tuple(map(FEATURE_NAMES.index, ("roofline_seconds", "total_seconds")))


def foretold(features: Vector) -> Vector:
    """Negative logarithms of seconds of nests, given their features, shape (nests, features).

    If arithmetic and all that comes in from the caches overlap, a nest takes as long as the longest of them (Williams,
    Waterman and Patterson 2009); if nothing overlaps, as long as all together. It is between the two, so the middle of
    their logarithms is taken: nests that one bound cannot tell apart are told apart by the other.
    """
    expected: Vector = -np.log(2) * features[:, BOUNDS].mean(axis=1)
    return expected
