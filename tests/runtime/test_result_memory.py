import threading

import numpy as np
import pytest

from autotune.library import softmax
from autotune.machine.lines import LARGE_BYTES, to_next_line
from autotune.runtime.result_memory import ResultMemory

F32 = np.dtype("float32")
SHAPE = (512, 1024)


def address(array: np.ndarray) -> int:
    return array.ctypes.data


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), SHAPE, (7, 5, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_an_array_of_it_is_as_any_other_and_begins_on_a_line(shape: tuple[int, ...], dtype: str) -> None:
    array = ResultMemory().empty(shape, np.dtype(dtype))
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert to_next_line(array) == 0


def test_memory_is_used_again_once_nobody_holds_the_result() -> None:
    memory = ResultMemory()
    first = memory.empty(SHAPE, F32)
    place = address(first)
    del first
    assert address(memory.empty(SHAPE, F32)) == place


def test_whatever_is_derived_from_a_result_keeps_its_memory() -> None:
    memory = ResultMemory()
    for derive in (
        lambda a: a,
        lambda a: a[1:, ::2],
        lambda a: a.T.reshape(-1, 2, order="F").view("int32"),
        memoryview,
        np.from_dlpack,
        lambda a: np.asarray(memoryview(a)[3:]),
        lambda a: iter(a[0]),
    ):
        result = memory.empty(SHAPE, F32)
        place, kept = address(result), derive(result)
        del result
        assert address(memory.empty(SHAPE, F32)) != place
        del kept


def test_a_block_serves_results_of_nearly_its_size() -> None:
    memory = ResultMemory()
    place = address(memory.empty((1000, 1000), F32))
    assert address(memory.empty((990, 1000), F32)) == place
    assert address(memory.empty((500, 1000), F32)) != place  # which would waste half of it


def test_no_more_is_remembered_than_the_limit() -> None:
    memory = ResultMemory(limit=3 * 4_000_100)
    results = [memory.empty((1000, 1000), F32) for _ in range(5)]
    assert memory.held <= 3 * 4_000_100
    for number, result in enumerate(results):
        result.fill(number)
    assert [result[0, 0] for result in results] == [0, 1, 2, 3, 4]
    huge = memory.empty((4000, 1000), F32)
    huge.fill(1)
    assert memory.held == 0


def test_threads_never_share_a_block() -> None:
    memory, wrong = ResultMemory(), []

    def work(number: int) -> None:
        for _ in range(300):
            mine = memory.empty((64, 64), F32)
            mine.fill(number)
            view = mine[3]
            del mine
            if not (view == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_large_results_of_a_kernel_are_independent_and_begin_on_a_line() -> None:
    x = np.random.default_rng(0).standard_normal((512, 1024)).astype(np.float32)
    assert x.nbytes >= LARGE_BYTES
    first = softmax(x)
    before = first.copy()
    second = softmax(-x)
    assert to_next_line(first) == to_next_line(second) == 0
    assert not np.shares_memory(first, second)
    assert (first == before).all()
