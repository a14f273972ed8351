"""Where terms of a reduction contribute: padded accesses as conditions on loops, solved before anything is run.

Outside its range a padded access has a value that changes nothing: 0 in a sum, -inf in a maximum. So no term is needed
there, and the range is a bound of the loops (Fourier-Motzkin elimination of one variable). Where the index is a
quotient, as in the gradient of a strided access, the terms are those at which it is whole: residue classes of the axes,
found when the code is generated, so that no loop has a division in it (KERNELS.md §1.2, 3 and 4).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from types import MappingProxyType
from typing import TypeAlias

from autotune.lang import Affine, Apply, Axis, Expr, Index, Read, Reindex

NEUTRAL: Mapping[str, float] = MappingProxyType(
    {"sum": 0.0, "max": -math.inf, "first_max": -math.inf, "min": math.inf, "first_min": math.inf, "prod": 1.0}
)
"""The element that changes nothing, by reduction."""

MOST_PHASES = 16  # copies of a loop nest that residue classes may make
Places: TypeAlias = Mapping[Axis, Affine]
"""The index along each axis, in terms of loop variables."""
Extents: TypeAlias = Mapping[str, tuple[str, ...]]
"""The names of the extents of each tensor."""


@dataclass(frozen=True)
class Inside:
    """The condition 0 ≤ index < extent with a whole index."""

    index: Affine
    extent: str

    @property
    def numerator(self) -> Affine:
        """The index times its divisor."""
        return Affine(self.index.terms, self.index.offset)

    @property
    def inequalities(self) -> tuple[Affine, Affine]:
        """What is at least 0 where the condition holds, if the index is whole."""
        terms = [*((term, -number) for term, number in self.index.terms), (self.extent, self.index.divisor)]
        return self.numerator, Affine.total(terms, -1 - self.index.offset)

    @property
    def remainder(self) -> tuple[tuple[Axis | str, int], ...]:
        """The terms on which it depends whether the index is whole."""
        return tuple((term, number) for term, number in self.index.terms if number % self.index.divisor)


@dataclass(frozen=True)
class Guard:
    """The conditions, all of them affine, under which a padded access in a product is inside."""

    conditions: tuple[Inside, ...]


@dataclass(frozen=True)
class Residue:
    """The indices start, start + step, start + 2·step, …"""

    start: int = 0
    step: int = 1

    def combine(self, other: "Residue") -> "Residue | None":
        """The indices in both classes."""
        step = lcm(self.step, other.step)
        for index in range(self.start, self.start + step, self.step):
            if (index - other.start) % other.step == 0:
                return Residue(index % step, step)
        return None


def placed(index: Index, places: Places) -> Affine | None:
    """An affine index in terms of loop variables; None for one that is computed at run time."""
    return None if isinstance(index, Expr) else Affine.of(index).substitute(places)


def guards(reduction: str, body: Expr, places: Places, extents: Extents) -> Iterator[Guard]:
    """Those of the padded accesses in `body` outside whose range a term of the reduction changes nothing."""
    if reduction not in NEUTRAL:
        return
    match body:
        case Read(tensor, indices, pad) if pad == NEUTRAL[reduction]:
            yield _guard(indices, extents[tensor], places)
        case Reindex(inner, bound, indices, pad) if pad is None or pad == NEUTRAL[reduction]:
            if pad is not None:
                yield _guard(indices, [axis.extent for axis in bound], places)
            found = {axis: placed(index, places) for axis, index in zip(bound, indices, strict=True)}
            known = {axis: index for axis, index in found.items() if index is not None and index.divisor == 1}
            if reduction == "sum" and len(known) == len(found):
                yield from guards(reduction, inner, {**places, **known}, extents)
        case Apply("mul", operands) if reduction == "sum":
            for operand in operands:
                yield from guards(reduction, operand, places, extents)
        case Apply("neg" | "stop_gradient", (operand,)) | Apply("div", (operand, _)) if reduction == "sum":
            yield from guards(reduction, operand, places, extents)
        case _:
            pass


def _guard(indices: Sequence[Index], extents: Sequence[str], places: Places) -> Guard:
    found = [(placed(index, places), extent) for index, extent in zip(indices, extents, strict=True)]
    return Guard(tuple(Inside(index, extent) for index, extent in found if index is not None))


def periods(conditions: Sequence[Inside], outer: Sequence[Axis]) -> dict[Axis, int]:
    """In how many residue classes to run each of the loops `outer`, so that inner ones need no division.

    Only where the class of one of them and of at most one inner axis decides; and of inner loops before outer ones, as
    long as these are not too many classes together.
    """
    wanted: dict[Axis, int] = {}
    for condition in conditions:
        terms = condition.remainder
        chosen = [(term, number) for term, number in terms if isinstance(term, Axis) and term in outer]
        if len(chosen) == 1 and len(terms) <= 2 and not any(isinstance(term, str) for term, _ in terms):
            ((axis, number),) = chosen
            divisor = condition.index.divisor
            wanted[axis] = lcm(wanted.get(axis, 1), divisor // gcd(number, divisor))
    found: dict[Axis, int] = {}
    for axis in reversed(outer):
        if axis in wanted and wanted[axis] * math.prod(found.values()) <= MOST_PHASES:
            found[axis] = wanted[axis]
    return found


def residues(conditions: Sequence[Inside], axes: Sequence[Axis]) -> dict[Axis, Residue] | None:
    """The indices of each of `axes` at which all conditions have whole indices, as far as they alone decide.

    None where no index has.
    """
    found: dict[Axis, Residue] = {}
    for condition in conditions:
        index, terms = condition.index, condition.remainder
        if not terms and index.offset % index.divisor:
            return None
        if len(terms) != 1 or terms[0][0] not in axes:
            continue
        ((axis, number),) = terms
        assert isinstance(axis, Axis)
        whole = [at for at in range(index.divisor) if (number * at + index.offset) % index.divisor == 0]
        if not whole:
            return None
        own = Residue(whole[0], index.divisor // gcd(number, index.divisor))
        both = found.get(axis, Residue()).combine(own)
        if both is None:
            return None
        found[axis] = both
    return found


@dataclass(frozen=True)
class Variable:
    """A loop variable, which counts the indices `residue` of an axis of this extent; it is named like `axis`."""

    axis: Axis
    residue: Residue = Residue()

    @cached_property
    def index(self) -> Affine:
        """The index along the axis."""
        return Affine.total([(self.axis, self.residue.step)], self.residue.start)


def always(condition: Affine, variables: Mapping[Axis, Variable]) -> bool:
    """Whether `condition` ≥ 0 for all values of its variables, whatever the extents are."""
    least: dict[str, Fraction] = {}
    offset, inside = Fraction(condition.offset), set()
    for term, number in condition.terms:
        if isinstance(term, str):
            least[term] = least.get(term, Fraction(0)) + number
            continue
        inside.add(term.extent)  # none of the loops we are in is empty
        if number < 0:
            residue = variables[term].residue
            least[term.extent] = least.get(term.extent, Fraction(0)) + Fraction(number, residue.step)
            offset -= Fraction(number * (1 + residue.start), residue.step)
    floor = offset + sum(number for extent, number in least.items() if extent in inside)
    return floor >= 0 and all(number >= 0 for number in least.values())
