"""What bad kernels and calls raise is what docs/language.md lists, word for word."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import autotune as at
from autotune.autodiff import derive
from autotune.library import conv2d, embedding, matmul

LANGUAGE = Path(__file__).parents[2] / "docs" / "language.md"


def not_affine() -> None:
    @at.kernel
    def squares(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return at.output[i](x[i * i])


def not_whole() -> None:
    @at.kernel
    def lookup(x: at.Tensor["n"], y: at.Tensor["m"]) -> object:
        (j,) = at.axes(y)
        return at.output[j](x[y[j]])


def other_extent() -> None:
    @at.kernel
    def added(x: at.Tensor["n"], y: at.Tensor["m"]) -> object:
        (i,) = at.axes(x)
        return at.output[i](x[i] + y[i])


def two_extents() -> None:
    @at.kernel
    def paired(x: at.Tensor["n"], y: at.Tensor["m"]) -> object:
        return at.output[()](at.sum(x[at.axis("i", "n")] + y[at.axis("i", "m")], over=at.axis("i", "n")))


def reduced_twice() -> None:
    @at.kernel
    def total(x: at.Tensor["n"], y: at.Tensor["m"]) -> object:
        (i,), (j,) = at.axes(x), at.axes(y)
        return at.output[j](y[j] + at.sum(x[i], over=j))


def neither_reduced_nor_output() -> None:
    @at.kernel
    def rows(x: at.Tensor["m", "n"]) -> object:
        i, j = at.axes(x)
        return at.output[i](x[i, j])


def axis_without_use() -> None:
    @at.kernel
    def repeated(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return at.output[i, at.axis("j", "m")](x[i])


def input_without_use() -> None:
    @at.kernel
    def doubled(x: at.Tensor["n"], y: at.Tensor["n"]) -> object:  # noqa: ARG001  # which is the error
        (i,) = at.axes(x)
        return at.output[i](2 * x[i])


def no_indices() -> None:
    @at.kernel
    def exponential(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return at.output[i](at.exp(x))


def too_few_indices() -> None:
    @at.kernel
    def first_column(x: at.Tensor["m", "n"]) -> object:
        i, _ = at.axes(x)
        return at.output[i](x[i])


def truth_value() -> None:
    @at.kernel
    def positive(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return at.output[i](x[i] if x[i] > 0 else 0)  # noqa: FURB136


def power() -> None:
    @at.kernel
    def powers(x: at.Tensor["n"], y: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return at.output[i](x[i] ** y[i])


def coupled_lanes() -> None:
    @at.kernel
    def mixed(x: at.Tensor["m", "n"]) -> object:
        i, k = at.axes(x)
        return at.output[i, k](at.scan(lambda s: x[i, k] * at.sum(s, over=i), x[i, 0], over=k))


def no_output() -> None:
    @at.kernel
    def nothing(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return x[i]


def out_of_bounds() -> None:
    @at.kernel
    def differences(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        return at.output[i](x[i + 1] - x[i])


def fraction_of_elements() -> None:
    @at.kernel
    def halves(x: at.Tensor["n"]) -> object:
        (i,) = at.axes(x)
        p = at.axis("p", at.extent(i) / 2)
        return at.output[p](x[p])

    halves(np.ones(3))


def other_sizes() -> None:
    matmul(np.ones((2, 3)), np.ones((4, 5)))


def window_larger_than_image() -> None:
    conv2d(np.ones((1, 2, 3, 3)), np.ones((4, 2, 5, 5)))


def channels_that_do_not_divide() -> None:
    conv2d(np.ones((1, 5, 3, 3)), np.ones((4, 2, 2, 2)))


def other_dtype() -> None:
    matmul(np.ones((2, 3)), np.ones((3, 4), np.float32))


def fractional_index() -> None:
    embedding(np.ones((3, 2)), np.array([0.5]))


def index_out_of_range() -> None:
    embedding(np.ones((3, 2)), np.array([0, 3]))


def unknown_option() -> None:
    conv2d(np.ones((1, 2, 3, 3)), np.ones((4, 2, 2, 2)), strides=2)


def gradient_by_whole_numbers() -> None:
    derive(embedding.definition, "vjp:idx")


def gradient_by_no_input() -> None:
    derive(embedding.definition, "vjp:tabel")


ERRORS: tuple[Callable[[], None], ...] = (
    not_affine, not_whole, other_extent, two_extents, reduced_twice, neither_reduced_nor_output, axis_without_use,
    input_without_use, no_indices, too_few_indices, truth_value, power, coupled_lanes, no_output, out_of_bounds,
    fraction_of_elements, other_sizes, window_larger_than_image, channels_that_do_not_divide, other_dtype,
    fractional_index, index_out_of_range, unknown_option, gradient_by_whole_numbers, gradient_by_no_input,
)  # fmt: skip


@pytest.mark.parametrize("wrong", ERRORS, ids=lambda wrong: wrong.__name__)
def test_the_error_is_in_the_docs(wrong: Callable[[], None]) -> None:
    with pytest.raises(at.AutotuneError) as raised:
        wrong()
    assert f"| `{type(raised.value).__name__}: {raised.value}` |" in LANGUAGE.read_text()
