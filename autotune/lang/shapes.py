"""From the shapes of arguments to extents, and the errors on the way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from autotune.errors import ShapeError
from autotune.lang.expressions import Expr
from autotune.lang.sizes import evaluate_size, extents_in
from autotune.lang.specs import Input, grouped

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Dimension:
    """A dimension of an argument: the extents whose product it is, its size, and where it stands."""

    extents: tuple[str, ...]
    size: int
    place: str

    def __str__(self) -> str:
        return "*".join(self.extents)


def infer_extents(
    kernel: str, inputs: Sequence[Input], shapes: Mapping[str, Shape], *, split: bool = False
) -> dict[str, int]:
    """The extent of every dimension from the shape of every input; scalars may be left out.

    The shapes are those of the caller's arrays, where one dimension may be a product of extents, or `split` ones with
    a dimension for each extent. Raises ShapeError when a tensor is missing or unknown, has the wrong rank, or disagrees
    with another one, or when an extent is not a whole number or cannot be told from the shapes.
    """
    _check_names(kernel, inputs, shapes)
    dimensions = [dimension for spec in inputs for dimension in _dimensions(kernel, spec, shapes, split=split)]
    found = solve(kernel, dimensions)
    for dimension in dimensions:
        unknown = [extent for extent in dimension.extents if extent not in found]
        if unknown:
            message = (
                f"kernel {kernel}: extent {unknown[0]} cannot be told from {dimension} = {dimension.size} in "
                f"{dimension.place}; it must follow from the shapes of the inputs"
            )
            raise ShapeError(message)
    return {extent: found[extent] for dimension in dimensions for extent in dimension.extents}


def unknown_extents(inputs: Sequence[Input]) -> frozenset[str]:
    """The extents that cannot be told from the shapes of arguments: those in products with others that cannot."""
    products = [group for spec in inputs for group in grouped(spec.extents, spec.groups)]
    known: set[str] = set()
    while True:
        more = {left[0] for group in products if len(left := [e for e in group if e not in known]) == 1}
        if not more:
            return frozenset(extent for group in products for extent in group if extent not in known)
        known |= more


def complete(kernel: str, sizes: Mapping[str, Expr], extents: Mapping[str, int]) -> dict[str, int]:
    """`extents` and those in `sizes`; raises ShapeError where one is negative or differs from the one given.

    A size that rests on extents which are not given is left out where its own is.
    """
    known = dict(extents)

    def evaluate(name: str) -> bool:
        size = sizes.get(name)
        if size is None or not all(evaluate(other) for other in extents_in(size)):
            return name in known
        try:
            exact = evaluate_size(size, known)
        except ZeroDivisionError:
            message = f"kernel {kernel}: extent {name} = {size} divides by zero"
            raise ShapeError(message) from None
        value = int(exact)
        if exact.denominator != 1:
            message = f"kernel {kernel}: extent {name} = {size} would be {exact}; write // to round down"
            raise ShapeError(message)
        if value < 0:
            message = f"kernel {kernel}: extent {name} = {size} would be {value}; the inputs are too small"
            raise ShapeError(message)
        if known.setdefault(name, value) != value:
            message = f"kernel {kernel}: extent {name} = {size} is {value}, but an input has {known[name]}"
            raise ShapeError(message)
        return True

    for name in sizes:
        evaluate(name)
    return known


def solve(kernel: str, dimensions: Sequence[Dimension]) -> dict[str, int]:
    """The extents that follow: those that stand alone, then those in products with known ones."""
    found: dict[str, int] = {}
    places: dict[str, str] = {}
    pending = list(dimensions)
    while pending:
        left = []
        for dimension in pending:
            unknown = {extent for extent in dimension.extents if extent not in found}
            if not unknown:
                _check_agrees(kernel, dimension, found, places)
            elif len(unknown) == 1 and dimension.extents.count(extent := unknown.pop()) == 1:
                others = prod(found[other] for other in dimension.extents if other != extent)
                if others == 0:
                    left.append(dimension)  # any number times 0
                    continue
                found[extent] = _quotient(kernel, dimension, extent, others)
                places[extent] = dimension.place
            else:
                left.append(dimension)
        if len(left) == len(pending):
            break
        pending = left
    return found


def _quotient(kernel: str, dimension: Dimension, extent: str, others: int) -> int:
    if dimension.size % others:
        message = (
            f"kernel {kernel}: {dimension.place} has {dimension.size} = {dimension} elements, which the other extents "
            f"({others} together) do not divide; {extent} would not be a whole number"
        )
        raise ShapeError(message)
    return dimension.size // others


def _check_agrees(kernel: str, dimension: Dimension, found: Mapping[str, int], places: Mapping[str, str]) -> None:
    known = prod(found[extent] for extent in dimension.extents)
    if known == dimension.size:
        return
    where = " and ".join(dict.fromkeys(places[extent] for extent in dimension.extents))
    message = f"kernel {kernel}: extent {dimension} is {known} in {where} but {dimension.size} in {dimension.place}"
    raise ShapeError(message)


def _dimensions(kernel: str, spec: Input, shapes: Mapping[str, Shape], *, split: bool) -> Iterator[Dimension]:
    shape = shapes.get(spec.name, ())
    groups = grouped(spec.extents, (1,) * len(spec.extents) if split else spec.groups)
    if len(shape) != len(groups):
        message = f"kernel {kernel}: {spec} has {len(groups)} dimensions, not the {len(shape)} of shape {shape}"
        raise ShapeError(message)
    for number, (extents, size) in enumerate(zip(groups, shape, strict=True), start=1):
        yield Dimension(extents, size, f"{spec} (dimension {number} of shape {shape})")


def _check_names(kernel: str, inputs: Sequence[Input], shapes: Mapping[str, Shape]) -> None:
    missing = [spec.name for spec in inputs if spec.extents and spec.name not in shapes]
    unknown = [name for name in shapes if name not in {spec.name for spec in inputs}]
    if missing or unknown:
        wrong = [*(f"{name} is missing" for name in missing), *(f"{name} is not an input" for name in unknown)]
        message = f"kernel {kernel}: {'; '.join(wrong)}; the inputs are {', '.join(map(str, inputs))}"
        raise ShapeError(message)
