"""The reference against formulas in NumPy, in float64 and, for the error bound, in float32."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autotune.errors import ShapeError
from autotune.lang import (
    FUNCTIONS,
    Axis,
    Constant,
    Expr,
    Extent,
    Kernel,
    Output,
    Parameter,
    Read,
    Reduce,
    ScalarSpec,
    TensorSpec,
    cos,
    equal,
    erf,
    exp,
    floor,
    greater,
    less_equal,
    log,
    maximum,
    mean,
    minimum,
    not_equal,
    reference,
    relu,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sqrt,
    stop_gradient,
    tanh,
    where,
)
from autotune.lang import max as largest
from autotune.lang import min as smallest
from autotune.lang import prod as product
from autotune.lang import sum as total
from autotune.lang.magnitudes import JUMPS, MAGNITUDES

Array = NDArray[Any]
I, J, K, L = (Axis(name, extent) for name, extent in ("im", "jn", "kk", "ll"))  # noqa: E741  # the usual names
SPECS: dict[str, TensorSpec | ScalarSpec] = {
    "a": TensorSpec("a", ("m", "k")),
    "b": TensorSpec("b", ("k", "n")),
    "c": TensorSpec("c", ("n", "l")),
    "s": ScalarSpec("s"),
}
EXTENTS = {"m": 7, "k": 40, "n": 5, "l": 30}
A, B, C, S = Read("a", (I, K)), Read("b", (K, J)), Read("c", (J, L)), Parameter("s")
PRODUCT = total(A * B, K)


def kernel_of(expr: Expr, axes: tuple[Axis, ...] | None = None) -> Kernel:
    """A kernel with all inputs of SPECS; of a derived direction, whose inputs need not all be read."""
    return Kernel("f", tuple(SPECS.values()), (Output("out", expr.axes if axes is None else axes, expr),), "vjp:x")


def arguments_of(rng: np.random.Generator, dtype: str = "float64", **extents: int) -> dict[str, Array]:
    sizes = EXTENTS | extents
    return {
        name: np.asarray(rng.standard_normal([sizes[extent] for extent in spec.extents])).astype(dtype)
        for name, spec in SPECS.items()
    }


def numpy_sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def erf_then_sine(a: Array, b: Array) -> Array:
    product = a @ b
    smooth: Array = scipy.special.erf(product / 8).astype(a.dtype)
    return np.asarray(smooth[:, :, None] + np.sin(product)[:, :, None] * np.cos(a)[:, None, :])


# Expression, and the same in NumPy, which computes it in the dtype of the arguments.
FORMULAS: list[tuple[Expr, Callable[..., Array]]] = [
    (PRODUCT, lambda a, b, **_: a @ b),
    (S * PRODUCT + 1, lambda a, b, s, **_: s * (a @ b) + 1),
    (total(A * B * C, (J, L)), lambda a, b, c, **_: np.einsum("ik,kj,jl->ik", a, b, c)),
    (total(A * total(B * total(C, L), J), K), lambda a, b, c, **_: a @ (b @ c.sum(axis=1))),
    (total(A * (B - S) / (1 + A * A), K), lambda a, b, s, **_: (a / (1 + a * a)) @ (b - s)),
    (total((A - B) ** 2, K), lambda a, b, **_: ((a[:, :, None] - b[None]) ** 2).sum(axis=1)),
    (tanh(PRODUCT), lambda a, b, **_: np.tanh(a @ b)),
    (total(tanh(PRODUCT) * C, J), lambda a, b, c, **_: np.tanh(a @ b) @ c),
    (total(sigmoid(PRODUCT) * PRODUCT, J), lambda a, b, **_: (numpy_sigmoid(a @ b) * (a @ b)).sum(axis=1)),
    (relu(PRODUCT) - abs(PRODUCT), lambda a, b, **_: np.maximum(a @ b, 0) - abs(a @ b)),
    (PRODUCT * PRODUCT * PRODUCT, lambda a, b, **_: (a @ b) ** 3),
    (PRODUCT**3, lambda a, b, **_: (a @ b) ** 3),
    ((1 + PRODUCT**2) ** -1.5, lambda a, b, **_: (1 + (a @ b) ** 2) ** -1.5),
    (exp(A) / total(exp(A), K), lambda a, **_: np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)),
    (log(total(exp(A), K)), lambda a, **_: np.log(np.exp(a).sum(axis=1))),
    (sqrt(total(A**2, K)) - S, lambda a, s, **_: np.sqrt((a**2).sum(axis=1)) - s),
    (maximum(PRODUCT, S) * minimum(PRODUCT, 1), lambda a, b, s, **_: np.maximum(a @ b, s) * np.minimum(a @ b, 1)),
    (greater(PRODUCT, 0) * PRODUCT, lambda a, b, **_: (a @ b > 0) * (a @ b)),
    (sign(A) + equal(A, S), lambda a, s, **_: np.sign(a) + (a == s)),
    (erf(PRODUCT / 8) + sin(PRODUCT) * cos(A), lambda a, b, **_: erf_then_sine(a, b)),
    (rsqrt(total(A * A, K)) * A, lambda a, **_: a * (1 / np.sqrt((a * a).sum(axis=1, keepdims=True)))),
    (where(A > S, A, floor(A)), lambda a, s, **_: np.where(a > s, a, np.floor(a))),
    (where(A <= S, stop_gradient(A), S) - (A >= 0), lambda a, s, **_: np.where(a <= s, a, s) - (a >= 0)),
    (where(less_equal(A, S), A, 2) * not_equal(A, S), lambda a, s, **_: np.where(a <= s, a, 2) * (a != s)),
    (mean(A, K) + mean(A * B, (I, K)), lambda a, b, **_: a.mean(axis=1)[:, None] + (a @ b).mean(axis=0) / a.shape[1]),
    (largest(A, K) - smallest(PRODUCT, J), lambda a, b, **_: a.max(axis=1) - (a @ b).min(axis=1)),
    (exp(A - largest(A, K)), lambda a, **_: np.exp(a - a.max(axis=1, keepdims=True))),
    (largest(A * B, (I, K)), lambda a, b, **_: (a[:, :, None] * b).max(axis=(0, 1))),
    (product(1 + A / 40, K) * S, lambda a, s, **_: np.prod(1 + a / 40, axis=1) * s),
    (-A * Extent("k"), lambda a, **_: -a * a.dtype.type(a.shape[1])),
]
IDS = [str(expr) for expr, _ in FORMULAS]


@pytest.mark.parametrize(("expr", "formula"), FORMULAS, ids=IDS)
def test_evaluation_is_that_of_the_formula(expr: Expr, formula: Callable[..., Array]) -> None:
    arguments = arguments_of(np.random.default_rng(1))
    expected = formula(**arguments)
    result = reference.evaluate(kernel_of(expr), arguments)["out"]
    assert result.dtype == np.float64
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12 * abs(expected).max())


@pytest.mark.parametrize(("expr", "formula"), FORMULAS, ids=IDS)
@pytest.mark.parametrize("seed", [2, 3])
def test_float32_stays_within_the_error_bound(expr: Expr, formula: Callable[..., Array], seed: int) -> None:
    arguments = arguments_of(np.random.default_rng(seed), "float32")
    kernel = kernel_of(expr)
    exact = reference.evaluate(kernel, arguments)["out"]
    bound = reference.error_bound(kernel, arguments, "float32")["out"]
    error = abs(formula(**arguments).astype(np.float64) - exact)
    assert formula(**arguments).dtype == np.float32
    assert (error <= bound).all()
    assert np.median(bound) <= 1e-3 * np.median(reference.magnitude(kernel, arguments)["out"])


@pytest.mark.parametrize("expr", [PRODUCT, tanh(S * 0.05 * PRODUCT), total(C * tanh(PRODUCT / 8), J)], ids=str)
def test_error_bound_catches_a_forgotten_term(expr: Expr) -> None:
    arguments = arguments_of(np.random.default_rng(4), "float32")
    kernel = kernel_of(expr)
    forgotten = {**arguments, "a": arguments["a"].copy()}
    forgotten["a"][:, -1] = 0
    error = abs(reference.evaluate(kernel, forgotten)["out"] - reference.evaluate(kernel, arguments)["out"])
    assert np.mean(error > reference.error_bound(kernel, arguments, "float32")["out"]) > 0.95


def test_bound_of_a_sum_of_products_is_gate_g4() -> None:
    arguments = arguments_of(np.random.default_rng(5))
    magnitude = abs(arguments["a"]) @ abs(arguments["b"])
    np.testing.assert_allclose(reference.magnitude(kernel_of(PRODUCT), arguments)["out"], magnitude, rtol=1e-14)
    for dtype in ("float32", "float64"):
        expected = 4 * np.finfo(dtype).eps * (math.sqrt(EXTENTS["k"]) + 4) * magnitude
        np.testing.assert_allclose(reference.error_bound(kernel_of(PRODUCT), arguments, dtype)["out"], expected)


def test_magnitude_takes_away_signs() -> None:
    arguments = arguments_of(np.random.default_rng(6))
    expr = total(-A * (B - S) * 2, K)
    a, b, s = (abs(arguments[name]) for name in "abs")
    np.testing.assert_allclose(reference.magnitude(kernel_of(expr), arguments)["out"], 2 * a @ (b + s), rtol=1e-14)


def test_a_value_that_may_jump_is_allowed_to() -> None:
    """A computed sum that is exactly 0 may come out on either side of 0."""
    kernel = kernel_of(greater(total(A, K), 0))
    zeros: dict[str, Array] = {**arguments_of(np.random.default_rng(7), "float32"), "a": np.zeros((7, 40), np.float32)}
    zeros["a"][:, 0], zeros["a"][:, 1] = 1, -1
    assert (reference.error_bound(kernel, zeros, "float32")["out"] >= 1).all()
    assert (reference.error_bound(kernel, {**zeros, "a": zeros["a"] + 1}, "float32")["out"] < 1e-4).all()


def test_reads_are_exact_so_that_they_do_not_jump() -> None:
    arguments: dict[str, Array] = {**arguments_of(np.random.default_rng(8)), "a": np.zeros((7, 40))}
    assert (reference.error_bound(kernel_of(greater(A, Constant(0.0))), arguments, "float32")["out"] < 1e-4).all()


def test_every_function_has_a_rule() -> None:
    assert set(MAGNITUDES) | set(JUMPS) | {"where"} == set(FUNCTIONS)


def test_a_choice_that_may_go_either_way_is_allowed_to() -> None:
    """Where the condition is a sum that is exactly 0, both branches are right; elsewhere only one."""
    kernel = kernel_of(where(total(A, K), 3 * S, 5 * S))
    given: dict[str, Array] = {**arguments_of(np.random.default_rng(7), "float32"), "a": np.zeros((7, 40), np.float32)}
    given["s"] = np.asarray(1.0, np.float32)
    given["a"][:, 0], given["a"][:, 1] = 1, -1
    assert (reference.evaluate(kernel, given)["out"] == 5).all()
    assert (reference.error_bound(kernel, given, "float32")["out"] >= 2).all()
    assert (reference.error_bound(kernel, {**given, "a": given["a"] + 1}, "float32")["out"] < 1e-4).all()
    certain = kernel_of(where(greater(A, 0), 3 * S, 5 * S))
    assert (reference.error_bound(certain, given, "float32")["out"] < 1e-4).all()


def test_which_element_is_the_largest_is_certain_unless_two_come_near() -> None:
    scaled = A * S
    kernel = kernel_of(equal(scaled, largest(scaled, K)) / total(equal(scaled, largest(scaled, K)), K))
    given = arguments_of(np.random.default_rng(3), "float32")
    assert (reference.error_bound(kernel, given, "float32")["out"] < 1e-4).all()
    two = [int(given["a"][2].argmax()), int(given["a"][2].argmin())]
    signed = 1 if given["s"] > 0 else -1
    first, second = two[::signed]
    given["a"][2, second] = np.nextafter(given["a"][2, first], np.float32(9 * signed))
    bound = reference.error_bound(kernel, given, "float32")["out"]
    assert not (bound[2] < 1).any()
    assert (bound[[0, 1, 3, 4, 5, 6]] < 1e-4).all()


def test_a_number_that_may_round_to_the_next_whole_one_is_allowed_to() -> None:
    kernel = kernel_of(floor(total(A, K)))
    given: dict[str, Array] = {**arguments_of(np.random.default_rng(7), "float32"), "a": np.zeros((7, 40), np.float32)}
    given["a"][:, 0] = 2
    assert (reference.error_bound(kernel, given, "float32")["out"] >= 1).all()
    assert (reference.error_bound(kernel, {**given, "a": given["a"] + 0.51}, "float32")["out"] < 1e-3).all()


def test_the_output_is_a_new_array_of_its_own_axes() -> None:
    arguments = arguments_of(np.random.default_rng(9))
    result = reference.evaluate(kernel_of(A, (K, J, I)), arguments)["out"]
    assert result.flags.c_contiguous
    assert not np.shares_memory(result, arguments["a"])
    np.testing.assert_array_equal(result, np.broadcast_to(arguments["a"].T[:, None, :], (40, 5, 7)))


def test_zero_extents() -> None:
    rng = np.random.default_rng(10)
    assert reference.evaluate(kernel_of(PRODUCT), arguments_of(rng, m=0))["out"].shape == (0, 5)
    for expr in (PRODUCT, S * PRODUCT, total(A * B * C, (K, J, L))):
        arguments: dict[str, Array] = {**arguments_of(rng, k=0), "s": np.asarray(np.inf)}
        result = reference.evaluate(kernel_of(expr), arguments)["out"]
        expected = np.inf * 0 if expr == S * PRODUCT else 0.0
        np.testing.assert_array_equal(result, np.full_like(result, expected))
        assert (reference.error_bound(kernel_of(PRODUCT), arguments, "float32")["out"] <= 1e-40).all()


@pytest.mark.parametrize(("reduce", "expected"), [(largest, -np.inf), (smallest, np.inf), (product, 1.0)])
def test_reductions_of_nothing_and_of_nan(reduce: Callable[..., Expr], expected: float) -> None:
    kernel = kernel_of(reduce(A, K))
    assert (reference.evaluate(kernel, arguments_of(np.random.default_rng(0), k=0))["out"] == expected).all()
    arguments = arguments_of(np.random.default_rng(0))
    arguments["a"][0, 3] = np.nan
    np.testing.assert_array_equal(np.isnan(reference.evaluate(kernel, arguments)["out"]), [True] + 6 * [False])


def test_a_sum_over_nothing_is_zero_even_times_infinity() -> None:
    arguments: dict[str, Array] = {**arguments_of(np.random.default_rng(11), k=0), "s": np.asarray(np.inf)}
    assert (reference.evaluate(kernel_of(total(A * S, K)), arguments)["out"] == 0).all()


def test_infinity_and_nan_propagate_without_warnings() -> None:
    arguments = arguments_of(np.random.default_rng(12))
    arguments["a"][0, 0], arguments["a"][1, 0] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        expected = arguments["a"] @ arguments["b"]
    result = reference.evaluate(kernel_of(PRODUCT), arguments)["out"]
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(result), np.isinf(expected))
    assert not np.isfinite(reference.evaluate(kernel_of(log(A) / (A - A)), arguments)["out"]).any()
    assert not np.isfinite(reference.error_bound(kernel_of(PRODUCT), arguments, "float32")["out"][:2]).any()


def test_sigmoid_far_out() -> None:
    arguments = arguments_of(np.random.default_rng(13))
    arguments["a"][0, :3] = -1000, 1000, -700
    result = reference.evaluate(kernel_of(sigmoid(A)), arguments)["out"]
    np.testing.assert_allclose(result[0, :3], [0, 1, math.exp(-700)], rtol=1e-13)


def test_arguments_are_checked() -> None:
    arguments = arguments_of(np.random.default_rng(14))
    with pytest.raises(ShapeError, match="kernel f: extent k is 40 in a"):
        reference.evaluate(kernel_of(PRODUCT), {**arguments, "b": arguments["c"]})
    del arguments["s"]
    with pytest.raises(ShapeError, match="kernel f: scalar s is missing"):
        reference.evaluate(kernel_of(PRODUCT), arguments)


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_sums_of_products_are_those_of_einsum(data: st.DataObject) -> None:
    """Two to four operands over any of four axes, in any order, to any of the axes."""
    axes, sizes = "ijkl", {"i": 2, "j": 3, "k": 4, "l": 5}
    subscripts = data.draw(
        st.lists(
            st.permutations(axes).flatmap(lambda p: st.integers(1, 3).map(lambda n: p[:n])), min_size=2, max_size=4
        )
    )
    used = sorted({axis for subscript in subscripts for axis in subscript})
    order = data.draw(st.permutations(used))
    result = order[: data.draw(st.integers(0, len(order) - 1))]
    specs = [TensorSpec(f"x{n}", tuple(subscript)) for n, subscript in enumerate(subscripts)]
    reads = [Read(spec.name, tuple(Axis(name, name) for name in spec.extents)) for spec in specs]
    body: Expr = reads[0]
    for read in reads[1:]:
        body = body * read
    over = tuple(Axis(name, name) for name in used if name not in result)
    expr = Reduce("sum", body, over)
    kernel = Kernel("f", tuple(specs), (Output("out", tuple(Axis(name, name) for name in result), expr),))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    arguments = {spec.name: rng.standard_normal([sizes[extent] for extent in spec.extents]) for spec in specs}
    expected = np.einsum(f"{','.join(map(''.join, subscripts))}->{''.join(result)}", *arguments.values())
    bound = reference.error_bound(kernel, arguments, "float64")["out"]
    assert (abs(reference.evaluate(kernel, arguments)["out"] - expected) <= bound).all()
