"""Proof that affine indices stay inside what they index: from concrete extents, or that they never can, from any.

An affine function of axes takes its least and greatest value in a corner of the box that the axes range over, so the
proof is exact. Reads with padding and indices computed at run time need none: the one is defined everywhere, the other
is checked as it is computed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autotune.errors import DefinitionError, ShapeError
from autotune.lang.affine import Affine, Term
from autotune.lang.axes import Axis
from autotune.lang.constructs import Reindex
from autotune.lang.expressions import Expr, Index, Read
from autotune.lang.graph import subexpressions
from autotune.lang.indexing import affine_of
from autotune.lang.specs import Input, Output
from autotune.lang.traverse import erase


@dataclass(frozen=True)
class Access:
    """The affine index of one dimension of what `node` reads."""

    node: Read | Reindex
    dimension: int
    index: Axis | Affine
    extent: str

    @property
    def affine(self) -> Affine:
        """The index as an affine function."""
        return Affine.of(self.index)

    @property
    def place(self) -> str:
        """What is read there, for a message."""
        match self.node:
            case Read():
                return f"{self.node!r}, dimension {self.dimension}"
            case Reindex(body, bound):
                return f"the intermediate {body!r} over {', '.join(map(str, bound))}, dimension {self.dimension}"


def accesses(inputs: Sequence[Input], outputs: Sequence[Output]) -> tuple[Access, ...]:
    """The affine indices without padding, but for the axes that range over the very dimension they index."""
    extents = {spec.name: spec.extents for spec in inputs}
    found: dict[Access, None] = {}
    for node in subexpressions([erase(output.expr) for output in outputs]):
        match node:
            case Read(tensor, indices, None):
                found |= dict.fromkeys(_affine(node, extents[tensor], indices))
            case Reindex(_, bound, indices, None):
                found |= dict.fromkeys(_affine(node, [axis.extent for axis in bound], indices))
            case _:
                pass
    return tuple(found)


def _affine(node: Read | Reindex, extents: Sequence[str], indices: Sequence[Index]) -> Iterator[Access]:
    for dimension, (extent, index) in enumerate(zip(extents, indices, strict=True), start=1):
        if not isinstance(index, Expr) and not (isinstance(index, Axis) and index.extent == extent):
            yield Access(node, dimension, index, extent)


def check_concrete(kernel: str, found: Sequence[Access], extents: Mapping[str, int]) -> None:
    """Raise ShapeError where an index leads outside with these extents; one over an empty axis leads nowhere."""
    for access in found:
        if 0 in (extents[axis.extent] for axis in access.node.axes):
            continue
        affine, extent = access.affine, extents[access.extent]
        least, greatest = (bound // affine.divisor for bound in affine.bounds(extents))
        if least < 0 or greatest >= extent:
            message = (
                f"kernel {kernel}: {access.place}: the index {access.index} {_reach(least, greatest)}, outside "
                f"the extent {access.extent} = {extent} (0 to {extent - 1}); {_advice(access)}"
            )
            raise ShapeError(message)


def check_symbolic(found: Sequence[Access], sizes: Mapping[str, Expr]) -> None:
    """Raise DefinitionError where an index leads outside whatever the extents are, if no axis is empty."""
    for access in found:
        least, greatest = _extremes(access.affine, sizes)
        largest = _of_extents(Affine(((access.extent, 1),), -1), sizes)
        below = _always_negative(least)
        if below or _always_negative(_plus(largest, greatest, -1)):
            message = (
                f"{access.place}: the index {access.index} {_reach(least, greatest)}, outside the extent "
                f"{access.extent} at its {'beginning' if below else 'end'}, however large it is; {_advice(access)}"
            )
            raise DefinitionError(message)


def _reach(least: object, greatest: object) -> str:
    return f"is {least}" if least == greatest else f"goes from {least} to {greatest}"


def _advice(access: Access) -> str:
    axes = access.affine.axes
    if not axes:
        return "the first index is 0, the last extent(…) - 1; or say what is outside with .pad(…)[…]"
    fitting = f"axis({axes[0].name!r}, extent(…) - …)"
    return f"use an axis with fewer indices, such as {fitting}, or say what is outside with .pad(…)[…]"


def _extremes(index: Affine, sizes: Mapping[str, Expr]) -> tuple[Affine, Affine]:
    """The least and the greatest value of an index, in terms of extents, the divisor left out."""
    least: list[tuple[Term, int]] = [(term, number) for term, number in index.terms if isinstance(term, str)]
    greatest = list(least)
    down = up = index.offset
    for term, coefficient in index.terms:
        if isinstance(term, Axis) and coefficient > 0:
            greatest.append((term.extent, coefficient))
            up -= coefficient
        elif isinstance(term, Axis):
            least.append((term.extent, coefficient))
            down -= coefficient
    return _of_extents(Affine.total(least, down), sizes), _of_extents(Affine.total(greatest, up), sizes)


def _of_extents(index: Affine, sizes: Mapping[str, Expr]) -> Affine:
    """An affine function of extents with those that have an affine size replaced by it."""
    total = Affine((), index.offset)
    for term, coefficient in index.terms:
        own = Affine(((term, 1),))
        size = affine_of(sizes[term]) if isinstance(term, str) and term in sizes else None
        nested = own if size is None or term in size.extents else _of_extents(size, sizes)
        total = _plus(total, nested, coefficient)
    return total


def _plus(a: Affine, b: Affine, times: int) -> Affine:
    return Affine.total([*a.terms, *((term, times * number) for term, number in b.terms)], a.offset + times * b.offset)


def _always_negative(index: Affine) -> bool:
    """Whether an affine function of extents is negative for all of them from 1 on, as far as signs tell."""
    numbers = [number for _, number in index.terms]
    return all(number <= 0 for number in numbers) and index.offset + sum(numbers) < 0
