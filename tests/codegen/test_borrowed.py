"""Arrays that generated kernels borrow from their callers."""

from typing import Any

import numpy as np
import pytest
from numba import njit, types

from autotune.codegen.borrowed import Borrowed

SIGNATURE = types.int64(Borrowed(types.float32, 2, readonly=True), Borrowed(types.float32, 2))


@njit(SIGNATURE)
def copied(source: Any, target: Any) -> int:
    for row in range(target.shape[0]):
        for column in range(target.shape[1]):
            target[row, column] = source[row, column]
    return int(target.size)


@njit
def from_compiled_code(source: Any, target: Any) -> int:
    return int(copied(source, target))


def entry_point() -> Any:
    (overload,) = copied.overloads.values()
    return overload.entry_point


@pytest.mark.parametrize("call", [copied, entry_point(), from_compiled_code])
def test_arrays_of_any_strides_are_taken_and_read_only_ones_where_nothing_is_written(call: Any) -> None:
    source = np.arange(24, dtype=np.float32).reshape(4, 6)[::-2, ::3]
    source.flags.writeable = False
    target = np.zeros((2, 4), np.float32)[:, ::2]
    assert call(source, target) == 4
    np.testing.assert_array_equal(target, [[18, 21], [6, 9]])


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(TypeError, match="no NumPy array"):
        entry_point()([[1.0]], np.zeros((1, 1), np.float32))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (np.zeros((1, 1)), np.zeros((1, 1), np.float32)),
        (np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int32)),
        (np.zeros((1, 1), np.float32), np.zeros(1, np.float32)),
        (np.zeros((1, 1), np.float32), np.broadcast_to(np.float32(0), (1, 1))),
    ],
)
def test_numba_refuses_arrays_of_other_dtypes_and_ranks_and_read_only_ones_to_write(source: Any, target: Any) -> None:
    with pytest.raises(TypeError, match="No matching definition"):
        copied(source, target)
