"""What goes into a kernel and what comes out of it."""

from dataclasses import dataclass
from typing import TypeAlias

from autotune.errors import DefinitionError
from autotune.lang.axes import Axis, check_name, indexed
from autotune.lang.expressions import Expr


@dataclass(frozen=True)
class TensorSpec:
    """A tensor input: its name and the name of the extent of each dimension; no dimension makes it rank 0."""

    name: str
    extents: tuple[str, ...]

    def __post_init__(self) -> None:
        check_name("a tensor", self.name)
        for extent in self.extents:
            check_name("an extent", extent)

    def __str__(self) -> str:
        return indexed(self.name, self.extents)


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

    def __str__(self) -> str:
        return self.name


Input: TypeAlias = TensorSpec | ScalarSpec


@dataclass(frozen=True)
class Output:
    """A result: `expr` at every index of `axes`, in this order of dimensions.

    An axis of the output that `expr` does not have repeats the values along that dimension.
    """

    name: str
    axes: tuple[Axis, ...]
    expr: Expr

    def __post_init__(self) -> None:
        check_name("an output", self.name)
        for position, axis in enumerate(self.axes):
            if axis.name in (earlier.name for earlier in self.axes[:position]):
                message = f"axis {axis} stands twice in {indexed('output', self.axes)}; diagonals are not supported yet"
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

    def __str__(self) -> str:
        return indexed(self.name, self.extents)
