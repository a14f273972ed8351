"""The tuned workload nearest to given sizes, compiled: one call for all candidates, in half a microsecond.

Imported where it is needed only: it compiles, once a machine, as Numba keeps the machine code beside this file.
"""
# mypy: disable-error-code="untyped-decorator"

import math
from typing import Any

from numba import njit, types

from autotune.codegen.borrowed import Borrowed

_SIGNATURE = types.int64(
    Borrowed(types.float64, 1, readonly=True),
    Borrowed(types.float64, 2, readonly=True),
    Borrowed(types.float64, 1, readonly=True),
    Borrowed(types.float64, 2, readonly=True),
    Borrowed(types.float64, 2, readonly=True),
    Borrowed(types.float64, 1),
)


@njit(_SIGNATURE, cache=True, nogil=True, error_model="numpy")
def nearest(sizes: Any, tensors: Any, caches: Any, tiles: Any, features: Any, squares: Any) -> int:
    """The index of the candidate whose features are nearest to those of its own loop nest at other sizes.

    `sizes` has an element an extent, `tensors` a row an array: the bytes of an element, then 1 for each extent that it
    has, else 0. `caches` are binary logarithms of bytes. `tiles` and `features` have a column a candidate, as
    `likeness.features_at` makes them. `squares`, an element a candidate, are filled with squared distances; where
    several are equally near it is the first of them.
    """
    axes, levels, candidates = len(sizes), len(caches), features.shape[1]
    total_bytes = volume = 0.0
    for tensor in range(len(tensors)):
        count = tensors[tensor, 0]
        for axis in range(axes):
            if tensors[tensor, axis + 1]:
                count *= sizes[axis]
        total_bytes += count
    squares[:] = 0.0
    for axis in range(axes):
        size = sizes[axis]
        trips, row = math.log2(size), 2 + levels + axis
        volume += trips
        for candidate in range(candidates):
            apart = trips - features[row, candidate]
            tile = tiles[axis, candidate]
            padding = (math.floor((size - 0.5) / tile) + 1.0) * tile / size - features[row + axes, candidate]
            squares[candidate] += apart * apart + padding * padding
    logarithm = math.log2(total_bytes)
    for candidate in range(candidates):
        flops, size = volume - features[0, candidate], logarithm - features[1, candidate]
        squares[candidate] += flops * flops + size * size
    for level in range(levels):
        fill = min(1.0, max(-1.0, logarithm - caches[level]))
        for candidate in range(candidates):
            apart = fill - features[2 + level, candidate]
            squares[candidate] += apart * apart
    best = 0
    for candidate in range(candidates):
        if squares[candidate] < squares[best]:
            best = candidate
    return best
