"""What a call takes and gives: several outputs, whole numbers, grouped dimensions, indices out of range."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autotune as at
from autotune.errors import AutotuneError, DtypeError, IndexRangeError, ShapeError

pytestmark = pytest.mark.usefixtures("_interpreted")


@at.kernel
def moments(x: at.Tensor["m", "n"]):
    i, j = at.axes(x)
    mean = at.mean(x[i, j], over=j)
    return at.output[i](mean, name="mean"), at.output[i](at.argmax(x[i, j], over=j), name="largest")


@at.kernel
def rows(table: at.Tensor["v", "c"], idx: at.Integers["t"]):
    _, c = at.axes(table)
    (t,) = at.axes(idx)
    return at.output[t, c](table[idx[t], c])


@at.kernel
def counted(idx: at.Integers["t"], factor: at.Scalar):
    (t,) = at.axes(idx)
    return at.output[t](factor * idx[t])


@at.kernel
def regrouped(x: at.Tensor["n", "g*c"], w: at.Tensor["g", "c", "k"]):
    n, g, c = at.axes(x)
    k = at.axes(w)[2]
    return at.output[n, (g, k)](at.sum(x[n, g, c] * w[g, c, k], over=c))


X = np.random.default_rng(0).standard_normal((4, 6))
TABLE = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_outputs_are_a_tuple(dtype: str) -> None:
    x = X.astype(dtype)
    for _ in range(2):  # the second call takes the fast path
        mean, largest = moments(x)
        np.testing.assert_allclose(mean, x.mean(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(largest, x.argmax(axis=1))
        assert (mean.dtype, largest.dtype) == (np.dtype(dtype), np.int64)


@pytest.mark.parametrize("kind", [tuple, list])
def test_out_takes_one_array_an_output(kind: type) -> None:
    for _ in range(2):  # the second call takes the fast path
        mean, largest = np.zeros(8)[::2], np.zeros(4, np.int64)
        got = moments(X, out=kind((mean, largest)))
        assert isinstance(got, tuple)
        assert got[0] is mean
        assert got[1] is largest
        np.testing.assert_array_equal(mean, moments(X)[0])
        np.testing.assert_array_equal(largest, X.argmax(axis=1))


def test_out_may_overlap_inputs_and_other_outputs() -> None:
    @at.kernel
    def both(x: at.Tensor["n"], y: at.Tensor["n"]):
        (i,) = at.axes(x)
        return at.output[i](x[i] + y[i], name="total"), at.output[i](x[i] - y[i], name="difference")

    for _ in range(2):  # the second call takes the fast path
        memory = np.arange(8.0)
        x, y = memory[::2], memory[1::2]
        expected = x + y, x - y
        both(x, y, out=(x, y))
        np.testing.assert_array_equal(x, expected[0])
        np.testing.assert_array_equal(y, expected[1])
        memory = np.arange(12.0)
        expected = memory[:4] + memory[4:8], memory[:4] - memory[4:8]
        both(memory[:4], memory[4:8], out=(memory[2:6], memory[8:]))
        np.testing.assert_array_equal(memory[2:6], expected[0])
        np.testing.assert_array_equal(memory[8:], expected[1])
        x, y = np.arange(4.0), np.ones(4)
        both(x, y, out=(x, y))
        np.testing.assert_array_equal(x, np.arange(4.0) + 1)
        np.testing.assert_array_equal(y, np.arange(4.0) - 1)


def test_out_that_does_not_fit_is_refused_once_the_shapes_are_known() -> None:
    moments(X)
    mean, largest = np.zeros(4), np.zeros(4, np.int64)
    fixed = np.zeros(4)
    fixed.flags.writeable = False
    for wrong in (mean, (mean,), (largest, mean), (mean, np.zeros(5, np.int64)), (fixed, largest), np.zeros((2, 4))):
        with pytest.raises(ShapeError, match="moments: out"):
            moments(X, out=wrong)


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint16", "uint64", "longlong", ">i4", "bool"])
def test_any_whole_numbers_are_taken(dtype: str) -> None:
    idx = np.array([1, 0, 1]).astype(dtype)
    for _ in range(2):
        np.testing.assert_array_equal(rows(TABLE, idx), TABLE[[1, 0, 1]])
        np.testing.assert_array_equal(rows(TABLE[::-1], idx[::-1]), TABLE[::-1][[1, 0, 1]])


def test_lists_are_taken() -> None:
    np.testing.assert_array_equal(rows(TABLE.tolist(), [2, 3]), TABLE[2:])
    assert rows(TABLE, []).shape == (0, 3)


def test_a_kernel_without_floating_tensors_computes_in_float64() -> None:
    for _ in range(2):
        got = counted(np.array([1, 2, 3]), 0.5)
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, [0.5, 1.0, 1.5])


def test_dtypes_of_integer_tensors_leave_those_of_floating_ones_alone() -> None:
    assert rows(TABLE.astype("f"), np.array([1], "int16")).dtype == np.float32


@pytest.mark.parametrize("layout", ["C", "F", "sliced"])
def test_grouped_dimensions_are_those_of_the_caller(layout: str) -> None:
    x, w = np.random.default_rng(0).standard_normal((5, 6)), np.random.default_rng(1).standard_normal((2, 3, 4))
    expected = np.einsum("ngc,gck->ngk", x.reshape(5, 2, 3), w).reshape(5, 8)
    if layout == "sliced":
        wide = np.zeros((10, 12))
        wide[::2, ::2] = x
        x = wide[::2, ::2]
    given = np.asarray(x, order="F") if layout == "F" else x
    for _ in range(2):
        np.testing.assert_allclose(regrouped(given, w), expected, rtol=1e-13)


@pytest.mark.parametrize("layout", ["C", "F", "sliced", "reversed"])
def test_grouped_results_are_written_into_any_out(layout: str) -> None:
    x, w = np.random.default_rng(0).standard_normal((5, 6)), np.random.default_rng(1).standard_normal((2, 3, 4))
    wide = np.full((10, 16), np.nan, order="F" if layout == "F" else "C")
    out = {"C": wide[:5, :8], "F": wide[:5, :8], "sliced": wide[::2, ::2], "reversed": wide[::-2, ::-2]}[layout]
    assert regrouped(x, w, out=out) is out
    np.testing.assert_array_equal(out, regrouped(x, w))
    assert np.isnan(wide).sum() == wide.size - out.size


def test_grouped_results_without_elements() -> None:
    assert regrouped(np.ones((0, 6)), np.ones((2, 3, 4))).shape == (0, 8)
    np.testing.assert_array_equal(regrouped(np.ones((5, 0)), np.ones((2, 0, 4))), np.zeros((5, 8)))


@pytest.mark.parametrize("index", [4, -1, 2**40, -(2**40)])
def test_an_index_out_of_range_names_kernel_and_check(index: int) -> None:
    for idx in ([0, 1], [0, index]):  # the second finds its plan on the fast path
        array = np.array(idx)
        if index in idx:
            with pytest.raises(
                IndexRangeError, match=r"rows: index idx\[t\] into dimension 1 of table \(extent v\) is "
            ):
                rows(TABLE, array)
            with pytest.raises(IndexError, match=r"out of range \(v=4, c=3, t=2\)"):
                rows(TABLE, array, out=np.zeros((2, 3)))
        else:
            rows(TABLE, array)


def test_an_index_into_nothing_is_out_of_range() -> None:
    with pytest.raises(IndexRangeError, match="rows"):
        rows(TABLE[:0], [0])


def test_arguments_are_copied_before_indices_are_checked() -> None:
    with pytest.raises(IndexRangeError):
        rows(np.asfortranarray(TABLE), [7])


ERRORS: list[tuple[Callable[[], Any], type[AutotuneError], str]] = [
    (lambda: rows(TABLE, [0.0]), DtypeError, "rows: idx holds whole numbers, but is float64; convert it with astype"),
    (lambda: rows(TABLE, np.array(["a"])), DtypeError, "idx holds whole numbers, but is <U1"),
    (lambda: rows(TABLE, np.array([2**63], np.uint64)), DtypeError, "idx has elements that no int64 holds"),
    (lambda: rows(TABLE.astype(int), [0]), DtypeError, "'int64' is not supported"),
    (lambda: counted([1], "x"), DtypeError, "counted: scalar factor must be a number, not str"),
    (lambda: moments(X, out=np.zeros(4)), ShapeError, "out must be a tuple of the 2 arrays mean, largest, not ndarray"),
    (lambda: moments(X, out=(np.zeros(4),)), ShapeError, "not 1 of them"),
    (
        lambda: moments(X, out=(np.zeros(4), np.zeros(4))), ShapeError,
        r"out for largest must be an int64 array of shape \(4,\), not float64",
    ),
    (lambda: moments(X, out=(np.zeros(5), np.zeros(4, int))), ShapeError, r"out for mean .*not .* shape \(5,\)"),
    (lambda: regrouped(np.ones((5, 7)), np.ones((2, 3, 4))), ShapeError, r"g\*c"),
    (lambda: regrouped(np.ones((5, 2, 3)), np.ones((2, 3, 4))), ShapeError, r"x\[n, g\*c\] has 2 dimensions"),
    (lambda: regrouped.extents({"x": (5, 6)}), ShapeError, "extents g, c, k are not given"),
    (lambda: regrouped.extents({"x": 5}), ShapeError, "x=5 is neither a tensor's shape nor an extent"),
    (lambda: regrouped.extents({"x": (5, 6), "g": 4, "k": 1}), ShapeError, "6 = g.*do not divide"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), ERRORS)
def test_misuse_is_named(call: Callable[[], Any], error: type[AutotuneError], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_extents_by_shape_and_by_name() -> None:
    expected = {"n": 5, "g": 2, "c": 3, "k": 4}
    assert regrouped.extents({"x": (5, 6), "w": (2, 3, 4)}) == expected
    assert regrouped.extents({"x": (5, 6), "g": 2, "k": 4}) == expected
    assert regrouped.extents(expected) == expected
    assert rows.extents({"table": (5, 2), "idx": 7}) == rows.extents({"table": (5, 2), "idx": (7,)})


def test_scalars_by_name_without_tensors() -> None:
    @at.kernel
    def product(x: at.Scalar, y: at.Scalar):
        return at.output[()](x * y)

    assert product(y=3, x=2.0) == 6.0
    out = np.zeros(())
    assert product(2, 3, out=out) is out
    assert out == 6.0
