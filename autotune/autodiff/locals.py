"""The derivative of one node by what it is computed from, where that is a product of factors at each point."""

from collections.abc import Collection, Iterator

from autotune.autodiff.rules import CONSTANT, partials, reduction_partial
from autotune.lang import Apply, Expr, Linearized, Reduce, Reindex, Scatter
from autotune.lang.traverse import factors


def sources(node: Expr) -> tuple[Expr, ...]:
    """The nodes that a derivative of `node` goes through; a scan is another matter."""
    match node:
        case Apply(function) if function in CONSTANT:
            return ()
        case Apply("mul"):
            return factors(node)
        case Apply("where", (_, x, y)):
            return x, y
        case Apply("pow", (x, _)):
            return (x,)
        case Apply(_, operands):
            return operands
        case Reduce("argmax" | "argmin"):
            return ()
        case Reduce(_, body) | Reindex(body) | Scatter(body):
            return (body,)
        case Linearized(_, operands):
            return operands
        case _:
            return ()


def local_derivatives(node: Expr, active: Collection[Expr]) -> Iterator[tuple[Expr, tuple[Expr, ...]]]:
    """The active sources of `node`, each with the factors of its partial derivative."""
    match node:
        case Apply("mul"):
            # All factors of a product at once: the gradient is then one sum of products, not a nest of them.
            parts = factors(node)
            for position, part in enumerate(parts):
                if part in active:
                    yield part, (*parts[:position], *parts[position + 1 :])
        case Apply(_, operands):
            for operand, partial in zip(operands, partials(node), strict=True):
                if operand in active and operand in sources(node):
                    yield operand, (partial,)
        case Linearized(_, operands, derivatives):
            for operand, partial in zip(operands, derivatives, strict=True):
                if operand in active:
                    yield operand, (partial,)
        case Reduce(reduction, body, over) if body in active and sources(node):
            yield body, reduction_partial(node, reduction, body, over)
        case _:
            pass
