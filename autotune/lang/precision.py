"""Floating-point types, and how many roundings a value has gathered in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, sqrt

import numpy as np
from numpy.typing import DTypeLike

from autotune.lang.functions import Array


@dataclass(frozen=True)
class Precision:
    """A floating-point type: machine epsilon and smallest normal number; both 0 for exact arithmetic."""

    epsilon: float = 0.0
    smallest: float = 0.0

    @staticmethod
    def of(dtype: DTypeLike) -> "Precision":
        """That of a NumPy dtype."""
        limits = np.finfo(dtype)
        return Precision(float(limits.eps), float(limits.smallest_normal))

    def represents(self, value: float) -> bool:
        """Whether `value` has few enough digits to be in the type."""
        return self.epsilon == 0.0 or (2.0 * frexp(value)[0] / self.epsilon).is_integer()


@dataclass(frozen=True)
class Roundings:
    """How many roundings a value has gathered: √terms in sums, and `below` the last function that is not linear."""

    terms: int = 1
    below: float = 0.0

    @property
    def number(self) -> float:
        """The w of the bound."""
        return sqrt(self.terms) + self.below

    def of_sum(self, length: int) -> "Roundings":
        """Of a sum of so many of these."""
        return Roundings(max(1, length) * self.terms, self.below)

    @property
    def settled(self) -> "Roundings":
        """Of a value that no sum around it is made one with."""
        return self if self.terms == 1 else Roundings(1, self.below + sqrt(self.terms))

    def after(self, more: float) -> "Roundings":
        """With `more` of them."""
        return Roundings(self.terms, self.below + more)


def of_product(factors: Sequence[Roundings]) -> Roundings:
    """Those of a product: the relative errors of its factors add up."""
    longest, *others = sorted((factor.terms for factor in factors), reverse=True)
    below = sum(factor.below for factor in factors) + sum(sqrt(terms) for terms in others if terms > 1)
    return Roundings(longest, below)


def worst(parts: Sequence[Roundings]) -> Roundings:
    """At least those of each of `parts`."""
    return Roundings(max(part.terms for part in parts), max(part.below for part in parts))


def error_units(magnitude: Array, roundings: Roundings) -> Array:
    """The bound in units of machine epsilon."""
    return np.asarray(4.0 * (roundings.number + 4.0) * magnitude)


def bound(magnitude: Array, roundings: Roundings, precision: Precision) -> Array:
    """The E of the bound."""
    return precision.epsilon * error_units(magnitude, roundings)
