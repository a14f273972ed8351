"""Expressions in index notation: immutable trees whose free axes make them tensors.

An expression with free axes i, j *is* the tensor of its values over i and j (Einstein's convention), so any node may
stand wherever a value may. Nodes are compared by structure. What a node derives from its operands (its axes and its
hash) is computed once at construction, so sharing a subexpression costs nothing and walking one stays linear.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar, TypeAlias, TypeGuard

from autotune.errors import DefinitionError
from autotune.lang.axes import Axis, check_name, indexed, unite
from autotune.lang.functions import FUNCTIONS, Precedence
from autotune.lang.graph import subexpressions

REDUCTIONS = ("sum", "max", "min", "prod")


class Arithmetic:
    """Python's operators, each of which builds an `Apply` node; numbers mix in."""

    __array_ufunc__ = None  # so that NumPy's scalars leave `2.0 * expression` to the expression

    def as_expr(self) -> "Expr":
        """This value as an expression; raises DefinitionError where it is none."""
        raise NotImplementedError

    def __add__(self, other: "Operand") -> "Expr":
        return apply("add", self, other)

    def __radd__(self, other: "Operand") -> "Expr":
        return apply("add", other, self)

    def __sub__(self, other: "Operand") -> "Expr":
        return apply("sub", self, other)

    def __rsub__(self, other: "Operand") -> "Expr":
        return apply("sub", other, self)

    def __mul__(self, other: "Operand") -> "Expr":
        return apply("mul", self, other)

    def __rmul__(self, other: "Operand") -> "Expr":
        return apply("mul", other, self)

    def __truediv__(self, other: "Operand") -> "Expr":
        return apply("div", self, other)

    def __rtruediv__(self, other: "Operand") -> "Expr":
        return apply("div", other, self)

    def __pow__(self, exponent: "Operand") -> "Expr":
        return apply("pow", self, exponent)

    def __rpow__(self, base: "Operand") -> "Expr":
        return apply("pow", base, self)

    def __gt__(self, other: "Operand") -> "Expr":
        return apply("greater", self, other)

    def __ge__(self, other: "Operand") -> "Expr":
        return apply("greater_equal", self, other)

    def __lt__(self, other: "Operand") -> "Expr":
        return apply("greater", other, self)

    def __le__(self, other: "Operand") -> "Expr":
        return apply("greater_equal", other, self)

    def __neg__(self) -> "Expr":
        return apply("neg", self)

    def __abs__(self) -> "Expr":
        return apply("abs", self)


Operand: TypeAlias = Arithmetic | float


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
        object.__setattr__(self, "_hash", hash((type(self), self._fields())))

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
        message = f"{self} has no truth value while the kernel is defined; choose between values with where(…)"
        raise DefinitionError(message)

    def __hash__(self) -> int:
        hashed: int = self._hash  # type: ignore[attr-defined]  # set in __post_init__ of a frozen class
        return hashed

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or hash(self) != hash(other):
            return False
        return self._fields() == other._fields()

    def __reduce__(self) -> tuple[type["Expr"], tuple[Any, ...]]:
        # Through the constructor: a hash kept from another process would be wrong in this one.
        return type(self), self._fields()

    @property
    def operand_precedences(self) -> tuple[Precedence, ...]:
        """How tightly each child must bind to stand in the printed form without parentheses."""
        return (Precedence.ANY,) * len(self.children)

    def text(self, operands: Sequence[str]) -> str:
        """The printed form, given that of each child."""
        raise NotImplementedError

    def __str__(self) -> str:
        return render(self, {})

    def __repr__(self) -> str:
        return str(self)


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
class Read(Expr):
    """The elements of an input tensor, one axis per dimension."""

    tensor: str
    indices: tuple[Axis, ...]

    def _check(self) -> None:
        check_name("a tensor", self.tensor)
        check_indices(self.tensor, self.indices)

    def _free_axes(self) -> tuple[Axis, ...]:
        return unite([self.indices])

    def text(self, operands: Sequence[str]) -> str:
        """The printed form."""
        del operands
        return indexed(self.tensor, self.indices)


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
            message = f"the exponent {self.operands[1]} of a power must be a number; write exp(y * log(x)) for others"
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
                    f"{self.reduction} over {axis}, but {self.body} does not have that axis (its axes: {known}); "
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


def render(root: Expr, names: Mapping[Expr, str]) -> str:
    """The printed form of `root`; subexpressions in `names` stand there by name, indexed by their axes."""

    def unnamed(node: Expr) -> tuple[Expr, ...]:
        return () if node in names and node is not root else node.children

    texts: dict[Expr, str] = {}
    for node in subexpressions(root, unnamed):
        if node in names and node is not root:
            texts[node] = indexed(names[node], node.axes)
        else:
            least = zip(node.children, node.operand_precedences, strict=True)
            texts[node] = node.text([_enclosed(child, texts[child], level, names) for child, level in least])
    return texts[root]


def _enclosed(operand: Expr, text: str, least: Precedence, names: Mapping[Expr, str]) -> str:
    return text if operand in names or operand.precedence >= least else f"({text})"


def as_expr(value: object) -> Expr:
    """`value` as an expression: expressions as they are, real numbers as constants; else raises DefinitionError."""
    if isinstance(value, Arithmetic):
        return value.as_expr()
    if _is_number(value):
        return Constant(value)
    if isinstance(value, Axis):
        message = f"axis {value} is not a value; read a tensor at it: x[{value}]"
        raise DefinitionError(message)
    message = f"{value!r} ({type(value).__name__}) cannot stand in an expression; use reads, scalars and numbers"
    raise DefinitionError(message)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real | float) and not isinstance(value, bool)


def apply(function: str, *operands: Operand) -> Expr:
    """The function called `function` in the table, of `operands`."""
    return Apply(function, tuple(map(as_expr, operands)))


def check_indices(tensor: str, indices: Sequence[object]) -> None:
    """Raise DefinitionError unless every index is an axis and none stands twice."""
    for position, index in enumerate(indices):
        if not isinstance(index, Axis):
            message = (
                f"index {position + 1} of {tensor} is {index!r}, not an axis; affine accesses and fixed indices "
                f"are not supported yet: write axes from axes({tensor}) or axis(name, extent)"
            )
            raise DefinitionError(message)
        if index in indices[:position]:
            message = (
                f"axis {index} stands twice in {indexed(tensor, indices)}; diagonals are not supported yet: "
                f"use two axes, such as axis({index.name + '_2'!r}, {index.extent!r})"
            )
            raise DefinitionError(message)
