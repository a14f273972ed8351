"""Grouped dimensions: what a caller has as one dimension and a kernel as the product of several extents.

A kernel computes on split arrays, of one dimension an extent. Splitting is a view of the same memory wherever strides
allow; merging is never needed, since results are made as the caller has them and split to be filled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Callable[..., int]


@dataclass(frozen=True)
class Split:
    """Argument `position` (from 0) of a call and the shape that the kernel sees; `written` where it is a result."""

    position: int
    shape: tuple[int, ...]
    written: bool


def splitting(call: Call, splits: Sequence[Split]) -> Call:
    """`call` for merged arrays; itself where nothing is grouped.

    A result whose strides do not allow a view is refused, as `call` refuses strides: its number (from 1) is returned.
    """
    if not splits:
        return call

    inputs = [(split.position, split.shape) for split in splits if not split.written]
    outputs = [(split.position, split.shape) for split in splits if split.written]

    def split_call(*given: Any) -> int:  # in each call of such a kernel, so every tenth of a microsecond counts
        arguments = list(given)
        for position, shape in inputs:
            arguments[position] = given[position].reshape(shape)
        for position, shape in outputs:
            array = given[position]
            arguments[position] = view = array.reshape(shape)
            if not array.flags.c_contiguous and array.size and not np.may_share_memory(view, array):
                return position + 1
        return call(*arguments)

    return split_call
