"""Which gradients are computed together."""

import pytest

import autotune.lang as at
from autotune import library
from autotune.autodiff import derive
from autotune.lang import Kernel, Tensor, define
from autotune.schedule.sharing import shares_work


def product(a: Tensor["n"], b: Tensor["n"]):
    (i,) = at.axes(a)
    return at.output[i](a[i] * b[i])


def mean_square(x: Tensor["n"]):
    (i,) = at.axes(x)
    return at.output[()](at.mean(at.exp(x[i]) ** 2, over=i))


def dot(a: Tensor["n"], b: Tensor["n"]):
    (i,) = at.axes(a)
    return at.output[()](at.sum(a[i] * b[i], over=i))


@pytest.mark.parametrize(
    ("kernel", "direction", "expected"),
    [
        (library.layer_norm.definition, "vjp", True),  # mean and variance
        (library.linear_gelu.definition, "vjp", True),  # the product, and the slope of its activation
        (library.attention.definition, "vjp:q+v", True),
        (library.black_scholes.definition, "vjp", True),
        (library.matmul.definition, "vjp", False),
        (library.conv2d.definition, "vjp", False),
        (define(product), "vjp", False),
        (define(mean_square), "joint", True),
        (define(dot), "joint", False),
    ],
)
def test_those_with_intermediates_in_common(kernel: Kernel, direction: str, expected: bool) -> None:
    assert shares_work(derive(kernel, direction)) is expected
