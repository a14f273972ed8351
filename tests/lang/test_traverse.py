"""Walks over expressions, and renaming that captures nothing."""

from autotune.lang import Axis, Expr, Read, Reduce, exp
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import factors, rename, shared, summands

I, J, K = Axis("i", "m"), Axis("j", "n"), Axis("k", "n")  # noqa: E741  # the usual names
A, B = Read("a", (I, K)), Read("b", (K, J))
PRODUCT = Reduce("sum", A * B, (K,))


def test_children_come_first_and_once() -> None:
    assert subexpressions(exp(A) * exp(A) + B) == (A, exp(A), exp(A) * exp(A), B, exp(A) * exp(A) + B)


def test_a_sum_of_products_is_one_operation() -> None:
    assert subexpressions(PRODUCT, summands) == (A, B, PRODUCT)


def test_walks_are_linear_in_shared_nodes() -> None:
    expr: Expr = A
    for _ in range(200):
        expr = exp(expr) + expr
    assert len(subexpressions(expr)) == 401
    assert rename(expr, {I: J}).axes == (J, K)


def test_shared_leaves_out_reads() -> None:
    assert shared(exp(A) + A) == ()
    assert shared(exp(A) * exp(A)) == (exp(A),)


def test_factors_of_nested_products() -> None:
    assert factors(A * (B * exp(A * B))) == (A, B, exp(A * B))
    assert factors(A + B) == (A + B,)


def test_rename_replaces_all_at_once() -> None:
    assert rename(A * B, {K: J, J: K}) == Read("a", (I, J)) * Read("b", (J, K))


def test_rename_leaves_bound_axes_alone() -> None:
    assert rename(PRODUCT, {K: J}) is PRODUCT
    assert rename(PRODUCT * A, {K: Axis("p", "n")}) == PRODUCT * Read("a", (I, Axis("p", "n")))


def test_rename_sets_bound_axes_apart_from_new_ones() -> None:
    other = Axis("k_2", "n")
    assert rename(PRODUCT, {J: K}) == Reduce("sum", Read("a", (I, other)) * Read("b", (other, K)), (other,))


def test_rename_sets_apart_axes_of_another_extent_with_the_same_name() -> None:
    new = Axis("k", "m")
    assert str(rename(PRODUCT, {I: new})) == "sum[k_2](a[k, k_2] * b[k_2, j])"


def test_names_set_apart_do_not_clash_themselves() -> None:
    expr = Reduce("sum", Read("a", (Axis("k_2", "m"), K)) * Read("b", (K, J)), (K,))
    assert str(rename(expr, {J: K})) == "sum[k_3](a[k_2, k_3] * b[k_3, k])"
