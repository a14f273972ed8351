"""Axes: the named loop indices that expressions range over."""

import keyword
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autotune.errors import DefinitionError
from autotune.lang.arithmetic import Arithmetic, Operand

if TYPE_CHECKING:
    from autotune.lang.expressions import Expr

_NUMBERS = ("inf", "nan")  # how constants are printed


def check_name(kind: str, name: object) -> None:
    """Raise DefinitionError unless `name` can stand in generated Python source."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name in _NUMBERS:
        message = f"{name!r} cannot name {kind}: a Python identifier is needed"
        raise DefinitionError(message)


@dataclass(frozen=True)
class Axis(Arithmetic):
    """An index called `name` that ranges over 0, …, extent - 1, `extent` being the name of a dimension ("m").

    `size` is the number of elements where no input has the dimension: an expression of the extents of those that do.
    """

    name: str
    extent: str
    size: "Expr | None" = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_name("an axis", self.name)
        check_name("an extent", self.extent)

    def __str__(self) -> str:
        return self.name

    def as_expr(self) -> "Expr":
        """The index as a value: 0, …, extent - 1."""
        from autotune.lang.expressions import Position  # which is built on axes

        return Position(self)


def axis(name: str, extent: "str | Operand") -> Axis:
    """A fresh axis over the dimension called `extent`, for a second index over it: `axis("j", "n")`.

    Where no input has the dimension, `extent` says how many elements it has, in whole-numbered arithmetic of other
    extents, and the dimension is called like the axis: `axis("p", extent(h) - extent(r) + 1)`.
    """
    if isinstance(extent, str):
        return Axis(name, extent)
    from autotune.lang.sizes import as_size

    return Axis(name, name, as_size(name, extent))


def own_axes(
    extents: Sequence[str], reserved: Mapping[str, str], sizes: "Mapping[str, Expr] | None" = None
) -> tuple[Axis, ...]:
    """One axis per dimension, named after its extent; a repeated extent gives n, n_2, …

    `reserved` maps names to the only extent that an axis of that name may range over, `sizes` extents to their sizes
    where they have one.
    """
    names: list[str] = []
    for extent in extents:
        others = {name for name, owner in reserved.items() if owner != extent}
        names.append(fresh_name(extent, {*names, *others}))
    known = sizes or {}
    return tuple(Axis(name, extent, known.get(extent)) for name, extent in zip(names, extents, strict=True))


def fresh_name(stem: str, taken: Collection[str]) -> str:
    """`stem`, or the first of stem_2, stem_3, … that is not in `taken`."""
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    return name


def unite(groups: Collection[tuple[Axis, ...]]) -> tuple[Axis, ...]:
    """All axes of `groups`, each once, in the order of first appearance.

    Raises DefinitionError when one name stands for two extents, since a loop can have only one.
    """
    united: dict[str, Axis] = {}
    for group in groups:
        for axis in group:
            known = united.setdefault(axis.name, axis)
            if known != axis:
                message = (
                    f"axis {axis.name} is used over two extents, {known.extent} and {axis.extent}; "
                    f"give one of them another name"
                )
                raise DefinitionError(message)
    return tuple(united.values())


def indexed(name: str, indices: Sequence[object]) -> str:
    """The printed form of `name` with indices: "a[i, k]"; "a[]" for none."""
    return f"{name}[{', '.join(map(str, indices))}]"
