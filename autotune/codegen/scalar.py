"""Scalar functions of generated code that Python and Numba define otherwise than NumPy does at special values."""

import math
from typing import TypeVar

from numba.extending import register_jitable

Real = TypeVar("Real", bound=float)


@register_jitable
def larger(a: Real, b: Real) -> Real:
    """The larger of two numbers; NaN if either is NaN."""
    return a if a >= b or a != a else b  # only NaN differs from itself


@register_jitable
def smaller(a: Real, b: Real) -> Real:
    """The smaller of two numbers; NaN if either is NaN."""
    return a if a <= b or a != a else b


@register_jitable
def sign(a: float) -> float:
    """-1, 0 or 1; NaN for NaN."""
    return a / abs(a) if a != 0 else a


@register_jitable
def natural_log(a: float) -> float:
    """Logarithm; minus infinity at 0 and NaN below."""
    return math.log(a)


@register_jitable
def square_root(a: float) -> float:
    """Square root; NaN below 0."""
    return math.sqrt(a)
