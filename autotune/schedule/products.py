"""Sums of products: their factors, and the order in which to multiply them."""

from collections.abc import Callable, Iterable
from itertools import combinations

from autotune.lang import Apply, Axis, Constant, Expr, Read, Reduce

Size = Callable[[Iterable[Axis]], int]


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
