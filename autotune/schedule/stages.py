"""From one expression to stages: reductions that are computed one after the other.

A stage is `result[axes] = epilogue(total)` with `total = sum over `over` of the product of `factors``, or another
reduction of the only factor. An expression with one sum and pointwise functions around it is one stage; a sum inside
another becomes a stage of its own whose result is stored, and so does the product of two factors where contracting them
first costs less (a · b · c as (a · b) · c).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import prod

from autotune.lang import Apply, Axis, Constant, Expr, Kernel, Read, Reduce
from autotune.lang.graph import subexpressions


@dataclass(frozen=True)
class Stage:
    """One sum of products, or one other reduction, and what is done to it.

    `epilogue` is an expression over `axes`; in it, `total` stands for the sum. Without factors there is no sum and the
    epilogue alone gives the result.
    """

    name: str
    axes: tuple[Axis, ...]
    over: tuple[Axis, ...]
    factors: tuple[Read, ...]
    epilogue: Expr
    reduction: str = "sum"

    @property
    def total(self) -> Read:
        """The sum, as the epilogue reads it."""
        return Read(self.name, self.axes)

    @property
    def has_epilogue(self) -> bool:
        """Whether anything is done to the sum."""
        return self.epilogue != self.total

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """Every distinct way in which the stage touches a tensor.

        Its result first, its factors, what the epilogue reads.
        """
        rest = (node for node in subexpressions(self.epilogue) if isinstance(node, Read))
        return tuple(dict.fromkeys((self.total, *self.factors, *rest)))

    @property
    def all_axes(self) -> tuple[Axis, ...]:
        """Axes of the result, then those summed over."""
        return (*self.axes, *self.over)


@dataclass
class _Program:
    """Stages found so far; `stored` remembers which expression each intermediate holds, so none is computed twice."""

    extents: Mapping[str, int]
    stages: list[Stage] = field(default_factory=list)
    stored: dict[Expr, Read] = field(default_factory=dict)

    def size(self, axes: set[Axis]) -> int:
        return prod(self.extents[axis.extent] for axis in axes)


def stages(kernel: Kernel, extents: Mapping[str, int]) -> tuple[Stage, ...]:
    """Stages that compute `kernel`, in order, the last of them its output; `extents` decide the order of products."""
    program = _Program(extents)
    output = kernel.output
    program.stages.append(_stage(program, output.name, output.axes, output.expr))
    return tuple(program.stages)


def _store(program: _Program, expr: Expr) -> Read:
    """The intermediate that holds `expr`, computed by a stage of its own."""
    if isinstance(expr, Read):
        return expr
    if expr not in program.stored:
        name = f"stage_{len(program.stored)}"
        program.stored[expr] = Read(name, expr.axes)
        program.stages.append(_stage(program, name, expr.axes, expr))
    return program.stored[expr]


def _stage(program: _Program, name: str, axes: tuple[Axis, ...], expr: Expr) -> Stage:
    total = Read(name, axes)
    reductions = [node for node in _outermost_reductions(expr) if set(node.axes) == set(axes)]
    core = max(reductions, key=lambda node: len(node.body.axes), default=None)
    others: dict[Expr, Expr] = {node: _store(program, node) for node in _outermost_reductions(expr) if node != core}
    if core is None:
        return Stage(name, axes, (), (), _replace(expr, _known(program, expr) | others))
    if core.reduction != "sum":
        body = _store(program, core.body)
        epilogue = _replace(expr, _known(program, expr) | others | {core: total})
        return Stage(name, axes, core.over, (body,), epilogue, core.reduction)
    factors, scale = _product(program, core.body)
    factors = _contract_pairs(program, factors, set(axes), core.over)
    over = tuple(axis for axis in core.over if any(axis in factor.indices for factor in factors))
    if not over:  # every summed axis went into an intermediate: what is left is a plain product
        product = _scaled(factors[0], [*factors[1:], *scale])
        return Stage(name, axes, (), (), _replace(expr, _known(program, expr) | others | {core: product}))
    epilogue = _replace(expr, _known(program, expr) | others | {core: _scaled(total, scale)})
    return Stage(name, axes, over, factors, epilogue)


def _known(program: _Program, expr: Expr) -> dict[Expr, Expr]:
    """Intermediates by what they hold, `expr` itself left out.

    They are read, not computed again: which element is the largest must be asked of the very values it was found among.
    """
    return {held: read for held, read in program.stored.items() if held != expr}


def _outermost_reductions(expr: Expr) -> list[Reduce]:
    if isinstance(expr, Reduce):
        return [expr]
    return list(dict.fromkeys(node for child in expr.children for node in _outermost_reductions(child)))


def _replace(expr: Expr, replacements: Mapping[Expr, Expr]) -> Expr:
    if expr in replacements:
        return replacements[expr]
    return expr.rebuild([_replace(child, replacements) for child in expr.children])


def _scaled(total: Expr, scale: list[Expr]) -> Expr:
    for factor in scale:
        total = Apply("mul", (total, factor))
    return total


def _product(program: _Program, body: Expr) -> tuple[tuple[Read, ...], list[Expr]]:
    """The factors of `body` that depend on axes, as reads, and those that do not."""
    reads: list[Read] = []
    scale: list[Expr] = []
    pending = [body]
    while pending:
        match pending.pop():
            case Apply("mul", (a, b)):
                pending += [b, a]
            case Apply("neg", (a,)):
                scale.append(Constant(-1.0))
                pending.append(a)
            case Apply("div", (a, b)):
                pending += [Apply("div", (Constant(1.0), b)), a] if a != Constant(1.0) else []
                if a == Constant(1.0):
                    factor = Apply("div", (a, b))
                    (reads.append(_store(program, factor)) if factor.axes else scale.append(factor))
            case factor if not factor.axes and not isinstance(factor, Read):
                scale.append(_replace(factor, {node: _store(program, node) for node in _outermost_reductions(factor)}))
            case factor:
                reads.append(_store(program, factor))
    return tuple(reads), scale


def _contract_pairs(
    program: _Program, factors: tuple[Read, ...], axes: set[Axis], over: tuple[Axis, ...]
) -> tuple[Read, ...]:
    """Contract pairs of factors first where that costs fewer operations than one loop nest over all axes.

    Greedy: the pair whose result saves most elements, as in opt_einsum's greedy path (Smith and Gray 2018,
    doi:10.21105/joss.00753). Only pairs with a summed axis of their own are contracted; any other product is as cheap
    where it is used.
    """
    while len(factors) > 2:
        whole = program.size({axis for factor in factors for axis in factor.indices})
        best: tuple[int, Reduce, tuple[Read, ...]] | None = None
        for first, second in combinations(range(len(factors)), 2):
            rest = tuple(factor for index, factor in enumerate(factors) if index not in (first, second))
            pair = Apply("mul", (factors[first], factors[second]))
            outside = axes.union(*(factor.indices for factor in rest))
            own = tuple(axis for axis in over if axis in pair.axes and axis not in outside)
            cost = program.size(set(pair.axes)) if own else whole
            kept = set(pair.axes) - set(own)
            cost += program.size(kept.union(*(factor.indices for factor in rest)))
            if own and cost < whole and (best is None or cost < best[0]):
                best = cost, Reduce("sum", pair, own), rest
        if best is None:
            break
        factors = (_store(program, best[1]), *best[2])
    return factors
