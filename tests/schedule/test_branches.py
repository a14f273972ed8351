"""Sums that one branch of a choice reads: which get its condition, and which must not."""

import pytest

import autotune.lang as at
from autotune.lang import Apply, Axis, Expr, Read, Reduce
from autotune.lang.graph import subexpressions
from autotune.schedule.branches import narrowed

A, T, H = Axis("a", "a"), Axis("t", "t"), Axis("h", "h")
CONDITION = Read("c", (A,)) > 0
TERMS = at.tanh(Read("x", (A, T, H)))
OTHER = Read("y", (A, T))


def total(body: Expr, reduction: str = "sum") -> Reduce:
    return Reduce(reduction, body, (H,))


def conditions_inside(expr: Expr) -> int:
    """How many reductions are of a choice."""
    nodes = [node for node in subexpressions(narrowed(expr)) if isinstance(node, Reduce)]
    return sum(isinstance(node.body, Apply) and node.body.function == "where" for node in nodes)


def test_the_condition_goes_into_the_sums_of_either_branch() -> None:
    choice = at.where(CONDITION, total(TERMS) / 2, total(at.exp(TERMS)))
    assert conditions_inside(choice) == 2
    first = at.where(CONDITION, total(at.where(CONDITION, TERMS, 0.0)) / 2, OTHER)
    assert narrowed(at.where(CONDITION, total(TERMS) / 2, OTHER)) == first


@pytest.mark.parametrize(
    "expr",
    [
        at.where(CONDITION, total(TERMS), OTHER) + total(TERMS),
        at.where(CONDITION, total(TERMS), total(TERMS)),
        at.where(total(TERMS) > 0, total(TERMS), OTHER),
        at.where(OTHER > 0, total(TERMS), OTHER),
        at.where(CONDITION, total(TERMS, "max"), OTHER),
        at.where(CONDITION, total(Read("p", (A, H)) * Read("q", (T, H))), OTHER),
    ],
    ids=["read elsewhere", "in both branches", "in the condition", "of each element", "no sum", "product of matrices"],
)
def test_other_sums_stay(expr: Expr) -> None:
    assert conditions_inside(expr) == 0
    assert narrowed(expr) == expr
