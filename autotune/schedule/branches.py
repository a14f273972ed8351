"""Sums that only one branch of a choice reads: they need no terms where the other is chosen."""

from autotune.lang import Apply, Constant, Expr, Reduce
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import substitute
from autotune.schedule.products import product_parts, summands


def narrowed(expr: Expr) -> Expr:
    """`expr` with the condition of a choice inside the sums that are read by one of its branches alone.

    where(c[a], Σ_h f[a, t, h], y) = where(c[a], Σ_h where(c[a], f[a, t, h], 0), y): as `c` is the same for all terms of
    a sum, and for several sums, the loops need not run at all where it does not hold. Products of matrices stay
    products.
    """
    found: dict[Expr, Expr] = {}
    for choice in subexpressions(expr):
        match choice:
            case Apply("where", (condition, first, second)):
                pass
            case _:
                continue
        for branch, other in ((first, second), (second, first)):
            outside = _reached(expr, choice, (condition, other))
            for node in subexpressions(branch, _applied):
                if isinstance(node, Reduce) and node not in outside and _may_be_left_out(node, condition):
                    zero = Constant(0.0)
                    terms = (node.body, zero) if branch is first else (zero, node.body)
                    found.setdefault(node, Reduce("sum", Apply("where", (condition, *terms)), node.over))
    return substitute(expr, found)


def _applied(node: Expr) -> tuple[Expr, ...]:
    return node.children if isinstance(node, Apply) else ()


def _reached(expr: Expr, choice: Expr, instead: tuple[Expr, ...]) -> set[Expr]:
    """What `expr` reads if `choice` reads but some of its operands."""
    return set(subexpressions(expr, lambda node: instead if node == choice else node.children))


def _may_be_left_out(node: Reduce, condition: Expr) -> bool:
    whole = {*node.axes, *node.over}
    fewer = set(condition.axes) < set(node.axes)
    spanned = all(any(whole <= set(part.axes) for part in product_parts(term)) for term in summands(node.body))
    return node.reduction == "sum" and fewer and spanned
