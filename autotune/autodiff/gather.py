"""The gather form: what is added to an element, as a sum over everything that read it (KERNELS.md §1.2).

The adjoint of a read x[a(o, r)] adds the cotangent of every (o, r) to the element a(o, r): a scatter. Where the index
is affine, each dimension is solved for one axis instead, its pivot: the element is given, the pivot follows, and what
is left is a sum over the other axes in which the pivot must be a whole number within its range.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from autotune.autodiff.simplify import Monomial, product, sum_over, total
from autotune.lang import Affine, Apply, Axis, Constant, Expr, Index, Position, Read, Reindex, Scatter, equal
from autotune.lang.expressions import axes_of
from autotune.lang.indexing import affine_expr
from autotune.lang.traverse import fresh_axis, rename, renamed_indices


@dataclass
class _Solution:
    """Axes solved so far, as functions of the targets and the axes that are left; and what has no solution."""

    values: dict[Axis, Axis | Affine] = field(default_factory=dict)
    conditions: list[Expr] = field(default_factory=list)
    scattered: dict[Axis, Expr] = field(default_factory=dict)

    def add(self, axis: Axis, value: Axis | Affine) -> None:
        """`axis` follows from `value`, also where others were solved in terms of it."""
        known = {pivot: Affine.of(old).substitute({axis: value}).simplest() for pivot, old in self.values.items()}
        self.values = {**known, axis: value}


def gathered(
    cotangent: Expr,
    indices: Sequence[Index],
    targets: Sequence[Axis],
    *,
    kept: Collection[Axis] = (),
    preferred: Collection[Axis] = (),
    strict: bool = False,
) -> Expr:
    """Σ of `cotangent` over all points whose `indices` are those of `targets`, as a tensor over `targets` and `kept`.

    `cotangent` is a tensor over the axes of the indices and those `kept`, along which both sides agree. Pivots are
    taken from the `preferred` axes where possible, and where the axis has coefficient 1: the outputs' axes, so that
    reductions stay inner loops. Indices that are computed at run time give a scatter, which is `strict` where none may
    lead outside.
    """
    plain = {index: target for index, target in zip(indices, targets, strict=True) if _runs_over(index, target, kept)}
    if len(plain) == len(indices):
        return rename(cotangent, _present(plain, cotangent))
    frame = [axis for axis in axes_of(indices) if axis not in kept]
    apart = _apart(frame, targets, (*kept, *cotangent.axes))
    cotangent, indices = rename(cotangent, _present(apart, cotangent)), renamed_indices(indices, apart)
    first = {apart.get(axis, axis) for axis in preferred}
    solution = _solve(indices, targets, {apart.get(axis, axis) for axis in frame}, first)
    value = _at(product([cotangent, *solution.conditions]), solution.values, 0.0)
    left = [axis for axis in (apart.get(axis, axis) for axis in frame) if axis not in solution.values]
    if not solution.scattered:
        return sum_over(value, left)
    return _scattered(value, solution, left, strict=strict)


def reindexed(body: Expr, indices: Mapping[Axis, Index], pad: float) -> Expr:
    """`body` at `indices` of some of its axes, `pad` outside their ranges, as a padded read where it is one.

    Where the pad is 0, terms are taken one by one, and of a product only the factors that depend on those axes.
    """
    moved = {axis: index for axis, index in indices.items() if index != axis}
    if not moved:
        return body
    if pad != 0.0:
        return _moved(body, moved, pad)
    match body:
        case Constant(0.0):
            return body
        case Apply("add", (a, b)):
            return total([reindexed(a, moved, pad), reindexed(b, moved, pad)])
        case Apply("sub", (a, b)):
            return total([reindexed(a, moved, pad), product([Constant(-1.0), reindexed(b, moved, pad)])])
        case _:
            return _factors_at(Monomial.of(body), moved)


def _factors_at(monomial: Monomial, moved: Mapping[Axis, Index]) -> Expr:
    """A product at other indices, 0 outside: its factors in groups that depend on different axes."""
    parts = [Monomial(1.0, (factor,)) for factor in monomial.numerators]
    parts += [Monomial(1.0, (), (factor,)) for factor in monomial.denominators]
    outside = [Monomial(monomial.coefficient)]
    groups: list[tuple[set[Axis], Monomial]] = [({axis}, Monomial()) for axis in moved]
    for part in parts:
        (factor,) = (*part.numerators, *part.denominators)
        depends = {axis for axis in moved if axis in factor.axes}
        if not depends:
            outside.append(part)
            continue
        joined = [group for group in groups if group[0] & depends]
        groups = [group for group in groups if not group[0] & depends]
        whole = Monomial()
        for _, member in joined:
            whole = whole * member
        groups.append((depends.union(*(axes for axes, _ in joined)), whole * part))
    inside = [
        _moved(member.expr(), {axis: moved[axis] for axis in moved if axis in axes}, 0.0) for axes, member in groups
    ]
    return product([*(part.expr() for part in outside), *inside])


def _moved(body: Expr, moved: Mapping[Axis, Index], pad: float) -> Expr:
    """One factor at other indices."""
    if isinstance(body, Read) and body.plain and all(axis in body.axes for axis in moved):
        # A plain read leaves its tensor exactly where an axis leaves its range.
        return Read(body.tensor, tuple(moved.get(axis, axis) for axis in body.axes), pad, body.integer)
    return Reindex(body, tuple(moved), tuple(moved.values()), pad)


def _at(value: Expr, solved: Mapping[Axis, Axis | Affine], pad: float) -> Expr:
    """`value` with the solved axes in place: renamed where they run over all of a target, else guarded."""
    renames = {axis: index for axis, index in solved.items() if isinstance(index, Axis) and index.extent == axis.extent}
    moved = {axis: index for axis, index in solved.items() if axis not in renames}
    return reindexed(rename(value, _present(renames, value)), moved, pad)


def _runs_over(index: Index, target: Axis, kept: Collection[Axis]) -> TypeGuard[Axis]:
    """Whether an index is an axis that may be called like the target: it takes every value that the target does."""
    return isinstance(index, Axis) and index.extent == target.extent and index not in kept


def _present(axes: Mapping[Axis, Axis], expr: Expr) -> dict[Axis, Axis]:
    return {old: new for old, new in axes.items() if old in expr.axes}


def _apart(frame: Sequence[Axis], targets: Sequence[Axis], others: Sequence[Axis]) -> dict[Axis, Axis]:
    """Other names for the axes that are called like a target."""
    clashing = {axis.name for axis in targets}
    taken = clashing | {axis.name for axis in (*frame, *others)}
    return {axis: fresh_axis(axis, taken) for axis in frame if axis.name in clashing}


def _solve(
    indices: Sequence[Index], targets: Sequence[Axis], free: Collection[Axis], preferred: Collection[Axis]
) -> _Solution:
    solution = _Solution()
    rest: list[tuple[Axis, Axis | Affine]] = []
    for target, index in zip(targets, indices, strict=True):
        if isinstance(index, Expr):
            solution.scattered[target] = index
        elif (
            isinstance(index, Axis) and index in free and index not in solution.values and index.extent == target.extent
        ):
            solution.values[index] = target
        else:
            rest.append((target, index))
    for target, index in rest:
        known = Affine.of(index).substitute(solution.values)
        pivot = _pivot(known, [axis for axis in known.axes if axis in free and axis not in solution.values], preferred)
        if pivot is None:
            solution.conditions.append(equal(affine_expr(known), Position(target)))
        else:
            solution.add(pivot, known.solve(pivot, target).simplest())
    return solution


def _pivot(index: Affine, candidates: Sequence[Axis], preferred: Collection[Axis]) -> Axis | None:
    def rank(axis: Axis) -> tuple[bool, bool]:
        return axis not in preferred, abs(index.coefficient(axis)) != 1

    return min(candidates, key=rank, default=None)


def _scattered(value: Expr, solution: _Solution, left: Sequence[Axis], *, strict: bool) -> Expr:
    onto = tuple(solution.scattered)
    indices = tuple(_at(index, solution.values, -1.0) for index in solution.scattered.values())
    over = tuple(axis for axis in left if axis in value.axes or any(axis in index.axes for index in indices))
    if over:
        # The index -1 of a pivot that is out of its range is left out, so it must not count as an error.
        guarded = any(isinstance(index, Affine) for index in solution.values.values())
        found: Expr = Scatter(value, over, onto, indices, strict and not guarded)
    else:
        hits = [equal(index, Position(target)) for target, index in zip(onto, indices, strict=True)]
        found = product([value, *hits])
    return sum_over(found, [axis for axis in left if axis not in over])
