"""Memory for large results: it begins on a line of the cache, and is used again once nobody holds the result.

A new array of this size comes from the operating system, which clears its pages at the first write: 2 to 3 ms for
32 MiB on Zen 4, as long as a softmax of that size takes. And it begins 16 bytes into a line of the cache, so that every
vector that is stored touches two lines, and none can be stored past the caches: layer normalisation of 8192 x 1024
takes 1.6 ms into an array that begins on a line, else 2.4.
"""

from collections.abc import Callable
from math import prod
from sys import getrefcount
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.machine.lines import LARGE_BYTES, LINE_BYTES, to_next_line

Array = NDArray[Any]

KEPT_BYTES = 256 << 20  # of all memory that is remembered
SLACK = 1.25  # a block may be that much larger than what is put into it


class ResultMemory:
    """Blocks of memory for results. Threads may call at the same time.

    A result is a view of its block, as is everything that NumPy makes of the result without copying. So a block that
    nothing but this object refers to is free. The blocks handed out last are remembered, `limit` bytes of them.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._blocks: list[Array] = []  # the one handed out last comes last
        self._lock = Lock()
        self._unused = _references([np.empty(1, np.uint8)], 0)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An uninitialised C-contiguous array whose first element is on a line of the cache."""
        size = prod(shape) * dtype.itemsize
        with self._lock:
            block = self._free(size + LINE_BYTES)
            if block is None:
                block = np.empty(size + LINE_BYTES, np.uint8)
            self._blocks.append(block)
            self._forget()
        return np.ndarray(shape, dtype, buffer=block, offset=to_next_line(block))

    @property
    def held(self) -> int:
        """Bytes of the blocks that are remembered."""
        return sum(block.nbytes for block in self._blocks)

    def _free(self, size: int) -> Array | None:
        blocks = self._blocks
        for index in range(len(blocks) - 1, -1, -1):
            if size <= blocks[index].nbytes <= SLACK * size and _references(blocks, index) == self._unused:
                return blocks.pop(index)
        return None

    def _forget(self) -> None:
        while self.held > self._limit:
            del self._blocks[0]


def _references(blocks: list[Array], index: int) -> int:
    return getrefcount(blocks[index])


_memory = ResultMemory()


def allocator(size: int) -> Callable[..., Array]:
    """What allocates results of which the largest has `size` bytes; it is called with shape and dtype.

    Small ones are NumPy's own: the bookkeeping takes about a microsecond.
    """
    return _memory.empty if size >= LARGE_BYTES else np.empty
