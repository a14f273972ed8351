"""Conditions on affine indices, against brute force over the indices they speak of."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.lang import Affine, Apply, Axis, Constant, Read, Reindex
from autotune.schedule.conditions import Inside, Residue, Variable, always, guards, periods, residues

H, W, R, S, P = (Axis(name, name) for name in "hwrsp")
NUMBERS = st.integers(-4, 4)


def value(index: Affine, indices: dict[Axis | str, int]) -> int:
    return sum(number * indices[term] for term, number in index.terms) + index.offset


@given(st.integers(1, 6), st.integers(1, 6), NUMBERS, NUMBERS.filter(bool), NUMBERS)
def test_residue_classes_are_those_at_which_an_index_is_whole(
    divisor: int, period: int, start: int, step: int, offset: int
) -> None:
    """Of (period·h' + start + step·r + offset) / divisor, once the class of h is fixed and enough."""
    index = Affine.total([(H, period * divisor), (R, step)], start + offset, divisor)
    found = residues([Inside(index, "p")], [R])
    whole = [r for r in range(40) if value(Affine(index.terms, index.offset), {H: 3, R: r}) % index.divisor == 0]
    if found is None:
        assert whole == []
    else:
        chosen = found.get(R, Residue())
        assert whole == list(range(chosen.start, 40, chosen.step))


def test_classes_of_two_conditions_are_combined() -> None:
    conditions = [Inside(Affine.total([(R, 1)], 1, 2), "p"), Inside(Affine.total([(R, 1)], 0, 3), "p")]
    assert residues(conditions, [R]) == {R: Residue(3, 6)}
    assert residues([*conditions, Inside(Affine.total([(R, 1)], 0, 2), "p")], [R]) is None


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (Affine.total([(H, 1), (R, -1)], 1, 2), {H: 2}),
        (Affine.total([(H, 2), (R, -1)], 0, 4), {H: 2}),
        (Affine.total([(H, 1)], 0, 3), {H: 3}),
        (Affine.total([(H, 1), (W, 1), (R, 1)], 0, 2), {}),  # two outer axes decide
        (Affine.total([(H, 1), (R, 1), (S, 1)], 0, 2), {}),  # two inner ones
        (Affine.total([(H, 1), ("n", 1)], 0, 2), {}),  # an extent
        (Affine.total([(H, 1), (R, -1)], 0, 17), {}),  # too many classes
        (Affine.total([(R, 1)], 0, 2), {}),  # none of the outer axes
    ],
)
def test_outer_loops_run_in_as_many_classes_as_decide(index: Affine, expected: dict[Axis, int]) -> None:
    assert periods([Inside(index, "p")], [H, W]) == expected


def test_inner_loops_have_their_classes_before_outer_ones() -> None:
    conditions = [Inside(Affine.total([(axis, 1), (over, -1)], 0, 5), "p") for axis, over in ((H, R), (W, S))]
    assert periods(conditions, [H, W]) == {W: 5}


@given(st.lists(NUMBERS, min_size=2, max_size=2), NUMBERS, st.integers(1, 3), st.integers(0, 2))
def test_what_always_holds_holds_for_all_extents(numbers: list[int], offset: int, step: int, start: int) -> None:
    variables = {H: Variable(H, Residue(min(start, step - 1), step)), R: Variable(R)}
    condition = Affine.total([(H, numbers[0]), (R, numbers[1]), ("h", 1), ("r", 1)], offset)
    if not always(condition, variables):
        return
    for h, r in product(range(1, 7), repeat=2):
        for i, j in product(range(variables[H].residue.start, h, step), range(r)):
            quotient = (i - variables[H].residue.start) // step
            assert value(condition, {H: quotient, R: j, "h": h, "r": r}) >= 0


def test_a_range_that_ends_where_the_axis_ends_is_seen() -> None:
    lower, upper = Inside(Affine.total([(H, 1)], -1), "h").inequalities
    assert not always(lower, {H: Variable(H)})
    assert always(upper, {H: Variable(H)})
    assert not always(Affine.total([("p", 1)], -1), {})  # an extent that no loop is over may be 0


def test_guards_are_the_padded_factors_outside_whose_range_a_term_is_nothing() -> None:
    index = Affine.total([(H, 1), (R, -1)], 0)
    padded, other = Read("x", (index,), 0.0), Read("x", (index,), 1.0)
    extents = {"x": ("p",)}
    places = {axis: Affine.of(axis) for axis in (H, R)}

    def found(reduction: str, body) -> int:
        return len(list(guards(reduction, body, places, extents)))

    assert found("sum", padded * other) == 1
    assert found("sum", -padded / (1 + padded)) == 1
    assert found("sum", padded + other) == 0
    assert found("prod", other) == 1
    assert found("max", padded) == 0
    assert found("argmax", Read("x", (index,), float("-inf"))) == 0
    assert found("max", Read("x", (index,), float("-inf"))) == 1


def test_guards_inside_a_reindexing_are_seen_at_its_indices() -> None:
    body = Apply("mul", (Read("x", (Affine.total([(P, 1)], 1),), 0.0), Constant(2.0)))
    moved = Reindex(body, (P,), (Affine.total([(H, 1), (R, -1)], 0),), 0.0)
    found = list(guards("sum", moved, {axis: Affine.of(axis) for axis in (H, R)}, {"x": ("n",)}))
    conditions = [(str(condition.index), condition.extent) for guard in found for condition in guard.conditions]
    assert conditions == [("h - r", "p"), ("h - r + 1", "n")]
