"""Sizes of dimensions that no input has, as whole-numbered arithmetic in generated code."""

from autotune.codegen.text import unwrapped
from autotune.errors import TemplateError
from autotune.lang import Apply, Constant, Expr, Extent
from autotune.lang.graph import subexpressions

Quotient = tuple[str, str]
"""A numerator and a denominator as texts; "1" where it is whole."""


def size_text(size: Expr) -> str:
    """`size` as Python on the extents `…_extent`; raises TemplateError where it is too involved."""
    known: dict[Expr, Quotient] = {}
    for node in subexpressions(size):
        match node:
            case Extent(name):
                known[node] = (f"{name}_extent", "1")
            case Constant(value):
                known[node] = (str(int(value)), "1")
            case Apply(function, operands):
                known[node] = _applied(node, function, [known[operand] for operand in operands])
            case _:
                raise TemplateError(_unknown(node))
    numerator, denominator = known[size]
    text = numerator if denominator == "1" else f"{numerator} // {denominator}"
    return unwrapped(text)


def _applied(node: Expr, function: str, parts: list[Quotient]) -> Quotient:
    numerators = [numerator for numerator, _ in parts]
    match function:
        case "floor":
            ((numerator, denominator),) = parts
            return (numerator if denominator == "1" else f"({numerator} // {denominator})", "1")
        case "neg":
            return f"(-{numerators[0]})", parts[0][1]
        case "mul":
            return f"({' * '.join(numerators)})", _times(parts[0][1], parts[1][1])
        case "div":
            (a, b), (c, d) = parts
            return _times(a, d), _times(b, c)
        case "add" | "sub":
            (a, b), (c, d) = parts
            sign = "+" if function == "add" else "-"
            return (f"({a} {sign} {c})", b) if b == d else (f"({_times(a, d)} {sign} {_times(c, b)})", _times(b, d))
        case "maximum" | "minimum" if all(denominator == "1" for _, denominator in parts):
            return f"{function[:3]}({', '.join(numerators)})", "1"
        case _:
            raise TemplateError(_unknown(node))


def _times(a: str, b: str) -> str:
    return b if a == "1" else a if b == "1" else f"({a} * {b})"


def _unknown(node: Expr) -> str:
    return f"no code is generated yet for a dimension of {node} elements"
