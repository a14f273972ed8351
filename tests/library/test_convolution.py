from typing import Any

import jax
import numpy as np
import pytest

from autotune import TunedKernel
from autotune.errors import ShapeError
from autotune.library import conv2d, depthwise_conv2d
from tests.library.cases import Case
from tests.library.gates import Gates, LinearGates, SmoothGates, gradient

CHANNELS = {"n": 2, "c": 3, "h": 7, "w": 9, "r": 3, "s": 2}
IMAGES, GROUPED = CHANNELS | {"g": 1, "k": 4}, CHANNELS | {"g": 5, "c": 2, "k": 3}
# Strides, strides and paddings that leave part of the image unread, dilations that have a divisor in common with the
# stride (so that some phases of the image meet no weight), and windows that lie in the padding altogether.
OPTIONS: tuple[dict[str, int], ...] = (
    {},
    {"stride": 2},
    {"padding": 1},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"stride": 2, "dilation": 2, "padding": 1},
    {"stride": 4, "dilation": 2, "padding": 3},
    {"stride": 3, "dilation": 1, "padding": 4},
    {"stride": 5, "padding": 0},
)


def convolved(x: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    return jax.lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        ((padding, padding), (padding, padding)),
        rhs_dilation=(dilation, dilation),
        feature_group_count=x.shape[1] // w.shape[1],
    )


def each_convolved(x: Any, w: Any, **options: int) -> Any:
    return convolved(x, w[:, None], **options)


def cases(kernel: TunedKernel, oracle: Any, sizes: dict[str, int], compiled: int) -> tuple[Case, ...]:
    """A case for each of OPTIONS, number `compiled` of which is compiled too."""
    return tuple(
        Case(kernel, oracle, sizes, options=options, linear=("x", "w"), compiled=number == compiled)
        for number, options in enumerate(OPTIONS)
    )


class TestConvolution(Gates, LinearGates, SmoothGates):
    cases = cases(conv2d, convolved, IMAGES, 6)


class TestGroupedConvolution(Gates, LinearGates, SmoothGates):
    cases = cases(conv2d, convolved, GROUPED, 3)


class TestDepthwiseConvolution(Gates, LinearGates, SmoothGates):
    cases = cases(depthwise_conv2d, each_convolved, CHANNELS, 5)


def test_what_no_window_reads_has_no_gradient() -> None:
    case = Case(depthwise_conv2d, each_convolved, CHANNELS, options={"stride": 5})
    arguments = case.arguments() | {"w": np.ones((3, 3, 2))}
    x_bar = gradient(case, "x", arguments, np.ones((2, 3, 1, 2)))
    read = np.zeros((7, 9))
    read[:3, [0, 1, 5, 6]] = 1
    np.testing.assert_array_equal(x_bar, np.broadcast_to(read, x_bar.shape))


def test_a_window_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="p"):
        conv2d.definition.complete({**IMAGES, "h": 1, "r": 5})
