import numpy as np
import pytest

from autotune.machine.lines import LARGE_BYTES, to_next_line
from autotune.measure.verification import (
    WrongResultError,
    check_untouched,
    check_values,
    guard_elements,
    guarded,
    guarded_scratch,
)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (7, 5), (2, 0, 3), (4, 3, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_guarded_array_is_an_array_of_nan(shape: tuple[int, ...], dtype: str) -> None:
    result = guarded("out", shape, dtype)
    assert (result.array.shape, result.array.dtype) == (shape, np.dtype(dtype))
    assert np.isnan(result.array).all()
    result.array.fill(0)
    result.check()


def test_a_guarded_array_of_whole_numbers_holds_none_that_is_a_result() -> None:
    result = guarded("out", (3, 4), "int64")
    assert result.array.dtype == np.int64
    assert (result.array == np.iinfo(np.int64).min).all()


def test_whole_numbers_are_compared() -> None:
    expected = np.array([3, 5])
    check_values(np.array([3, 5]), expected, np.zeros(2))
    check_values(np.array([3, 6]), expected, np.array([0.0, np.inf]))
    with pytest.raises(WrongResultError, match=r"element largest\[1\] is 6, expected 5 within 0"):
        check_values(np.array([3, 6]), expected, np.zeros(2), "largest")


@pytest.mark.parametrize("side", [511, 512, 513, 1000])
def test_it_begins_where_the_result_of_a_call_does(side: int) -> None:
    result = guarded("out", (side, side), "float32")
    if result.array.nbytes >= LARGE_BYTES:
        assert to_next_line(result.array) == 0
    assert not np.shares_memory(result.before, result.array)
    assert not np.shares_memory(result.after, result.array)
    result.array.fill(0)
    result.check()


@pytest.mark.parametrize(("side", "where"), [("before", "before its start"), ("after", "past its end")])
def test_writing_a_guard_is_found(side: str, where: str) -> None:
    result = guarded("out", (7, 5), "float32")
    guard = getattr(result, side)
    guard[10 if side == "after" else -11] = 0
    with pytest.raises(WrongResultError, match=f"writes outside out: 1 bytes {where}, the nearest 11 away"):
        result.check()


def test_guards_are_many_rows_long() -> None:
    assert guarded("out", (7, 10_000), "float32").after.nbytes >= 31 * 40_000
    assert guarded("out", (1, 1), "float32").after.nbytes >= 1 << 16
    assert guarded("out", (1, 10_000_000), "float32").after.nbytes <= 8 << 20


def test_scratch_is_guarded_within_its_own_memory() -> None:
    memory = np.zeros(2 * guard_elements("float32") + 10, np.float32)
    scratch = guarded_scratch(memory)
    assert scratch.array.shape == (10,)
    assert np.isnan(scratch.array).all()
    memory[-1] = 0
    with pytest.raises(WrongResultError, match="writes outside the scratch array"):
        scratch.check()


def test_values_within_the_bound_pass() -> None:
    expected = np.array([[1.0, -2.0], [np.nan, np.inf]])
    got = np.array([[1.001, -2.0], [np.nan, np.inf]], np.float32)
    check_values(got, expected, np.array([[0.01, 0.0], [np.nan, np.nan]]))
    check_values(np.zeros((0, 3), np.float32), np.zeros((0, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize(
    ("got", "text"),
    [
        ([1.0, 2.02, 3.0], r"element \[1\] is 2.02, expected 2.0 within 0.01; 1 of 3 elements are wrong"),
        ([1.5, 2.02, 3.0], r"element \[0\] is 1.5, expected 1.0 within 0.01; 2 of 3"),
        ([1.5, 2.0, np.nan], r"element \[2\] is nan, expected 3.0 within 0.01; 2 of 3"),
        ([-np.inf, 2.0, 3.0], r"element \[0\] is -inf, expected 1.0"),
    ],
)
def test_the_worst_element_is_named(got: list[float], text: str) -> None:
    with pytest.raises(WrongResultError, match=text):
        check_values(np.array(got, np.float32), np.array([1.0, 2.0, 3.0]), np.full(3, 0.01))


def test_infinity_must_have_its_sign() -> None:
    with pytest.raises(WrongResultError, match="is -inf, expected inf"):
        check_values(np.array([-np.inf], np.float32), np.array([np.inf]), np.array([np.nan]))


@pytest.mark.parametrize("bound", [np.nan, np.inf])
def test_without_a_bound_any_finite_value_passes(bound: float) -> None:
    check_values(np.array([5.0], np.float32), np.array([1.0]), np.array([bound]))
    with pytest.raises(WrongResultError, match=r"is nan, expected 1\.0"):
        check_values(np.array([np.nan], np.float32), np.array([1.0]), np.array([bound]))


def test_a_scalar_output_is_checked() -> None:
    with pytest.raises(WrongResultError, match=r"element \[\] is 2.0, expected 1.0"):
        check_values(np.array(2.0, np.float32), np.array(1.0), np.array(0.1))


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.array([np.nan, 0.0]), np.array(3.0), np.zeros((0, 2))]
)
def test_an_untouched_input_passes(array: np.ndarray) -> None:
    check_untouched("a", array, array.copy())


def test_every_bit_of_an_input_counts() -> None:
    with pytest.raises(WrongResultError, match=r"modifies its input a \(1 bytes, the first in element 2\)"):
        check_untouched("a", np.array([1.0, 2.0, -0.0]), np.array([1.0, 2.0, 0.0]))
