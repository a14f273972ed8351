"""Walks over expressions, and renaming that captures nothing."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autotune.lang import Axis, Carry, Constant, Expr, Output, Read, Reduce, Scan, exp, reference
from autotune.lang.constructs import Linearized
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import carrying, erase, factors, rename, scan_inputs, shared, step_nodes, summands
from tests.lang.strategies import Case, cases

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
    assert shared([exp(A) + A]) == ()
    assert shared([exp(A) * exp(A)]) == (exp(A),)


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


@given(
    case=cases(), names=st.permutations(["r3_0", "r2_0", "r2_1", "r1_0", "i", "j", "q"]).map(lambda names: names[:2])
)
@settings(deadline=None, max_examples=60)
def test_renamed_axes_leave_the_values_as_they_are(case: Case, names: list[str]) -> None:
    """Whatever names the axes bound inside have."""
    fresh = {old: Axis(name, old.extent) for old, name in zip(case.axes, names, strict=True)}
    renamed = rename(case.expr, fresh)
    assert set(renamed.axes) == {fresh[axis] for axis in case.expr.axes}
    output = Output("out", tuple(fresh[axis] for axis in case.axes), renamed)
    kernel = replace(case.kernel, outputs=(output,))
    expected = reference.evaluate(case.kernel, case.arguments)["out"]
    np.testing.assert_allclose(reference.evaluate(kernel, case.arguments)["out"], expected, rtol=1e-9, atol=1e-9)
    back = rename(renamed, {new: old for old, new in fresh.items()})
    again = reference.evaluate(replace(case.kernel, outputs=(Output("out", case.axes, back),)), case.arguments)["out"]
    np.testing.assert_allclose(again, expected, rtol=1e-9, atol=1e-9)


T = Axis("t", "t")
X = Read("x", (I, T))
S, U = Carry("s", (I,)), Carry("u", (I,))
SCAN = Scan(T, (S, U), (Constant(0), exp(Read("y", (I,)))), (S + exp(X), S * U * exp(X)))


def test_the_parts_of_a_scan() -> None:
    assert scan_inputs(SCAN) == (Constant(0), exp(Read("y", (I,))), exp(X))
    assert step_nodes(SCAN) == (S, S + exp(X), U, S * U, S * U * exp(X))
    assert SCAN.lanes == (I,)
    assert SCAN.axes == (I, T)
    assert SCAN.result(1).group == SCAN


def test_the_steps_of_a_scan_inside_another_are_not_its_own() -> None:
    r = Carry("r", (I,))
    outer = Scan(T, (r,), (Constant(1),), (r * SCAN,))
    assert scan_inputs(outer) == (Constant(1), SCAN)
    assert step_nodes(outer) == (r, r * SCAN)
    assert outer not in carrying(subexpressions(outer))


def test_erased_expressions_have_no_rules_of_their_own() -> None:
    value = exp(A)
    ruled = Linearized(value, (A,), (value,))
    assert erase(ruled + Reduce("sum", ruled * B, (K,))) == value + Reduce("sum", value * B, (K,))
