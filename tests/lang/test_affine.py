"""Affine indices: the algebra, against plain arithmetic."""

from fractions import Fraction
from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from autotune.lang import Affine, Axis
from autotune.lang.indexing import affine_expr, affine_of

AXES = (Axis("i", "m"), Axis("j", "n"), Axis("k", "m"))
TERMS = (*AXES, "m", "n")
numbers = st.integers(-4, 4)
affines = st.builds(
    lambda coefficients, offset, divisor: Affine.total(zip(TERMS, coefficients, strict=True), offset, divisor),
    st.tuples(*[numbers] * len(TERMS)),
    numbers,
    st.sampled_from([1, 1, 2, 3, -2]),
)
places = st.fixed_dictionaries({term: st.integers(1, 9) for term in TERMS})


def value(affine: Affine, place: dict[Axis | str, int]) -> Fraction:
    return Fraction(affine.offset + sum(number * place[term] for term, number in affine.terms), affine.divisor)


@given(affine=affines, others=st.tuples(affines, affines), place=places)
def test_substitution(affine: Affine, others: tuple[Affine, Affine], place: dict[Axis | str, int]) -> None:
    i, j, _ = AXES
    result = affine.substitute({i: others[0], j: others[1]})
    expected = value(affine, {**place, i: value(others[0], place), j: value(others[1], place)})  # type: ignore[dict-item]
    assert value(result, place) == expected
    assert result.divisor > 0


@given(affine=affines, place=places)
def test_solving_for_an_axis(affine: Affine, place: dict[Axis | str, int]) -> None:
    i, new = AXES[0], Axis("x", "x")
    assume(affine.coefficient(i) != 0)
    solution = affine.solve(i, new)
    reached = value(affine, place)
    assume(reached.denominator == 1)
    assert value(solution, {**place, new: int(reached)}) == place[i]


@given(affine=affines)
def test_equal_functions_are_equal(affine: Affine) -> None:
    assert Affine.total(reversed(affine.terms), affine.offset, affine.divisor) == affine
    doubled = Affine.total(
        [(term, -2 * number) for term, number in affine.terms], -2 * affine.offset, -2 * affine.divisor
    )
    assert doubled == affine


@given(affine=affines, extents=st.fixed_dictionaries({"m": st.integers(1, 4), "n": st.integers(1, 4)}))
def test_bounds_are_reached(affine: Affine, extents: dict[str, int]) -> None:
    found: list[Fraction] = []
    for index in product(*(range(extents[axis.extent]) for axis in AXES)):
        place: dict[Axis | str, int] = {**dict(zip(AXES, index, strict=True)), "m": extents["m"], "n": extents["n"]}
        found.append(value(Affine(affine.terms, affine.offset), place))
    least, greatest = affine.bounds(extents)
    assert (Fraction(least), Fraction(greatest)) == (min(found), max(found))


@given(affine=affines)
def test_as_a_value_and_back(affine: Affine) -> None:
    whole = Affine(affine.terms, affine.offset)
    assert affine_of(affine_expr(whole)) == whole


def test_printed_form() -> None:
    i, j, _ = AXES
    assert str(Affine.total([(i, 2), (j, -1)], -3)) == "2*i - j - 3"
    assert str(Affine.total([(i, -1), ("m", 1)], 0)) == "-i + extent(m)"
    assert str(Affine.total([(i, 1)], 1, 2)) == "(i + 1) / 2"
    assert str(Affine.total([], -1)) == "-1"
    assert str(Affine.total([(i, 1)], 0)) == "i"
