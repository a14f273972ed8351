"""What goes into a kernel and what comes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, TypeVar

from autotune.errors import DefinitionError
from autotune.lang.axes import Axis, check_name, indexed
from autotune.lang.expressions import Expr

Item = TypeVar("Item")


@dataclass(frozen=True)
class TensorSpec:
    """A tensor input: its name and the name of each extent; no extent makes it rank 0.

    The elements of an `integer` one are whole numbers (int64), the others floating. A dimension of the caller's array
    may be the product of several extents, outermost first: `groups` says how many each has, one if it is left out.
    """

    name: str
    extents: tuple[str, ...]
    integer: bool = False
    groups: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_name("a tensor", self.name)
        for extent in self.extents:
            check_name("an extent", extent)
        object.__setattr__(self, "groups", _checked_groups(self.name, self.groups, len(self.extents)))

    def __str__(self) -> str:
        return indexed(self.name, products(self.extents, self.groups))


@dataclass(frozen=True)
class ScalarSpec:
    """A scalar input."""

    name: str

    def __post_init__(self) -> None:
        check_name("a scalar", self.name)

    @property
    def extents(self) -> tuple[str, ...]:
        """None: a scalar has no dimensions."""
        return ()

    @property
    def groups(self) -> tuple[int, ...]:
        """None: a scalar has no dimensions."""
        return ()

    def __str__(self) -> str:
        return self.name


def grouped(items: Sequence[Item], groups: Sequence[int]) -> tuple[tuple[Item, ...], ...]:
    """The items of each of the caller's dimensions: (1, 2) makes ((n,), (g, c)) of n, g, c."""
    left = iter(items)
    return tuple(tuple(islice(left, count)) for count in groups)


def products(extents: Sequence[str], groups: Sequence[int]) -> tuple[str, ...]:
    """The caller's dimensions as they are written: ("n", "g*c")."""
    return tuple("*".join(group) for group in grouped(extents, groups))


def _checked_groups(name: str, groups: tuple[int, ...], count: int) -> tuple[int, ...]:
    chosen = groups or (1,) * count
    if sum(chosen) != count or min(chosen, default=1) < 1:
        message = f"{name}: groups {chosen} of extents for {count} of them; each dimension needs one or more"
        raise DefinitionError(message)
    return chosen


Input: TypeAlias = TensorSpec | ScalarSpec


@dataclass(frozen=True)
class Output:
    """A result: `expr` at every index of `axes`, in this order of dimensions.

    An axis of the output that `expr` does not have repeats the values along that dimension. The elements of an
    `integer` one are whole numbers (int64), the others floating. `groups` says how many of the axes make one dimension
    of the caller's array, as in TensorSpec.
    """

    name: str
    axes: tuple[Axis, ...]
    expr: Expr
    integer: bool = False
    groups: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_name("an output", self.name)
        object.__setattr__(self, "groups", _checked_groups(self.name, self.groups, len(self.axes)))
        for position, axis in enumerate(self.axes):
            if axis.name in (earlier.name for earlier in self.axes[:position]):
                message = f"axis {axis} stands twice in {indexed('output', self.axes)}; give each dimension its own"
                raise DefinitionError(message)
        for axis in self.expr.axes:
            if axis not in self.axes:
                message = (
                    f"axis {axis} (over {axis.extent}) of the expression is neither in {indexed('output', self.axes)} "
                    f"nor reduced: sum over it or add it to the output"
                )
                raise DefinitionError(message)

    @property
    def extents(self) -> tuple[str, ...]:
        """The name of the extent of each dimension."""
        return tuple(axis.extent for axis in self.axes)

    @property
    def written(self) -> str:
        """The left side of its equation: "out[n, (g, k)]"."""
        groups = grouped([axis.name for axis in self.axes], self.groups)
        return indexed(self.name, [group[0] if len(group) == 1 else f"({', '.join(group)})" for group in groups])

    def __str__(self) -> str:
        return indexed(self.name, products(self.extents, self.groups))
