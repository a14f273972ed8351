"""From what is written in brackets to indices: axes, affine functions of axes, whole numbers computed at run time."""

from typing import TYPE_CHECKING

from autotune.errors import DefinitionError
from autotune.lang.affine import Affine
from autotune.lang.axes import Axis
from autotune.lang.expressions import (
    Apply,
    Constant,
    Expr,
    Extent,
    Index,
    Parameter,
    Position,
    Read,
    Reduce,
    as_expr,
)
from autotune.lang.graph import subexpressions

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHOLE = frozenset({"add", "sub", "mul", "neg", "maximum", "minimum", "stop_gradient"})  # whole of whole numbers
_LARGEST = 2**53  # constants are kept as float64


def as_indices(name: str, values: object) -> tuple[Index, ...]:
    """The indices written in `name[values]`; raises DefinitionError for what cannot be one."""
    written: Sequence[object] = values if isinstance(values, tuple) else (values,)
    return tuple(_as_index(name, position, value) for position, value in enumerate(written, start=1))


def _as_index(name: str, position: int, value: object) -> Index:
    if isinstance(value, Axis | Affine):
        return value
    try:
        expr = as_expr(value)
    except DefinitionError as error:
        message = f"index {position} of {name} is {value!r}: write axes, arithmetic of axes or whole numbers ({error})"
        raise DefinitionError(message) from error
    affine = affine_of(expr)
    if affine is not None:
        return affine.simplest()
    if not is_whole(expr):
        message = (
            f"index {position} of {name} is {expr!r}, which need not be a whole number; read an integer tensor there "
            f"(annotated Integers[...]), or round it down: floor({expr!r})"
        )
        raise DefinitionError(message)
    if not any(isinstance(node, Read | Parameter) for node in subexpressions(expr)):
        message = (
            f"index {position} of {name} is {expr!r}, which is not affine: axes may be added and multiplied by whole "
            f"numbers; put floor(…) around it to compute it at run time all the same"
        )
        if not any(isinstance(node, Apply) and node.function == "floor" for node in subexpressions(expr)):
            raise DefinitionError(message)
    return expr


def affine_of(expr: Expr) -> Affine | None:
    """`expr` as an affine function of axes and extents, where it is one."""
    match expr:
        case Position(axis):
            return Affine(((axis, 1),))
        case Extent(name):
            return Affine(((name, 1),))
        case Constant(value) if value.is_integer():
            return Affine((), int(value))
        case Apply("neg", (operand,)):
            return _combined(affine_of(operand), Affine(()), -1, 0)
        case Apply("add", (a, b)):
            return _combined(affine_of(a), affine_of(b), 1, 1)
        case Apply("sub", (a, b)):
            return _combined(affine_of(a), affine_of(b), 1, -1)
        case Apply("mul", (Constant(value), a)) | Apply("mul", (a, Constant(value))) if value.is_integer():
            return _combined(affine_of(a), Affine(()), int(value), 0)
        case _:
            return None


def _combined(a: Affine | None, b: Affine | None, times_a: int, times_b: int) -> Affine | None:
    if a is None or b is None:
        return None
    terms = [*((term, times_a * c) for term, c in a.terms), *((term, times_b * c) for term, c in b.terms)]
    return Affine.total(terms, times_a * a.offset + times_b * b.offset)


def affine_expr(index: "Axis | Affine") -> Expr:
    """An affine index as a value."""
    affine = Affine.of(index)
    parts: Expr | None = None
    for term, coefficient in affine.terms:
        node: Expr = Position(term) if isinstance(term, Axis) else Extent(term)
        scaled = node if abs(coefficient) == 1 else abs(coefficient) * node
        if parts is None:
            parts = scaled if coefficient > 0 else -scaled
        else:
            parts = parts + scaled if coefficient > 0 else parts - scaled
    if parts is None:
        parts = Constant(float(affine.offset))
    elif affine.offset:
        parts = parts + affine.offset if affine.offset > 0 else parts - abs(affine.offset)
    return parts if affine.divisor == 1 else parts / affine.divisor


def index_expr(index: Index) -> Expr:
    """Any index as a value."""
    return index if isinstance(index, Expr) else affine_expr(index)


def is_whole(expr: Expr) -> bool:
    """Whether the values of `expr` are whole numbers by construction."""
    known: dict[Expr, bool] = {}
    for node in subexpressions(expr, _whole_operands):
        match node:
            case Position() | Extent() | Reduce("argmax" | "argmin") | Apply("floor"):
                known[node] = True
            case Constant(value):
                known[node] = value.is_integer()
            case Read(_, _, _, integer):
                known[node] = integer
            case _:
                operands = _whole_operands(node)
                known[node] = bool(operands) and all(known[operand] for operand in operands)
    return known[expr]


def is_integer(expr: Expr) -> bool:
    """Whether `expr` is of integer kind: computed from whole numbers by operations that keep them so, exactly (int64).

    Rounding down is not among these, since what is rounded may be too large for an int64.
    """
    known: dict[Expr, bool] = {}
    for node in subexpressions(expr, _whole_operands):
        match node:
            case Position() | Extent() | Reduce("argmax" | "argmin"):
                known[node] = True
            case Constant(value):
                known[node] = value.is_integer() and abs(value) <= _LARGEST and repr(value) != "-0.0"
            case Read(_, _, _, integer):
                known[node] = integer
            case _:
                operands = _whole_operands(node)
                known[node] = bool(operands) and all(known[operand] for operand in operands)
    return known[expr]


def counts(expr: Expr) -> bool:
    """Whether `expr` is of integer kind and depends on data: an output of it has whole numbers as its elements."""
    return is_integer(expr) and any(isinstance(node, Read | Reduce) for node in subexpressions(expr))


def _whole_operands(node: Expr) -> tuple[Expr, ...]:
    """The operands that make the values of `node` whole if theirs are; none where whatever else it is decides."""
    match node:
        case Apply("where", (_, x, y)):
            return (x, y)
        case Apply(function, operands) if function in _WHOLE:
            return operands
        case _:
            return ()
