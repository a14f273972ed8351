"""Affine indices: whole-numbered sums of axes and extents, as a tensor may be read at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

from autotune.lang.axes import Axis

Term: TypeAlias = Axis | str
"""What an affine index is a sum of: axes, and extents by name."""


@dataclass(frozen=True)
class Affine:
    """(Σ coefficient · term + offset) / divisor, which exists only where the quotient is a whole number.

    A divisor other than 1 comes from solving x = s·i + r for i, as the gradient of a strided read does.
    """

    terms: tuple[tuple[Term, int], ...]
    offset: int = 0
    divisor: int = 1

    @staticmethod
    def of(index: "Axis | Affine | int") -> "Affine":
        """An axis or a number as an affine index."""
        match index:
            case Axis():
                return Affine(((index, 1),))
            case Affine():
                return index
            case _:
                return Affine((), index)

    @staticmethod
    def total(terms: Iterable[tuple[Term, int]], offset: int, divisor: int = 1) -> "Affine":
        """The canonical form: each term once, in an order of their own, the fraction cancelled."""
        coefficients: dict[Term, int] = {}
        for term, coefficient in terms:
            coefficients[term] = coefficients.get(term, 0) + coefficient
        if divisor < 0:
            coefficients, offset, divisor = {t: -c for t, c in coefficients.items()}, -offset, -divisor
        common = gcd(divisor, offset, *coefficients.values())
        kept = {term: coefficient // common for term, coefficient in coefficients.items() if coefficient}
        return Affine(tuple(sorted(kept.items(), key=_order)), offset // common, divisor // common)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes in it."""
        return tuple(term for term, _ in self.terms if isinstance(term, Axis))

    @property
    def extents(self) -> tuple[str, ...]:
        """The names of the extents in it."""
        return tuple(term for term, _ in self.terms if isinstance(term, str))

    def coefficient(self, term: Term) -> int:
        """That of `term`; 0 where it is not there."""
        return dict(self.terms).get(term, 0)

    def substitute(self, values: Mapping[Axis, "Axis | Affine"]) -> "Affine":
        """This index with axes replaced, all at once."""
        parts = [(values.get(term, term) if isinstance(term, Axis) else term, number) for term, number in self.terms]
        common = 1
        for value, _ in parts:
            if isinstance(value, Affine):
                common = common * value.divisor // gcd(common, value.divisor)
        terms: list[tuple[Term, int]] = []
        offset = self.offset * common
        for value, number in parts:
            if isinstance(value, Affine):
                scale = number * common // value.divisor
                terms += [(term, coefficient * scale) for term, coefficient in value.terms]
                offset += value.offset * scale
            else:
                terms.append((value, number * common))
        return Affine.total(terms, offset, self.divisor * common)

    def solve(self, pivot: Axis, value: Axis) -> "Affine":
        """The value that `pivot` must have for this index to be `value`."""
        own = self.coefficient(pivot)
        rest = [(term, -coefficient) for term, coefficient in self.terms if term != pivot]
        return Affine.total([(value, self.divisor), *rest], -self.offset, own)

    def simplest(self) -> "Axis | Affine":
        """An axis where it is one."""
        match self:
            case Affine(((Axis() as axis, 1),), 0, 1):
                return axis
            case _:
                return self

    def bounds(self, extents: Mapping[str, int]) -> tuple[int, int]:
        """The least and the greatest value, the divisor left out, over axes of at least one element."""
        least = greatest = self.offset
        for term, coefficient in self.terms:
            reach = coefficient * (extents[term.extent] - 1 if isinstance(term, Axis) else extents[term])
            if isinstance(term, str):
                least, greatest = least + reach, greatest + reach
            else:
                least, greatest = least + min(reach, 0), greatest + max(reach, 0)
        return least, greatest

    def __str__(self) -> str:
        parts = [
            _scaled(coefficient, str(term) if isinstance(term, Axis) else f"extent({term})")
            for term, coefficient in self.terms
        ]
        if self.offset or not parts:
            parts.append(("-" if self.offset < 0 else "+", str(abs(self.offset))))
        sign, first = parts[0]
        text = ("-" if sign == "-" else "") + first + "".join(f" {s} {part}" for s, part in parts[1:])
        return text if self.divisor == 1 else f"({text}) / {self.divisor}"


def _order(item: tuple[Term, int]) -> tuple[bool, str]:
    term, _ = item
    return isinstance(term, str), term.name if isinstance(term, Axis) else term


def _scaled(coefficient: int, name: str) -> tuple[str, str]:
    size = abs(coefficient)
    return "-" if coefficient < 0 else "+", name if size == 1 else f"{size}*{name}"
