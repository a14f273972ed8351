"""Lines of the cache, and which arrays begin on one."""

from typing import Any

from numpy.typing import NDArray

LINE_BYTES = 64  # of a line of the cache, and of the widest vector
LARGE_BYTES = 1 << 20
"""Results of so many bytes begin on a line, both where a program calls a kernel and where it is measured."""
PAST_LINE_BYTES = 16
"""How far past a line a large array of NumPy's own begins: glibc writes so much before a block of its own pages."""


def to_next_line(memory: NDArray[Any]) -> int:
    """Bytes from the start of an array to the first line of the cache."""
    return -memory.ctypes.data % LINE_BYTES
