"""Sums and products in simplest form."""

import pytest

from autotune.autodiff.simplify import power, product, sum_over, total
from autotune.lang import Axis, Constant, Expr, Parameter, Read, Reduce, exp

I, J, K = Axis("i", "m"), Axis("j", "n"), Axis("k", "k")  # noqa: E741  # the usual names
A, B, X, S = Read("a", (I, K)), Read("b", (K, J)), Read("x", (I,)), Parameter("s")
ONE, ZERO = Constant(1.0), Constant(0.0)


@pytest.mark.parametrize(
    ("operands", "text"),
    [
        ([], "1"),
        ([X], "x[i]"),
        ([X, ONE], "x[i]"),
        ([X, ZERO, exp(X)], "0"),
        ([X, Constant(2.0), S * 3], "6 * x[i] * s"),
        ([X, Constant(-1.0)], "-x[i]"),
        ([-X, -S], "x[i] * s"),
        ([-X, Constant(2.0)], "-(2 * x[i])"),
        ([X, 1 / S], "x[i] / s"),
        ([X, 2 / S, 1 / exp(X)], "2 * x[i] / s / exp(x[i])"),
        ([1 / S], "1 / s"),
        ([X / S], "x[i] / s"),
        ([X / (S * 2), -S / 3], "-(x[i] * s / (s * 2) / 3)"),
        ([Constant(-3.0)], "-3"),
        ([X * (S * X)], "x[i] * s * x[i]"),
    ],
)
def test_products(operands: list[Expr], text: str) -> None:
    assert str(product(operands)) == text


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ([], "0"),
        ([X], "x[i]"),
        ([X, ZERO], "x[i]"),
        ([X, X], "2 * x[i]"),
        ([X, -X], "0"),
        ([X, S, X * -1], "s"),
        ([-X, S], "-x[i] + s"),
        ([X, -S], "x[i] - s"),
        ([X, -(2 * S)], "x[i] - 2 * s"),
        ([X, Constant(1.0), Constant(2.0)], "x[i] + 3"),
        ([X * S / 2, X], "x[i] * s / 2 + x[i]"),
    ],
)
def test_sums(terms: list[Expr], text: str) -> None:
    assert str(total(terms)) == text


@pytest.mark.parametrize(
    ("expr", "axes", "text"),
    [
        (A, (), "a[i, k]"),
        (A, (K,), "sum[k](a[i, k])"),
        (ZERO, (K,), "0"),
        (ONE, (K,), "extent(k)"),
        (X, (K,), "extent(k) * x[i]"),
        (X * S, (I,), "s * sum[i](x[i])"),
        (-3 * A * B * X, (K,), "-(3 * x[i] * sum[k](a[i, k] * b[k, j]))"),
        (A * B * X, (K, J), "x[i] * sum[k, j](a[i, k] * b[k, j])"),
        (A / S, (K,), "sum[k](a[i, k]) / s"),
        (A * (1 / X), (K,), "sum[k](a[i, k]) / x[i]"),
        (A * (1 / exp(A)), (K,), "sum[k](a[i, k] / exp(a[i, k]))"),
        (Reduce("sum", A * B, (K,)), (I,), "sum[i, k](a[i, k] * b[k, j])"),
        (S * Reduce("sum", A * B, (K,)), (I, J), "s * sum[i, j, k](a[i, k] * b[k, j])"),
        (X * Reduce("sum", A * B, (K,)), (I,), "sum[i](x[i] * sum[k](a[i, k] * b[k, j]))"),
        (A + X, (K,), "sum[k](a[i, k] + x[i])"),
    ],
)
def test_sums_over_axes(expr: Expr, axes: tuple[Axis, ...], text: str) -> None:
    assert str(sum_over(expr, axes)) == text


def test_powers() -> None:
    assert power(X, 1.0) == X
    assert power(X, 0.0) == ONE
    assert power(X, 3.0) == X**3
