"""Expressions in index notation: immutable trees whose free axes make them tensors.

An expression with free axes i, j *is* the tensor of its values over i and j (Einstein's convention), so any node may
stand wherever a value may. Nodes are compared by structure, through a digest of it. What a node derives from its
operands (its axes and its digest) is computed once at construction, so sharing a subexpression costs nothing, walking
one stays linear, and so does comparing two that were built apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from numbers import Real
from typing import Any, ClassVar, TypeAlias, TypeGuard

from autotune.errors import DefinitionError
from autotune.lang.affine import Affine
from autotune.lang.arithmetic import Arithmetic, Operand
from autotune.lang.axes import Axis, check_name, indexed, unite
from autotune.lang.functions import FUNCTIONS, Precedence
from autotune.lang.graph import subexpressions

REDUCTIONS = ("sum", "max", "min", "prod", "first_max", "first_min", "argmax", "argmin")

Index: TypeAlias = "Axis | Affine | Expr"
"""Where a dimension is read: at an axis, an affine function of axes, or a whole number computed at run time."""


@dataclass(frozen=True, eq=False, repr=False)
class Expr(Arithmetic):
    """Base of all nodes.

    A node type states its free axes (`_free_axes`), its operands (`children`, with `rebuild` to replace them) and its
    printed form (`text`, `precedence`, `operand_precedences`); everything that walks expressions needs no more.
    """

    precedence: ClassVar[Precedence] = Precedence.ATOM

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "_axes", self._free_axes())
        object.__setattr__(
            self, "_digest", blake2b(_encoded((type(self).__name__, self._fields())), digest_size=16).digest()
        )

    def _fields(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    def _check(self) -> None:
        """Raise DefinitionError unless the fields make a valid node."""

    def _free_axes(self) -> tuple[Axis, ...]:
        return ()

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Free axes in the order of their first appearance: the dimensions of this expression as a tensor."""
        axes: tuple[Axis, ...] = self._axes  # type: ignore[attr-defined]  # set in __post_init__ of a frozen class
        return axes

    @property
    def children(self) -> tuple["Expr", ...]:
        """The nodes this one is computed from."""
        return ()

    def rebuild(self, children: Sequence["Expr"]) -> "Expr":
        """This node over other children."""
        del children
        return self

    def as_expr(self) -> "Expr":
        """The expression itself."""
        return self

    def __bool__(self) -> bool:
        message = f"{self!r} has no truth value while the kernel is defined; choose between values with where(…)"
        raise DefinitionError(message)

    @property
    def digest(self) -> bytes:
        """16 bytes that are equal for equal nodes, in every process, and for no others."""
        digest: bytes = self._digest  # type: ignore[attr-defined]  # set in __post_init__ of a frozen class
        return digest

    def __hash__(self) -> int:
        return int.from_bytes(self.digest[:8], "little")

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Expr) and self.digest == other.digest)

    def __reduce__(self) -> tuple[type["Expr"], tuple[Any, ...]]:
        return type(self), self._fields()

    @property
    def operand_precedences(self) -> tuple[Precedence, ...]:
        """How tightly each child must bind to stand in the printed form without parentheses."""
        return (Precedence.ANY,) * len(self.children)

    def text(self, operands: Sequence[str]) -> str:
        """The printed form, given that of each child."""
        raise NotImplementedError

    def __str__(self) -> str:
        return render(self, {}, longest=1000)

    def __repr__(self) -> str:
        # For messages: the text of an expression that uses its parts twice, and so on, has no end.
        return brief(self)


def _encoded(value: object) -> bytes:
    """A field of a node as bytes from which it could be told from any other."""
    match value:
        case Expr():
            return b"E" + value.digest
        case tuple():
            return b"(" + b"".join(map(_encoded, value)) + b")"
        case Axis(name, extent):
            return f"A{name} {extent};".encode()
        case Affine(terms, offset, divisor):
            return b"F" + _encoded((terms, offset, divisor))
        case _:
            return f"{type(value).__name__} {value!r};".encode()


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Expr):
    """A number."""

    value: float

    def _check(self) -> None:
        if not _is_number(self.value) or math.isnan(self.value):
            message = f"{self.value!r} is not a number"
            raise DefinitionError(message)
        object.__setattr__(self, "value", float(self.value))

    @property
    def precedence(self) -> Precedence:  # type: ignore[override]  # depends on the sign
        """A negative number binds like a negation."""
        return Precedence.ATOM if math.copysign(1.0, self.value) > 0 else Precedence.NEGATION

    def text(self, operands: Sequence[str]) -> str:
        """The printed form."""
        del operands
        short = self.value.is_integer() and abs(self.value) < 1e16 and repr(self.value) != "-0.0"
        return str(int(self.value)) if short else repr(self.value)


@dataclass(frozen=True, eq=False, repr=False)
class Parameter(Expr):
    """A scalar input."""

    name: str

    def _check(self) -> None:
        check_name("a scalar", self.name)

    def text(self, operands: Sequence[str]) -> str:
        """The printed form."""
        del operands
        return self.name


@dataclass(frozen=True, eq=False, repr=False)
class Extent(Expr):
    """The number of indices of the dimension called `name`, as a value: what a sum of ones over it gives."""

    name: str

    def _check(self) -> None:
        check_name("an extent", self.name)

    def text(self, operands: Sequence[str]) -> str:
        """The printed form."""
        del operands
        return f"extent({self.name})"


@dataclass(frozen=True, eq=False, repr=False)
class Position(Expr):
    """The index along an axis as a value: 0, …, extent - 1."""

    axis: Axis

    def _free_axes(self) -> tuple[Axis, ...]:
        return (self.axis,)

    def text(self, operands: Sequence[str]) -> str:
        """The printed form."""
        del operands
        return self.axis.name


@dataclass(frozen=True, eq=False, repr=False)
class Read(Expr):
    """The elements of an input tensor, one index per dimension.

    Outside the tensor the value is `pad`; without one, no index may lead there. `integer` tensors hold whole numbers.
    """

    tensor: str
    indices: tuple[Index, ...]
    pad: float | None = None
    integer: bool = False

    def _check(self) -> None:
        check_name("a tensor", self.tensor)
        check_indices(self.tensor, self.indices)
        object.__setattr__(self, "pad", checked_pad(self.tensor, self.pad, integer=self.integer))

    def _free_axes(self) -> tuple[Axis, ...]:
        return axes_of(self.indices)

    @property
    def plain(self) -> bool:
        """Whether the indices are axes, each once: the tensor as it is, up to the order of its dimensions."""
        return self.pad is None and is_plain(self.indices)

    @property
    def children(self) -> tuple[Expr, ...]:
        """The indices that are computed at run time."""
        return computed(self.indices)

    def rebuild(self, children: Sequence[Expr]) -> "Read":
        """The same read at other computed indices."""
        return Read(self.tensor, recomputed(self.indices, children), self.pad, self.integer)

    def text(self, operands: Sequence[str]) -> str:
        """The printed form."""
        padding = "" if self.pad is None else f".pad({Constant(self.pad)})"
        return indexed(self.tensor + padding, index_texts(self.indices, operands))


@dataclass(frozen=True, eq=False, repr=False)
class Apply(Expr):
    """A pointwise function of operands that are broadcast against each other by axis."""

    function: str
    operands: tuple[Expr, ...]

    def _check(self) -> None:
        function = FUNCTIONS.get(self.function)
        if function is None:
            message = f"unknown function {self.function!r}; the functions are {', '.join(FUNCTIONS)}"
            raise DefinitionError(message)
        if len(self.operands) != function.arity:
            message = f"{self.function} takes {function.arity} operands, not {len(self.operands)}"
            raise DefinitionError(message)
        if self.function == "pow" and not isinstance(self.operands[1], Constant):
            message = f"the exponent {self.operands[1]!r} of a power must be a number; write exp(y * log(x)) for others"
            raise DefinitionError(message)

    def _free_axes(self) -> tuple[Axis, ...]:
        return unite([operand.axes for operand in self.operands])

    @property
    def children(self) -> tuple[Expr, ...]:
        """The operands."""
        return self.operands

    def rebuild(self, children: Sequence[Expr]) -> "Apply":
        """The same function of other operands."""
        return Apply(self.function, tuple(children))

    @property
    def precedence(self) -> Precedence:  # type: ignore[override]  # depends on the function
        """That of the function's printed form."""
        return FUNCTIONS[self.function].precedence

    @property
    def operand_precedences(self) -> tuple[Precedence, ...]:
        """Those of the function's printed form."""
        return FUNCTIONS[self.function].operand_precedences

    def text(self, operands: Sequence[str]) -> str:
        """The function's printed form of the operands."""
        return FUNCTIONS[self.function].form.format(*operands)


@dataclass(frozen=True, eq=False, repr=False)
class Reduce(Expr):
    """The reduction of `body` over some of its free axes, which are bound by this node."""

    reduction: str
    body: Expr
    over: tuple[Axis, ...]

    def _check(self) -> None:
        if self.reduction not in REDUCTIONS:
            message = f"unknown reduction {self.reduction!r}; the reductions are {', '.join(REDUCTIONS)}"
            raise DefinitionError(message)
        if not self.over:
            message = f"a {self.reduction} needs at least one axis to reduce over"
            raise DefinitionError(message)
        for position, axis in enumerate(self.over):
            if axis in self.over[:position]:
                message = f"axis {axis} stands twice in a {self.reduction} over {', '.join(map(str, self.over))}"
                raise DefinitionError(message)
            if axis not in self.body.axes:
                known = ", ".join(map(str, self.body.axes)) or "none"
                message = (
                    f"{self.reduction} over {axis}, but {self.body!r} does not have that axis (its axes: {known}); "
                    f"reduce over one of its axes or index something with {axis}"
                )
                raise DefinitionError(message)

    def _free_axes(self) -> tuple[Axis, ...]:
        return tuple(axis for axis in self.body.axes if axis not in self.over)

    @property
    def children(self) -> tuple[Expr, ...]:
        """The body."""
        return (self.body,)

    def rebuild(self, children: Sequence[Expr]) -> "Reduce":
        """The same reduction of another body."""
        (body,) = children
        return Reduce(self.reduction, body, self.over)

    def text(self, operands: Sequence[str]) -> str:
        """The reduction, its axes in brackets, its body in parentheses."""
        (body,) = operands
        return f"{indexed(self.reduction, self.over)}({body})"


def render(root: Expr, names: Mapping[Expr, str], *, longest: int | None = None) -> str:
    """The printed form of `root`; subexpressions in `names` stand there by name, indexed by their axes.

    Operands whose own form has more than `longest` characters are left out: the text of an expression may be
    exponentially longer than what computes it, where it uses each of its parts twice.
    """

    def unnamed(node: Expr) -> tuple[Expr, ...]:
        return () if node in names and node is not root else node.children

    texts: dict[Expr, str] = {}
    for node in subexpressions(root, unnamed):
        if node in names and node is not root:
            texts[node] = indexed(names[node], node.axes)
        else:
            least = zip(node.children, node.operand_precedences, strict=True)
            texts[node] = node.text([_enclosed(child, texts[child], level, names) for child, level in least])
            if longest is not None and len(texts[node]) > longest and node is not root:
                texts[node] = "…"
    return texts[root]


def brief(root: Expr, depth: int = 4) -> str:
    """The printed form of `root` for a message, with what lies deeper left out: "exp(…[i, j])"."""
    names: dict[Expr, str] = {}
    level, seen = [root], {root}
    for _ in range(depth):
        level = [child for node in level for child in node.children if child not in seen]
        seen.update(level)
    names = {node: "…" for node in level if node.children}
    return render(root, names)


def _enclosed(operand: Expr, text: str, least: Precedence, names: Mapping[Expr, str]) -> str:
    return text if operand in names or operand.precedence >= least else f"({text})"


def as_expr(value: object) -> Expr:
    """`value` as an expression: expressions as they are, real numbers as constants; else raises DefinitionError."""
    if isinstance(value, Arithmetic):
        return value.as_expr()
    if _is_number(value):
        return Constant(value)
    message = f"{value!r} ({type(value).__name__}) cannot stand in an expression; use reads, scalars and numbers"
    if isinstance(value, bool):
        message += ", and equal(x, y) to compare values: == compares expressions"
    raise DefinitionError(message)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real | float) and not isinstance(value, bool)


def apply(function: str, *operands: Operand) -> Expr:
    """The function called `function` in the table, of `operands`."""
    return Apply(function, tuple(map(as_expr, operands)))


def checked_pad(name: str, pad: object, *, integer: bool = False) -> float | None:
    """The padding as a float; raises DefinitionError where it is no number, or not whole among whole numbers."""
    if pad is None:
        return None
    if not _is_number(pad) or math.isnan(pad) or (integer and not float(pad).is_integer()):
        kind = "a whole number, as its elements are" if integer else "a number"
        message = f"{name} is padded with {pad!r}; pad it with {kind}"
        raise DefinitionError(message)
    return float(pad)


def check_indices(tensor: str, indices: Sequence[object]) -> None:
    """Raise DefinitionError unless every index is an axis, an affine function of axes or an expression."""
    for position, index in enumerate(indices):
        if not isinstance(index, Axis | Affine | Expr):
            message = (
                f"index {position + 1} of {tensor} is {index!r}, not an axis; "
                f"write axes from axes({tensor}) or axis(name, extent), or arithmetic of these"
            )
            raise DefinitionError(message)


def axes_of(indices: Sequence[Index]) -> tuple[Axis, ...]:
    """The axes that indices depend on, each once."""
    return unite([(index,) if isinstance(index, Axis) else index.axes for index in indices])


def is_plain(indices: Sequence[Index]) -> bool:
    """Whether the indices are axes, each once."""
    return all(isinstance(index, Axis) for index in indices) and len(set(indices)) == len(indices)


def computed(indices: Sequence[Index]) -> tuple[Expr, ...]:
    """The indices that are computed at run time."""
    return tuple(index for index in indices if isinstance(index, Expr))


def recomputed(indices: Sequence[Index], replacements: Sequence[Expr]) -> tuple[Index, ...]:
    """The indices with those that are computed at run time replaced."""
    left = iter(replacements)
    return tuple(next(left) if isinstance(index, Expr) else index for index in indices)


def index_texts(indices: Sequence[Index], texts: Sequence[str]) -> tuple[str, ...]:
    """The printed forms of indices, given those of the ones computed at run time."""
    left = iter(texts)
    return tuple(next(left) if isinstance(index, Expr) else str(index) for index in indices)
