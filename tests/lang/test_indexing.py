"""Which expressions can be indices, and which are whole numbers exactly."""

import pytest

import autotune.lang as at
from autotune.lang import Affine, Axis, Constant, Expr, Extent, Parameter, Position, Read, Reduce
from autotune.lang.indexing import as_indices, counts, is_integer, is_whole

I, J = Axis("i", "m"), Axis("j", "n")  # noqa: E741  # the usual names
WHOLE, REAL = Read("idx", (I,), integer=True), Read("x", (I,))

# An expression, whether its values are whole, whether it is of integer kind, whether an output of it is.
KINDS: list[tuple[Expr, bool, bool, bool]] = [
    (Position(I), True, True, False),
    (Extent("m"), True, True, False),
    (Constant(2), True, True, False),
    (Constant(-0.0), True, False, False),
    (Constant(2.0**60), True, False, False),
    (Constant(0.5), False, False, False),
    (Parameter("s"), False, False, False),
    (WHOLE, True, True, True),
    (REAL, False, False, False),
    (WHOLE + 2 * I - 1, True, True, True),
    (-at.maximum(WHOLE, at.minimum(J, 3)), True, True, True),
    (at.where(REAL > 0, WHOLE, 0), True, True, True),
    (at.where(REAL > 0, I, 0), True, True, True),
    (at.where(WHOLE, REAL, 0), False, False, False),
    (at.stop_gradient(WHOLE), True, True, True),
    (at.floor(REAL), True, False, False),
    (at.floor(WHOLE) + WHOLE, True, False, False),
    (WHOLE / 2, False, False, False),
    (WHOLE // 2, True, False, False),
    (abs(WHOLE), False, False, False),
    (Reduce("argmax", REAL, (I,)), True, True, True),
    (Reduce("argmin", REAL + J, (J, I)) * 3, True, True, True),
    (Reduce("max", WHOLE, (I,)), False, False, False),
    (Reduce("sum", WHOLE, (I,)), False, False, False),
]


@pytest.mark.parametrize(("expr", "whole", "integer", "counted"), KINDS, ids=lambda case: str(case))
def test_kinds_of_numbers(expr: Expr, whole: bool, integer: bool, counted: bool) -> None:
    assert is_whole(expr) == whole
    assert is_integer(expr) == integer
    assert counts(expr) == counted


def test_kinds_are_told_in_linear_time() -> None:
    expr: Expr = WHOLE
    for _ in range(200):
        expr = expr + at.maximum(expr, 1)
    assert is_integer(expr)
    assert is_whole(expr)


def test_indices_are_affine_where_they_can_be() -> None:
    written = (I, 2 * I - J + at.extent(J), 3, -(I - 1) * 2, WHOLE + I, I + 0)
    assert as_indices("x", written) == (
        I,
        Affine.total([(I, 2), (J, -1), ("n", 1)], 0),
        Affine((), 3),
        Affine(((I, -2),), 2),
        WHOLE + I,
        I,
    )
    assert as_indices("x", I) == (I,)
    assert as_indices("x", ()) == ()


def test_what_is_not_affine_may_be_computed_all_the_same() -> None:
    assert as_indices("x", at.floor(Position(I) * J)) == (at.floor(Position(I) * J),)
    assert as_indices("x", I // 2) == (at.floor(Position(I) / 2),)
