"""Sums of products: their factors, and the order in which to multiply them."""

from collections.abc import Callable, Iterable
from itertools import combinations

from autotune.lang import Affine, Apply, Axis, Constant, Expr, Read, Reduce

Size = Callable[[Iterable[Axis]], int]


def is_operand(expr: Expr) -> bool:
    """Whether `expr` can be a factor of a contraction: a tensor as it is, or a window onto one, zero outside if at all.

    The indices of a window are sums of multiples of axes, so an element's place is too.
    """
    if not isinstance(expr, Read) or expr.integer or expr.pad not in (None, 0.0):
        return False
    return all(not isinstance(index, Expr) and Affine.of(index).divisor == 1 for index in expr.indices)


def product_parts(body: Expr) -> tuple[Expr, ...]:
    """The factors of `body`, a division being a product with a reciprocal and a negation one with -1."""
    match body:
        case Apply("mul", (a, b)):
            return (*product_parts(a), *product_parts(b))
        case Apply("neg", (a,)):
            return (Constant(-1.0), *product_parts(a))
        case Apply("div", (a, b)) if a != Constant(1.0):
            return (*product_parts(a), Apply("div", (Constant(1.0), b)))
        case _:
            return (body,)


def summands(body: Expr) -> tuple[Expr, ...]:
    """The terms of a sum."""
    match body:
        case Apply("add", (a, b)):
            return (*summands(a), *summands(b))
        case Apply("sub", (a, b)):
            return (*summands(a), *(Apply("neg", (term,)) for term in summands(b)))
        case Apply("neg", (a,)) if len(terms := summands(a)) > 1:
            return tuple(Apply("neg", (term,)) for term in terms)
        case _:
            return (body,)


def contractions(node: Reduce) -> tuple[Reduce, ...]:
    """`node`, or several sums that add up to it, where each term is a product of two operands that it reads repeatedly.

    Σ_k (ȧ[m, k] · b[k, n] + a[m, k] · ḃ[k, n]), a derivative in forward mode, is two products of matrices.
    """
    terms = summands(node.body)
    if len(terms) > 1 and all(_is_product(term, node) for term in terms):
        return tuple(Reduce("sum", term, node.over) for term in terms)
    return (node,)


def _is_product(term: Expr, node: Reduce) -> bool:
    """Whether a term of `node` is a product of two operands, over all axes together and neither alone."""
    factors = [part for part in product_parts(term) if part.axes or isinstance(part, Read)]
    whole = {*node.axes, *node.over}
    covered = {axis for factor in factors for axis in factor.axes}
    return len(factors) == 2 and covered == whole and all(is_operand(f) and set(f.axes) != whole for f in factors)


def scaled(total: Expr, scale: Iterable[Expr]) -> Expr:
    """`total` times each of `scale`."""
    for factor in scale:
        total = Apply("mul", (total, factor))
    return total


def contracted_pairs(
    factors: tuple[Read, ...],
    axes: Iterable[Axis],
    over: tuple[Axis, ...],
    size: Size,
    store: Callable[[Reduce], Read],
) -> tuple[Read, ...]:
    """Contract pairs of factors first where that costs fewer operations than one loop nest over all axes.

    Greedy: the pair whose result saves most elements, as in opt_einsum's greedy path (Smith and Gray 2018,
    doi:10.21105/joss.00753). Only pairs with a summed axis of their own are contracted; any other product is as cheap
    where it is used. `store` makes a pair an intermediate.
    """
    while len(factors) > 2:
        whole = size({axis for factor in factors for axis in factor.axes})
        best: tuple[int, Reduce, tuple[Read, ...]] | None = None
        for first, second in combinations(range(len(factors)), 2):
            rest = tuple(factor for index, factor in enumerate(factors) if index not in (first, second))
            pair = Apply("mul", (factors[first], factors[second]))
            outside = set(axes).union(*(factor.axes for factor in rest))
            own = tuple(axis for axis in over if axis in pair.axes and axis not in outside)
            cost = size(set(pair.axes)) if own else whole
            kept = set(pair.axes) - set(own)
            cost += size(kept.union(*(factor.axes for factor in rest)))
            if own and cost < whole and (best is None or cost < best[0]):
                best = cost, Reduce("sum", pair, own), rest
        if best is None:
            break
        factors = (store(best[1]), *best[2])
    return factors
