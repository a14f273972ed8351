"""Nodes: equality, hashing, pickling, axes, printed forms."""

import pickle
from typing import Any

import pytest

from autotune.errors import DefinitionError
from autotune.lang import (
    FUNCTIONS,
    Apply,
    Axis,
    Constant,
    Expr,
    Extent,
    Parameter,
    Read,
    Reduce,
    exp,
    maximum,
    pow,  # noqa: A004  # as at.pow
    relu,
)

I, J, K = Axis("i", "m"), Axis("j", "n"), Axis("k", "k")  # noqa: E741  # the usual names
A, B, X = Read("a", (I, K)), Read("b", (K, J)), Read("x", (I,))
S = Parameter("s")
PRODUCT = Reduce("sum", A * B, (K,))


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (PRODUCT, "sum[k](a[i, k] * b[k, j])"),
        (Reduce("sum", A * B, (K, I)), "sum[k, i](a[i, k] * b[k, j])"),
        (X - (X - S), "x[i] - (x[i] - s)"),
        (X - X - S, "x[i] - x[i] - s"),
        (X * (X * S), "x[i] * (x[i] * s)"),
        (X / (X * S) * 2, "x[i] / (x[i] * s) * 2"),
        ((X + 1) * S, "(x[i] + 1) * s"),
        (-(X + 1), "-(x[i] + 1)"),
        (-X * S, "-x[i] * s"),
        (-(X * S), "-(x[i] * s)"),
        (-(X.__neg__()), "-(-x[i])"),
        (X**2, "x[i] ** 2"),
        (X**-0.5, "x[i] ** -0.5"),
        ((-X) ** 2, "(-x[i]) ** 2"),
        (-(X**2), "-x[i] ** 2"),
        ((X**2) ** 3, "(x[i] ** 2) ** 3"),
        (Constant(-2.0) ** 2, "(-2) ** 2"),
        (X * -2, "x[i] * -2"),
        (X - 0.1, "x[i] - 0.1"),
        (X + 1e300, "x[i] + 1e+300"),
        (X * float("inf"), "x[i] * inf"),
        (Constant(-0.0), "-0.0"),
        (maximum(exp(X), relu(S)), "maximum(exp(x[i]), relu(s))"),
        (Read("c", ()) * Extent("m"), "c[] * extent(m)"),
        (2 / X, "2 / x[i]"),
        (abs(X), "abs(x[i])"),
    ],
)
def test_printed_form(expr: Expr, text: str) -> None:
    assert str(expr) == text
    assert repr(expr) == text


@pytest.mark.parametrize("expr", [X - X, X + 0, X * X, (X - 1) - 2, (X / 2) / 3, -X, X**2, 2 - X, 2 * (X + S) / 3])
def test_printed_form_reads_back_as_the_same_expression(expr: Expr) -> None:
    class Tensor:
        def __getitem__(self, index: Axis) -> Read:
            return Read("x", (index,))

    assert eval(str(expr), {"x": Tensor(), "i": I, "s": S}) == expr


@pytest.mark.parametrize(
    ("expr", "axes"),
    [
        (Constant(1.0), ()),
        (S, ()),
        (Extent("m"), ()),
        (A, (I, K)),
        (B * A, (K, J, I)),
        (PRODUCT, (I, J)),
        (Reduce("sum", PRODUCT, (J, I)), ()),
        (PRODUCT * Read("c", (K,)), (I, J, K)),
    ],
)
def test_free_axes_in_order_of_appearance(expr: Expr, axes: tuple[Axis, ...]) -> None:
    assert expr.axes == axes


def test_equality_is_structural() -> None:
    assert X + S == X + S
    assert hash(X + S) == hash(X + S)
    assert X + S != S + X
    assert X != "x[i]"
    assert Constant(1) == Constant(1.0)
    assert Parameter("a") != Extent("a")


@pytest.mark.parametrize("expr", [Constant(0.5), S, Extent("m"), A, exp(A), X + S, PRODUCT])
def test_rebuilding_from_the_own_children_changes_nothing(expr: Expr) -> None:
    assert expr.rebuild(expr.children) == expr


def test_powers_are_functions_too() -> None:
    assert pow(X, 2) == X**2
    with pytest.raises(DefinitionError, match=r"the exponent x\[i\] of a power must be a number"):
        2**X


def test_nodes_are_immutable() -> None:
    with pytest.raises(AttributeError):
        S.name = "t"  # type: ignore[misc]


@pytest.mark.parametrize("expr", [Constant(0.5), S, Extent("m"), A, exp(A), PRODUCT, PRODUCT / (1 + PRODUCT)])
def test_pickle(expr: Expr) -> None:
    copy = pickle.loads(pickle.dumps(expr))
    assert copy == expr
    assert hash(copy) == hash(expr)


def test_sharing_costs_nothing() -> None:
    expr: Expr = X
    for _ in range(200):
        expr = expr * expr
    assert expr.axes == (I,)
    assert pickle.loads(pickle.dumps(expr)).axes == (I,)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Apply("sine", (X,)), r"unknown function 'sine'; the functions are add, "),
        (lambda: Apply("exp", (X, X)), r"exp takes 1 operands, not 2"),
        (lambda: Reduce("median", X, (I,)), r"unknown reduction 'median'; the reductions are sum"),
        (lambda: Axis("2i", "m"), r"'2i' cannot name an axis"),
        (lambda: Axis("i", "for"), r"'for' cannot name an extent"),
        (lambda: Parameter("inf"), r"'inf' cannot name a scalar"),
        (lambda: Read("a b", ()), r"'a b' cannot name a tensor"),
        (lambda: Read("a", (Axis("i", "m"), Axis("i", "n"))), r"axis i is used over two extents, m and n"),
        (lambda: Constant(True), r"True is not a number"),
    ],
)
def test_nodes_validate_themselves(build: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        build()


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_table_of_functions_is_consistent(function: Any) -> None:
    assert FUNCTIONS[function.name] is function
    assert function.form.count("{}") == function.arity
