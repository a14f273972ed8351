"""The arguments that candidates are measured with."""

from typing import Any

import numpy as np
import pytest

from autotune import TunedKernel
from autotune import lang as at
from autotune.autodiff import derive
from autotune.lang import Kernel, define
from autotune.library import attention, layer_norm
from autotune.measure.arguments import Case, case_of, index_limits
from autotune.schedule import Workload


def gather(table: at.Tensor["v", "c"], idx: at.Integers["t"]) -> Any:
    _, c = at.axes(table)
    (t,) = at.axes(idx)
    return at.output[t, c](table[idx[t], c])


def two_tables(a: at.Tensor["m"], b: at.Tensor["n"], idx: at.Integers["t"]) -> Any:
    (t,) = at.axes(idx)
    return at.output[t](a[idx[t]] * b.pad(0)[idx[t]])


def picked(x: at.Tensor["m", "n"], idx: at.Integers["m"]) -> Any:
    i, j = at.axes(x)
    doubled = at.let[j](2 * x[i, j])
    return at.output[i](doubled[idx[i]])


def compared(x: at.Tensor["m", "n"], label: at.Integers["m"]) -> Any:
    i, j = at.axes(x)
    return at.output[i](at.sum(at.where(at.equal(label[i], j), x[i, j], 0), over=j))


def shifted(table: at.Tensor["v"], idx: at.Integers["t"]) -> Any:
    (t,) = at.axes(idx)
    return at.output[t](table[idx[t] * 2])


def entropy(x: at.Tensor["n"], y: at.Tensor["n"], factor: at.Scalar) -> Any:
    (i,) = at.axes(x)
    return at.output[i](factor * at.log(x[i] / y[i]) * at.sqrt(y[i]))


def scaled(x: at.Tensor["n"], factor: at.Scalar) -> Any:
    (i,) = at.axes(x)
    return at.output[i](factor * at.exp(x[i]))


def growing(rate: at.Tensor["n"], dt: at.Tensor["t"]) -> Any:
    (i,), (t,) = at.axes(rate), at.axes(dt)
    return at.output[i](at.last(at.scan(lambda x: x * (1 + 40 * rate[i] * dt[t]), 1.0, over=t), over=t))


def overflowing(x: at.Tensor["n"]) -> Any:
    (i,) = at.axes(x)
    return at.output[i](at.log(-at.exp(x[i])))


def rarely_negative(x: at.Tensor["n"]) -> Any:
    (i,) = at.axes(x)
    return at.output[i](at.log(x[i] + 4.2))


def kernel(function: Any) -> Kernel:
    return define(function)


def drawn(workload: Workload) -> tuple[dict[str, Any], Any]:
    case = case_of(workload)
    return case.arguments, case.expected


@pytest.mark.parametrize(
    ("function", "extents", "limits"),
    [
        (gather, {"v": 5, "c": 2, "t": 100}, {"idx": 5}),
        (two_tables, {"m": 9, "n": 4, "t": 100}, {"idx": 4}),
        (picked, {"m": 50, "n": 3}, {"idx": 3}),
        (compared, {"m": 4, "n": 3}, {}),
    ],
)
def test_indices_are_limited_by_what_they_index(function: Any, extents: dict[str, int], limits: dict[str, int]) -> None:
    assert index_limits(kernel(function), extents) == limits


def test_indices_are_valid_and_all_occur() -> None:
    arguments, expected = drawn(Workload.of(kernel(gather), {"v": 5, "c": 2, "t": 100}))
    table, idx = (np.asarray(arguments[name]) for name in ("table", "idx"))
    assert idx.dtype == np.int64
    assert set(idx.tolist()) == set(range(5))
    np.testing.assert_array_equal(expected["out"], table[idx])


def test_indices_of_a_gradient_are_valid() -> None:
    from autotune.autodiff import derive

    derived = derive(kernel(gather), "vjp:table")
    arguments, _ = drawn(Workload.of(derived, {"v": 5, "c": 2, "t": 100}))
    assert set(np.asarray(arguments["idx"]).tolist()) == set(range(5))


def test_whole_numbers_that_index_nothing_are_small() -> None:
    arguments, _ = drawn(Workload.of(kernel(compared), {"m": 40, "n": 3}))
    assert set(np.asarray(arguments["label"]).tolist()) == {0, 1, 2}


def test_computed_indices_that_lead_outside_are_replaced() -> None:
    arguments, expected = drawn(Workload.of(kernel(shifted), {"v": 3, "t": 100}))
    assert not np.asarray(arguments["idx"]).any()
    assert np.isfinite(expected["out"]).all()


def test_tensors_are_normal_where_results_are_finite() -> None:
    arguments, _ = drawn(Workload.of(kernel(scaled), {"n": 1000}))
    x = np.asarray(arguments["x"])
    assert abs(x.mean()) < 0.1
    assert abs(x.std() - 1) < 0.1
    assert 0.5 <= arguments["factor"] <= 1.5


def test_tensors_are_positive_where_a_kernel_needs_it() -> None:
    arguments, expected = drawn(Workload.of(kernel(entropy), {"n": 1000}, "float64"))
    for name in ("x", "y"):
        assert 0.5 <= np.asarray(arguments[name]).min() < np.asarray(arguments[name]).max() <= 1.5
    assert np.isfinite(expected["out"]).all()


def test_tensors_are_small_where_results_grow_beyond_the_dtype() -> None:
    workload = Workload.of(kernel(growing), {"n": 10, "t": 30}, "float32")
    arguments, expected = drawn(workload)
    assert 0.05 <= np.asarray(arguments["rate"]).min() < np.asarray(arguments["rate"]).max() <= 0.15
    assert expected["out"].max() < 1e6


def test_results_that_tell_nothing_are_counted() -> None:
    results = {"out": np.array([1.0, np.nan, np.inf, 1e39, 1e-3])}
    assert Case({}, results, {"out": np.zeros(5)}).unusable("float32") == 3
    assert Case({}, results, {"out": np.zeros(5)}).unusable("float64") == 2
    assert Case({}, results, {"out": np.array([1e-3, 0, 0, 0, np.nan])}).unusable("float32") == 4
    assert Case({}, {"out": np.zeros((2, 0))}, {"out": np.zeros((2, 0))}).unusable("float32") == 0


@pytest.mark.parametrize(
    ("kernel", "direction", "extents", "most"),
    [
        (layer_norm, "vjp:x", {"rows": 8, "cols": 1024}, 1e-3),
        (layer_norm, "forward", {"rows": 8, "cols": 1024}, 1e-3),
        (attention, "forward", {"b": 1, "h": 1, "t": 16, "s": 256, "d": 64, "e": 64}, 1e-2),
        (attention, "vjp:q", {"b": 1, "h": 1, "t": 16, "s": 256, "d": 64, "e": 64}, 1e-1),
    ],
)
def test_bounds_of_long_rows_tell_a_right_result_from_a_wrong_one(
    kernel: TunedKernel, direction: str, extents: dict[str, int], most: float
) -> None:
    """Sums within sums, and products of what is far off, once made bounds larger than results."""
    derived = derive(kernel.definition, direction)
    full = kernel.definition.complete(extents)
    case = case_of(Workload.of(derived, {name: full[name] for name in derived.extent_names}, "float32"))
    for name, result in case.expected.items():
        assert case.bound[name].max() <= most * np.abs(result).max()


def test_a_kernel_that_is_finite_nowhere_has_arguments_too() -> None:
    arguments, expected = drawn(Workload.of(kernel(overflowing), {"n": 4}))
    assert list(arguments) == ["x"]
    assert np.isnan(expected["out"]).all()


@pytest.mark.parametrize("extents", [{"v": 3, "c": 2, "t": 0}, {"v": 3, "c": 0, "t": 4}])
def test_axes_of_length_zero(extents: dict[str, int]) -> None:
    _, expected = drawn(Workload.of(kernel(gather), extents))
    assert expected["out"].size == 0


def test_they_are_the_same_every_time() -> None:
    workload = Workload.of(kernel(gather), {"v": 5, "c": 2, "t": 100})
    (first, _), (second, _) = drawn(workload), drawn(workload)
    for name, argument in first.items():
        np.testing.assert_array_equal(argument, second[name])


def test_a_large_workload_is_measured_with_the_numbers_that_suit_a_smaller_one() -> None:
    arguments, expected = drawn(Workload.of(kernel(entropy), {"n": 100_000}))
    assert np.all(arguments["x"] > 0)
    assert np.all(np.isfinite(expected["out"]))


def test_large_results_that_are_not_finite_are_drawn_anew() -> None:
    arguments, _ = drawn(Workload.of(kernel(rarely_negative), {"n": 200_000}))
    assert np.all(arguments["x"] > 0)
