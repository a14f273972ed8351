"""Windows that slide over images: where they stand, and how an image is read through them."""

from autotune import lang as at
from autotune.lang.arithmetic import Operand
from autotune.lang.define import AnyTensor, Padded


def places(name: str, image: at.Axis, window: Operand, *, stride: int, padding: int, dilation: int = 1) -> at.Axis:
    """The axis `name` over the places of a window of `window` elements along one side of an image.

    There are ⌊(image + 2·padding - dilation·(window - 1) - 1) / stride⌋ + 1 of them.
    """
    reach = dilation * (window - 1) + 1
    return at.axis(name, (at.extent(image) + 2 * padding - reach) // stride + 1)


def within(place: at.Axis, offset: at.Axis, *, stride: int, padding: int, dilation: int = 1) -> at.Expr:
    """Where element `offset` of the window at `place` lies along one side of the image."""
    return place * stride - padding + offset * dilation


def surrounded(x: AnyTensor, value: float, padding: int) -> "AnyTensor | Padded":
    """The image with `value` around it; as it is where no window leaves it, for a read without a check costs less."""
    return x.pad(value) if padding else x
