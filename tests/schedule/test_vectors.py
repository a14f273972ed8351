"""Which loops can be a vector's, and which of them is worth it: by how memory is accessed along each."""

import pytest

import autotune.lang as at
from autotune.autodiff import derive
from autotune.lang import Affine, Axis, Kernel, Output, Read, Reindex, Tensor, TensorSpec, define
from autotune.schedule import AnyStage, stages
from autotune.schedule.vectors import (
    ANYWHERE,
    APART,
    NEIGHBOURS,
    SAME,
    TURNED,
    Movement,
    best_vector_axis,
    movements,
    slides,
    vector_axes,
    vector_cost,
)
from tests.constructs import CONSTRUCTS
from tests.kernels import KERNELS

LANES = 8


def main(kernel: Kernel, size: int = 64, **extents: int) -> AnyStage:
    """The last stage."""
    return stages(kernel, {name: extents.get(name, size) for name in kernel.extent_names})[-1]


def constructed(name: str, size: int = 64, **extents: int) -> AnyStage:
    return main((CONSTRUCTS | KERNELS)[name], size, **extents)


def named(axes: tuple[Axis, ...]) -> str:
    return " ".join(axis.name for axis in axes)


def axis_of(stage: AnyStage, name: str) -> Axis:
    return next(axis for axis in stage.loops if axis.name == name)


def best(stage: AnyStage, size: int = 64, **extents: int) -> str:
    found = best_vector_axis(stage, {axis: extents.get(axis.name, size) for axis in stage.loops}, LANES)
    return found.name if found else "none"


def cost(stage: AnyStage, axis: str, **extents: int) -> float:
    return vector_cost(stage, axis_of(stage, axis), {own: extents[own.name] for own in stage.loops}, LANES)


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("outer", "n m"),
        ("farthest", "n m k"),
        ("column_sum", "n m"),
        ("scattered_2d", ""),  # both of its axes are indexed
        ("running", "n"),  # never along the steps
    ],
)
def test_axes_that_a_vector_can_run_along(name: str, axes: str) -> None:
    assert named(vector_axes(constructed(name))) == axes


def test_a_vector_finds_no_position_along_what_is_searched() -> None:
    (largest, *_) = stages(CONSTRUCTS["ranked"], {"n": 8, "m": 8})
    assert named(vector_axes(largest)) == "n"


def test_a_scatter_runs_along_what_its_indices_do_not_depend_on() -> None:
    (scatter,) = stages(derive(CONSTRUCTS["gathered"], "vjp:table"), {"v": 8, "d": 8, "t": 8})
    assert named(vector_axes(scatter)) == "d"


def test_a_power_that_is_not_whole_has_no_vector_form() -> None:
    def roots(x: Tensor["n"]):
        (i,) = at.axes(x)
        return at.output[i](x[i] ** 1.25)

    def cubes(x: Tensor["n"]):
        (i,) = at.axes(x)
        return at.output[i](x[i] ** 3)

    assert vector_axes(main(define(roots))) == ()
    assert best(main(define(roots))) == "none"
    assert named(vector_axes(main(define(cubes)))) == "n"


@pytest.mark.parametrize(
    ("steps", "cost"),
    [
        ((), SAME),
        ((0, 0), SAME),
        ((0, 1), NEIGHBOURS),
        ((0, 2), APART),
        ((4,), APART),
        ((5,), ANYWHERE),
        ((-1,), ANYWHERE),  # lanes in the other order
        ((1, 0), ANYWHERE),
        ((1, 1), ANYWHERE),  # along a diagonal
        ((None, 0), ANYWHERE),
        ((0, None), ANYWHERE),
    ],
)
def test_what_a_movement_costs(steps: tuple[int | None, ...], cost: float) -> None:
    assert Movement(steps).cost == cost


def test_what_is_transposed_for_it_is_between_neighbours_and_anywhere() -> None:
    assert NEIGHBOURS < Movement((1, 0), turned=True).cost == TURNED < ANYWHERE
    assert Movement((0, 0), turned=True).cost == SAME


@pytest.mark.parametrize(
    ("name", "axis", "reads", "writes"),
    [
        ("every_second", "h", [(0, 2), (0, 2)], [(0, 1)]),
        ("every_second", "n", [(1, 0), (1, 0)], [(1, 0)]),
        ("flipped", "n", [(-1, 0)], [(1, 0)]),
        ("diagonal", "i", [(1, 1)], [(1,)]),
        ("gathered", "t", [(1,), (None, 0)], [(1, 0)]),
        ("gathered", "d", [(0,), (0, 1)], [(0, 1)]),
    ],
)
def test_how_accesses_move(name: str, axis: str, reads: list[object], writes: list[object]) -> None:
    stage = constructed(name)
    found, written = movements(stage, axis_of(stage, axis))
    assert sorted((move.steps for move in found), key=str) == sorted(reads, key=str)
    assert [move.steps for move in written] == writes


def test_between_two_elements_there_is_nothing_to_load() -> None:
    """Every second lane of y[i / 2] is there; every lane of y[i] where i counts twice."""
    i = Axis("i", "n")
    inputs = (TensorSpec("y", ("n",)),)
    for number, step in ((1, None), (2, 1), (4, 2)):
        read = Read("y", (Affine.total([(i, number)], 0, 2),), 0.0)
        found, _ = movements(main(Kernel("f", inputs, (Output("out", (i,), read + 1),), "vjp:y")), i)
        assert [move.steps for move in found] == [(step,)]


def test_what_is_read_at_other_indices_moves_as_they_do() -> None:
    """Through a reindexing that is computed at each point."""
    i, j = Axis("i", "n"), Axis("j", "n")
    moved = Reindex(at.exp(Read("x", (j,))), (j,), (Affine.total([(i, 3)], 1),), 0.0)
    kernel = Kernel("f", (TensorSpec("x", ("n",)),), (Output("out", (i,), moved + 1),), "vjp:x")
    found, _ = movements(main(kernel), i)
    assert [move.steps for move in found] == [(3,)]


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("outer", "n"),
        ("column_sum", "n"),  # across the rows
        ("matvec", "k"),  # along them
        ("hadamard", "n"),
        ("flipped", "m"),  # the other is read backwards and written across rows
        ("gathered", "d"),
        ("running", "n"),
        ("correlated_2d", "q"),
    ],
)
def test_vectors_run_where_memory_does(name: str, axis: str) -> None:
    assert best(constructed(name)) == axis


def test_a_single_index_fills_no_vector() -> None:
    stage = constructed("outer")
    assert best(stage, m=64, n=64) == "n"
    assert best(stage, m=64, n=1) == "m"


def test_lanes_left_empty_cost() -> None:
    full, most, one, none = (cost(constructed("outer"), "n", m=64, n=size) for size in (64, 60, 1, 0))
    assert full < most < one
    assert one == pytest.approx(LANES * full)
    assert none == full  # of nothing it does not matter


def test_adding_up_lanes_costs_less_the_longer_the_sum() -> None:
    costs = [cost(constructed("matvec"), "k", m=64, k=size) for size in (8, 64, 512)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_what_a_sum_does_not_depend_on_costs_less_the_longer_it_is() -> None:
    costs = [cost(constructed("column_sum"), "n", n=64, m=size) for size in (1, 8, 64)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


@pytest.mark.parametrize(("name", "expected"), [("correlated_2d", True), ("shifted", False), ("diagonal", False)])
def test_what_slides(name: str, expected: bool) -> None:
    """A window; a stencil of single places does not."""
    assert slides(constructed(name)) == expected


def test_in_residue_classes_neighbours_are_a_period_apart() -> None:
    """What a class reads of a strided window's gradient lies side by side, what it writes `stride` apart."""
    stage = constructed("upsampled_2_1_1", h=64, p=32, r=3)
    axis, sizes = axis_of(stage, "h"), dict.fromkeys(stage.loops, 64)
    plain, classes = (vector_cost(stage, axis, sizes, LANES, found) for found in ({}, {axis: 2}))
    assert classes < plain / 2
