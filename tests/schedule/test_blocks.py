"""Which stages may share a block, and by which axes: what one hands on to the next must be there when it is read."""

from collections.abc import Sequence

import pytest

import autotune.lang as at
from autotune.autodiff import derive
from autotune.lang import Affine, Axis, Kernel, Output, Read, Reduce, Scatter, Tensor, TensorSpec, define
from autotune.schedule import AnyStage, PointStage, Result, stages
from autotune.schedule.blocks import Block, groups, sliced_axes
from tests.constructs import CONSTRUCTS
from tests.kernels import KERNELS


def names_of_extents(kernel: Kernel, found: Sequence[AnyStage]) -> dict[str, tuple[str, ...]]:
    known = {spec.name: spec.extents for spec in kernel.inputs if isinstance(spec, TensorSpec)}
    made = {result.name: result.axes for stage in found for result in stage.results}
    return known | {name: tuple(axis.extent for axis in axes) for name, axes in made.items()}


def grouped(kernel: Kernel, size: int = 16) -> list[tuple[list[str], list[str]]]:
    """The names of the stages of each group, and of the axes that they share."""
    found = stages(kernel, dict.fromkeys(kernel.extent_names, size))
    return [
        ([stage.name for stage in members], [axis.name for axis in axes])
        for members, axes in groups(found, names_of_extents(kernel, found))
    ]


def slices(kernel: Kernel, size: int = 16, stage: int = -1) -> list[str]:
    found = stages(kernel, dict.fromkeys(kernel.extent_names, size))
    return [axis.name for axis in sliced_axes(found[stage], names_of_extents(kernel, found))]


def test_what_is_done_to_rows_shares_them() -> None:
    (group,) = grouped(KERNELS["softmax"])
    assert group == (["stage_0", "stage_1", "stage_2", "out"], ["rows"])


def test_sums_over_rows_join_what_is_done_to_each() -> None:
    """They add their parts of each block; what is done to a sum may read another sum."""
    assert grouped(CONSTRUCTS["summed_rows"]) == [(["stage_0", "out"], ["n"])]
    (group,) = grouped(CONSTRUCTS["summed_twice"])
    assert group[1] == ["n"]


def test_sums_of_everything_share_what_they_sum_over() -> None:
    """Threads, and what they read."""
    assert grouped(KERNELS["dot"]) == [(["out"], ["k"])]


def test_products_of_matrices_join_no_block_that_they_sum_over() -> None:
    """A part at a time their tiles would read little of each operand."""
    kernel = CONSTRUCTS["summed_rows"]
    found = stages(kernel, dict.fromkeys(kernel.extent_names, 16))
    split = groups(found, names_of_extents(kernel, found), tiled=found[-1:])
    assert [len(members) for members, _ in split] == [1, 1]


def test_points_share_all_their_axes() -> None:
    assert grouped(KERNELS["gated"]) == [(["out"], ["m", "k"])]


def test_what_is_read_elsewhere_ends_a_block() -> None:
    """Of a transposed read no slice is there yet; of one shifted along an axis, the slices along the other are."""
    assert grouped(CONSTRUCTS["transposed"]) == [(["stage_0", "stage_1"], ["n"]), (["out"], ["n", "n_2"])]
    assert grouped(CONSTRUCTS["costly_shift"]) == [(["stage_0", "out"], ["m"])]
    assert [members for members, _ in grouped(CONSTRUCTS["sums_at"])] == [["stage_0"], ["out"]]


def test_what_is_read_inside_a_sum_ends_a_block() -> None:
    """Each row of the result needs all rows of what is summed."""

    def centred(x: Tensor["n", "m"]):
        i, j = at.axes(x)
        k = at.axis("k", "n")
        e = at.let[i, j](at.exp(at.sin(x[i, j])))
        return at.output[i, j](e[i, j] - at.mean(e[k, j] * at.exp(e[k, j] * x[i, j]), over=k))

    found = grouped(define(centred))
    assert [axes for members, axes in found if "out" in members] != [["n", "m"]]
    for members, axes in found:
        assert not ({"stage_0", "out"} <= set(members) and "n" in axes), (members, axes)


def test_an_axis_that_a_nested_sum_also_runs_over_is_no_slice() -> None:
    """Inside it stands for another index."""
    i, j = Axis("i", "n"), Axis("j", "n")
    total = Reduce("sum", Read("x", (i, j)), (i,))
    stage = PointStage((i, j), (Result("out", (i, j)),), (at.tanh(total) * Read("x", (j, j)),))
    assert sliced_axes(stage, {"x": ("n", "n")}) == (j,)


def test_an_axis_in_residue_classes_is_no_slice() -> None:
    """The loops over each class count other indices."""
    assert slices(CONSTRUCTS["upsampled_2_1_1"]) == []
    assert slices(CONSTRUCTS["upsampled_1_2_3"]) == ["h"]
    assert slices(CONSTRUCTS["upsampled_2d_5_1"]) == ["h"]  # one axis alone has classes


def test_a_scatter_is_sliced_by_what_it_does_not_scatter_onto() -> None:
    assert slices(derive(CONSTRUCTS["gathered"], "vjp:table")) == ["d"]
    assert slices(CONSTRUCTS["scattered_2d"]) == []


def test_a_scatter_is_not_sliced_by_what_is_read_between_its_indices() -> None:
    """Its loop over j runs over every second index, where y[j / 2] has one."""
    i, j, t = Axis("i", "n"), Axis("j", "n"), Axis("t", "t")
    body = Read("y", (Affine.total([(j, 1)], 0, 2),), 0.0) * Read("w", (t,))
    inputs = (TensorSpec("y", ("n",)), TensorSpec("w", ("t",)), TensorSpec("idx", ("t",), integer=True))
    scatter = Scatter(body, (t,), (i,), (Read("idx", (t,), integer=True),))
    assert slices(Kernel("f", inputs, (Output("out", (i, j), scatter),), "vjp:y")) == []


def test_a_recurrence_is_sliced_by_its_lanes() -> None:
    assert slices(CONSTRUCTS["running"]) == ["n"]
    assert [axes for members, axes in grouped(CONSTRUCTS["surviving"]) if "stage_1" in members] == [[]]


@pytest.mark.parametrize("name", [*CONSTRUCTS, *KERNELS])
def test_groups_are_all_stages_in_order(name: str) -> None:
    kernel = (CONSTRUCTS | KERNELS)[name]
    sizes = dict.fromkeys(kernel.extent_names, 12)
    found = stages(kernel, sizes)
    split = groups(found, names_of_extents(kernel, found))
    assert [stage for members, _ in split for stage in members] == list(found)
    for members, axes in split:
        assert len(members) == 1 or axes
        for stage in members:
            assert set(axes) <= set(stage.loops)
            assert Block(0, axes).gathers(stage) or all(set(axes) <= set(result.axes) for result in stage.results)
