"""Nodes that move along axes: reindexing, scattering and scanning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autotune.errors import DefinitionError
from autotune.lang.axes import Axis, check_name, indexed, unite
from autotune.lang.expressions import (
    Constant,
    Expr,
    Index,
    axes_of,
    check_indices,
    checked_pad,
    computed,
    index_texts,
    recomputed,
)


@dataclass(frozen=True, eq=False, repr=False)
class Reindex(Expr):
    """`body` as a tensor over `bound`, read at `indices`, one for each bound axis.

    Outside the ranges of the bound axes the value is `pad`; without one, no index may lead there. The indices stand
    outside: an axis of the same name as a bound one is another.
    """

    body: Expr
    bound: tuple[Axis, ...]
    indices: tuple[Index, ...]
    pad: float | None = None

    def _check(self) -> None:
        check_indices("an expression", self.indices)
        if len(self.bound) != len(self.indices):
            message = f"{len(self.indices)} indices for the {len(self.bound)} axes {', '.join(map(str, self.bound))}"
            raise DefinitionError(message)
        object.__setattr__(self, "pad", checked_pad("an expression", self.pad))

    def _free_axes(self) -> tuple[Axis, ...]:
        return unite([tuple(axis for axis in self.body.axes if axis not in self.bound), axes_of(self.indices)])

    @property
    def children(self) -> tuple[Expr, ...]:
        """The body, then the indices that are computed at run time."""
        return (self.body, *computed(self.indices))

    def rebuild(self, children: Sequence[Expr]) -> "Reindex":
        """The same indices of another body."""
        body, *indices = children
        return Reindex(body, self.bound, recomputed(self.indices, indices), self.pad)

    def text(self, operands: Sequence[str]) -> str:
        """The body in parentheses, its axes and their indices in brackets."""
        body, *texts = operands
        pairs = [f"{axis}: {text}" for axis, text in zip(self.bound, index_texts(self.indices, texts), strict=True)]
        padding = "" if self.pad is None else f".pad({Constant(self.pad)})"
        return f"({body}){padding}[{', '.join(pairs)}]"


@dataclass(frozen=True, eq=False, repr=False)
class Scatter(Expr):
    """Σ over the axes `over` of `body`, each term added at `indices` of the axes `onto`.

    As a sum: Σ over `over` of body where all of `onto` equal `indices`, else 0. Terms outside are left out; where
    `strict`, no index that is computed at run time may lead there.
    """

    body: Expr
    over: tuple[Axis, ...]
    onto: tuple[Axis, ...]
    indices: tuple[Index, ...]
    strict: bool = False

    def _check(self) -> None:
        check_indices("a scatter", self.indices)
        inside = unite([self.body.axes, axes_of(self.indices)])
        for axis in self.over:
            if axis not in inside:
                message = f"a scatter over {axis}, which neither {self.body!r} nor its indices have"
                raise DefinitionError(message)
        for axis in self.onto:
            if axis in inside:
                message = f"a scatter onto {axis}, which is an axis of what is scattered"
                raise DefinitionError(message)

    def _free_axes(self) -> tuple[Axis, ...]:
        inside = unite([self.body.axes, axes_of(self.indices)])
        return unite([tuple(axis for axis in inside if axis not in self.over), self.onto])

    @property
    def children(self) -> tuple[Expr, ...]:
        """The body, then the indices that are computed at run time."""
        return (self.body, *computed(self.indices))

    def rebuild(self, children: Sequence[Expr]) -> "Scatter":
        """The same scatter of another body."""
        body, *indices = children
        return Scatter(body, self.over, self.onto, recomputed(self.indices, indices), self.strict)

    def text(self, operands: Sequence[str]) -> str:
        """What is added where: "scatter[t](v: idx[t] += y[t, c])"."""
        body, *texts = operands
        pairs = [f"{axis}: {text}" for axis, text in zip(self.onto, index_texts(self.indices, texts), strict=True)]
        name = "scatter_strictly" if self.strict else "scatter"
        return f"{indexed(name, self.over)}({', '.join(pairs)} += {body})"


@dataclass(frozen=True, eq=False, repr=False)
class Carry(Expr):
    """What a scan carries from step to step, over the axes along which its steps are independent of each other."""

    name: str
    lanes: tuple[Axis, ...]

    def _check(self) -> None:
        check_name("a carried value", self.name)

    def _free_axes(self) -> tuple[Axis, ...]:
        return self.lanes

    def text(self, operands: Sequence[str]) -> str:
        """The printed form."""
        del operands
        return self.name


@dataclass(frozen=True, eq=False, repr=False)
class Scan(Expr):
    """A recurrence along `axis`: one of its carried values after every step, a tensor over the lanes and `axis`.

    The carried values are `starts` before the first step, then each step makes them `steps`, which read the earlier
    ones as `carries`. `reverse` steps from the last index to the first. `which` says whose values these are.
    """

    axis: Axis
    carries: tuple[Carry, ...]
    starts: tuple[Expr, ...]
    steps: tuple[Expr, ...]
    which: int = 0
    reverse: bool = False

    def _check(self) -> None:
        if not len(self.carries) == len(self.starts) == len(self.steps) > self.which >= 0:
            message = f"a scan of {len(self.starts)} starts and {len(self.steps)} steps; each carried value needs both"
            raise DefinitionError(message)
        for start in self.starts:
            if self.axis in start.axes:
                message = f"the start {start!r} of a scan over {self.axis} depends on it; start all steps alike"
                raise DefinitionError(message)

    @property
    def lanes(self) -> tuple[Axis, ...]:
        """The axes along which the recurrences are independent."""
        axes = unite([*(start.axes for start in self.starts), *(step.axes for step in self.steps)])
        return tuple(axis for axis in axes if axis != self.axis)

    def _free_axes(self) -> tuple[Axis, ...]:
        return (*self.lanes, self.axis)

    @property
    def children(self) -> tuple[Expr, ...]:
        """The starts, then the steps."""
        return (*self.starts, *self.steps)

    def rebuild(self, children: Sequence[Expr]) -> "Scan":
        """The same recurrence of other starts and steps."""
        count = len(self.starts)
        return Scan(self.axis, self.carries, tuple(children[:count]), tuple(children[count:]), self.which, self.reverse)

    def result(self, which: int) -> "Scan":
        """The values of another carried value of the same recurrence."""
        return Scan(self.axis, self.carries, self.starts, self.steps, which, self.reverse)

    @property
    def group(self) -> "Scan":
        """The recurrence, whichever of its values this is."""
        return self.result(0)

    def text(self, operands: Sequence[str]) -> str:
        """Each carried value with its start and its step, then whose values these are."""
        count = len(self.starts)
        parts = [
            f"{carry.name} = {start} -> {step}"
            for carry, start, step in zip(self.carries, operands[:count], operands[count:], strict=True)
        ]
        direction = f"-{self.axis}" if self.reverse else str(self.axis)
        return f"scan[{direction}]({'; '.join(parts)}).{self.carries[self.which].name}"


def recurrence(
    axis: Axis,
    names: Sequence[str],
    starts: Sequence[Expr],
    build: Callable[[tuple[Carry, ...]], Sequence[Expr]],
    *,
    lanes: tuple[Axis, ...],
    reverse: bool,
) -> Scan:
    """The scan whose steps `build` writes in terms of its carried values, over at least these lanes."""
    while True:  # the steps may bring in lanes of their own
        carries = tuple(Carry(name, lanes) for name in names)
        scan = Scan(axis, carries, tuple(starts), tuple(build(carries)), 0, reverse)
        if scan.lanes == lanes:
            return scan
        found = unite([lanes, scan.lanes])
        lanes = scan.lanes if set(found) == set(scan.lanes) else found


@dataclass(frozen=True, eq=False, repr=False)
class Linearized(Expr):
    """`value` with derivatives of its own: `partials`, by each of `operands`, instead of those of what it is made of.

    A partial derivative has axes of the value and of its operand; what the value does not have is summed over in
    forward mode. Evaluation knows the value only (`autotune.lang.traverse.erase`).
    """

    value: Expr
    operands: tuple[Expr, ...]
    partials: tuple[Expr, ...]

    def _check(self) -> None:
        if len(self.operands) != len(self.partials):
            message = f"{len(self.partials)} partial derivatives for {len(self.operands)} operands; give one for each"
            raise DefinitionError(message)
        for operand, partial in zip(self.operands, self.partials, strict=True):
            known = (*self.value.axes, *operand.axes)
            for axis in partial.axes:
                if axis not in known:
                    message = f"the partial derivative {partial!r} has the axis {axis}, which {operand!r} does not have"
                    raise DefinitionError(message)

    def _free_axes(self) -> tuple[Axis, ...]:
        return self.value.axes

    @property
    def inner(self) -> tuple[Axis, ...]:
        """Axes of the operands that the value does not have: it is reduced over them."""
        axes = unite([operand.axes for operand in (*self.operands, *self.partials)])
        return tuple(axis for axis in axes if axis not in self.value.axes)

    @property
    def children(self) -> tuple[Expr, ...]:
        """The value, the operands, the partial derivatives."""
        return (self.value, *self.operands, *self.partials)

    def rebuild(self, children: Sequence[Expr]) -> "Linearized":
        """The same of other children."""
        count = len(self.operands)
        return Linearized(children[0], tuple(children[1 : 1 + count]), tuple(children[1 + count :]))

    def text(self, operands: Sequence[str]) -> str:
        """The value with the partial derivatives that were given for it."""
        count = len(self.operands)
        pairs = zip(operands[1 : 1 + count], operands[1 + count :], strict=True)
        return f"linearized({operands[0]}; {'; '.join(f'by {operand}: {partial}' for operand, partial in pairs)})"
