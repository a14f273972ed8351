"""Which extents are constants of the code: windows and coordinates, not images however small."""

import pytest

from autotune.library import depthwise_conv2d, nbody
from autotune.schedule.structure import structural_extents

IMAGE = {"n": 2, "c": 16, "h": 56, "w": 40, "r": 3, "s": 5}


def structure(direction: str, **changed: int) -> dict[str, int]:
    kernel = depthwise_conv2d.specialized(padding=1)
    full = IMAGE | changed
    extents = {**full, "p": full["h"] + 3 - full["r"], "q": full["w"] + 3 - full["s"]}
    return structural_extents(kernel.workload(direction, extents))


@pytest.mark.parametrize("direction", ["forward", "vjp:x"])
def test_a_window_is_structure_forward_and_backward(direction: str) -> None:
    assert structure(direction) == {"r": 3, "s": 5}


@pytest.mark.parametrize("direction", ["forward", "vjp:x"])
def test_a_long_filter_is_none(direction: str) -> None:
    assert structure(direction, r=9) == {"s": 5}


def test_an_image_that_is_summed_over_is_none() -> None:
    assert structure("vjp:w") == {}
    assert structure("vjp:w", h=6, w=6) == {}


def test_coordinates_are_structure() -> None:
    assert structural_extents(nbody.workload("forward", {"n": 100, "xyz": 3})) == {"xyz": 3}
