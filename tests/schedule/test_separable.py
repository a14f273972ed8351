"""Windows that are reduced one axis after the other."""

import math

import pytest

from autotune.lang import Kernel, Read
from autotune.library import avg_pool2d, depthwise_conv2d, max_pool2d
from autotune.schedule import Stage, stages

IMAGE = {"n": 2, "c": 3, "h": 40, "w": 56}


def reductions(kernel: Kernel, **extents: int) -> list[str]:
    """The axes of each stage's result, and what it reduces over."""
    found = stages(kernel, {name: (IMAGE | extents)[name] for name in kernel.extent_names})
    assert all(isinstance(stage, Stage) for stage in found)
    return [
        f"{' '.join(a.name for a in stage.axes)} over {' '.join(a.name for a in stage.over)}"
        for stage in found
        if isinstance(stage, Stage)
    ]


def pooling(size: int, stride: int, padding: int = 0) -> Kernel:
    return max_pool2d.specialized(size=size, stride=stride, padding=padding).definition


def test_rows_are_reduced_first_and_padded_by_what_changes_nothing() -> None:
    kernel = pooling(3, 2, 1)
    assert reductions(kernel) == ["n c p w over r", "n c p q over s"]
    first, second = stages(kernel, IMAGE)
    assert isinstance(first, Stage)
    assert isinstance(second, Stage)
    assert first.reduction == second.reduction == "first_max"
    assert isinstance(second.body, Read)
    assert (second.body.tensor, second.body.pad) == (first.name, -math.inf)
    assert str(second.body.indices[-1]) == "2*q + s - 1"


def test_what_is_done_to_a_sum_is_done_once() -> None:
    first, second = stages(avg_pool2d.specialized(size=3, stride=1, padding=1).definition, IMAGE)
    assert isinstance(first, Stage)
    assert isinstance(second, Stage)
    assert (first.has_epilogue, second.has_epilogue) == (False, True)


@pytest.mark.parametrize(
    ("kernel", "extents"),
    [
        (pooling(2, 2), {}),  # windows that do not overlap
        (pooling(2, 1), {}),  # four elements cost no more than two twice, one of which is stored
        (depthwise_conv2d.definition, {"r": 3, "s": 3}),  # weights of their own for each place
    ],
)
def test_others_stay_as_they_are(kernel: Kernel, extents: dict[str, int]) -> None:
    assert reductions(kernel, **extents) == ["n c p q over r s"]
