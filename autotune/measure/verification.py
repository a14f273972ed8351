"""Whether a candidate did what its kernel says, and nothing else: values, untouched inputs, no stray writes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.machine.lines import LARGE_BYTES, LINE_BYTES, to_next_line

Array = NDArray[Any]
PATTERN = 0xA5
GUARD_ROWS = 32
LEAST_GUARD = 64 * 1024
LARGEST_GUARD = 8 * 1024 * 1024
PIECE = 1 << 14  # elements that are checked at a time: with what is computed of them, half of a second-level cache


class WrongResultError(Exception):
    """A candidate computed something else than its kernel, or touched what is not its own."""


@dataclass(frozen=True)
class Guarded:
    """An array between two guards: memory of its own that holds a known pattern and that nobody may write."""

    name: str
    array: Array
    before: Array
    after: Array

    def check(self) -> None:
        """Raise WrongResultError where a guard was written."""
        for guard, where in ((self.before[::-1], "before its start"), (self.after, "past its end")):
            damaged = np.flatnonzero(guard != PATTERN)
            if damaged.size:
                message = f"writes outside {self.name}: {damaged.size} bytes {where}, the nearest {damaged[0] + 1} away"
                raise WrongResultError(message)


def guarded(name: str, shape: tuple[int, ...], dtype: str) -> Guarded:
    """An array of that shape, filled as `poison` says, between guards of some 32 rows each.

    It begins where the result of a call does: on a line of the cache where it is large, else where any NumPy array may.
    """
    kind = np.dtype(dtype)
    count = int(np.prod(shape, dtype=np.int64))
    row = shape[-1] * kind.itemsize if shape else 0
    guard = min(max(GUARD_ROWS * row, LEAST_GUARD), LARGEST_GUARD) // LEAST_GUARD * LEAST_GUARD
    size = count * kind.itemsize
    memory = np.full(2 * guard + size + LINE_BYTES, PATTERN, np.uint8)
    start = to_next_line(memory) if size >= LARGE_BYTES else 0
    return _between(name, memory[start : start + 2 * guard + size], guard, kind, shape)


def _between(name: str, memory: Array, guard: int, kind: np.dtype[Any], shape: tuple[int, ...]) -> Guarded:
    end = memory.size - guard
    result = Guarded(name, memory[guard:end].view(kind).reshape(shape), memory[:guard], memory[end:])
    poison(result.array)
    return result


def poison(array: Array) -> None:
    """Fill an array with what no result is: NaN, or the least number of an integer dtype."""
    array.fill(np.iinfo(array.dtype).min if array.dtype.kind == "i" else np.nan)


def guarded_scratch(memory: Array) -> Guarded:
    """A 1-D array of scratch, less LEAST_GUARD bytes at either end that become guards; filled with NaN."""
    bytes_ = memory.view(np.uint8)
    bytes_.fill(PATTERN)
    return _between(
        "the scratch array", bytes_, LEAST_GUARD, memory.dtype, (memory.size - 2 * guard_elements(memory.dtype),)
    )


def guard_elements(dtype: str | np.dtype[Any]) -> int:
    """Elements of one guard of a scratch array."""
    return LEAST_GUARD // np.dtype(dtype).itemsize


def check_values(got: Array, expected: Array, bound: Array, name: str = "") -> None:
    """Raise WrongResultError unless |got - expected| ≤ bound element by element, in float64.

    NaN and infinity must be where the reference has them; a bound that is NaN or infinite allows any finite value. The
    text names the worst element, of the output `name` where there are several, and counts the wrong ones.
    """
    if _plainly_right(got, expected, bound):
        return
    allowed = np.where(np.isnan(bound), np.inf, np.maximum(bound, np.finfo(np.float64).tiny))
    with np.errstate(invalid="ignore", over="ignore"):
        excess = np.abs(got.astype(np.float64) - expected) / allowed
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    wrong = ~(same | (excess <= 1))
    if not wrong.any():
        return
    badness = np.where(wrong, np.nan_to_num(excess, nan=np.inf), -1.0)
    index = np.unravel_index(np.argmax(badness), got.shape)
    place = "[" + ", ".join(str(int(position)) for position in index) + "]"
    message = (
        f"element {name}{place} is {got[index]!s}, expected {expected[index]!s} within {bound[index]:.3g}; "
        f"{int(wrong.sum())} of {got.size} elements are wrong"
    )
    raise WrongResultError(message)


def _plainly_right(got: Array, expected: Array, bound: Array) -> bool:
    """Whether all is finite and within the bound; piece by piece, so that what is computed stays in the caches."""
    flat = [array.reshape(-1) for array in (got, expected, bound)]
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, got.size, PIECE):
            some, right, allowed = (array[start : start + PIECE] for array in flat)
            if not (np.abs(np.subtract(some, right, dtype=np.float64)) <= allowed).all():
                return False
    return bool(got.size)


def check_untouched(name: str, array: Array, pristine: Array) -> None:
    """Raise WrongResultError unless both arrays are equal bit by bit."""
    changed = array.reshape(-1).view(np.uint8) != pristine.reshape(-1).view(np.uint8)
    if changed.any():
        element = int(np.flatnonzero(changed)[0]) // array.itemsize
        message = f"modifies its input {name} ({int(changed.sum())} bytes, the first in element {element})"
        raise WrongResultError(message)
