"""How far rounding may carry a computed expression from its exact value.

Every node gets a magnitude M ≥ |value| and a number of roundings w such that an evaluation in a floating-point type
with machine epsilon ε, in any order of summation, is off by at most

    E = 4 · ε · (w + 4) · M.

For a sum of products of inputs this is gate G4 of KERNELS.md: M is the same sum over absolute values and w = √k for k
terms, the growth of rounding errors that are independent of each other (Higham and Mary, A new approach to
probabilistic rounding error analysis, SIAM J. Sci. Comput. 41(5), 2019). The rest is running error analysis (Higham,
Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.3) with these rules:

* Roundings. A sum multiplies the terms of what it sums by its own number of terms, and a product those of its
  factors, since a schedule may flatten nested sums into one; a scatter does so by the number of terms that meet. A
  function that is not linear cannot be flattened through, nor is a sum that stays the same along an axis of what it
  stands in, a mean in x - mean: what was gathered there is added to what gathers above.
* Magnitudes. f(x) has M = |f(x)| + L·M(x), where L bounds |f'| between x - E and x + E (mean value theorem); a product
  u·v that, or M(u)·M(v) where that is less, as for inputs. A function that jumps there has M large enough to allow for
  the jump, and so has what is read or scattered where the index may.
* Recurrences. The steps of a scan carry errors on by their derivatives, so that a state that decays forgets them; where
  an error may lead over a kink or a jump, the rules are applied to the step (`autotune.lang.recurrence`).

Inputs count as exact, and constants that are; so the arguments must be representable in the type in question.
"""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from autotune.lang.accesses import Space, landed, scatter
from autotune.lang.arrays import NamedArray, align, contract, real, reduced
from autotune.lang.axes import Axis, unite
from autotune.lang.computed import Computed
from autotune.lang.constructs import Reindex, Scan, Scatter
from autotune.lang.evaluation import Arguments, Values, evaluated, reindexed, values
from autotune.lang.expressions import Apply, Constant, Expr, Extent, Index, Parameter, Position, Read, Reduce, axes_of
from autotune.lang.functions import Array
from autotune.lang.graph import subexpressions
from autotune.lang.indexing import is_integer
from autotune.lang.magnitudes import JUMPS, MAGNITUDES, UNROUNDED, Jump, Operand, contends
from autotune.lang.precision import Precision, Roundings, bound, of_product, worst
from autotune.lang.recurrence import recurrence
from autotune.lang.traverse import factors

Mask = NDArray[np.bool_]
_EXTREMES = ("max", "min", "first_max", "first_min")


def conditions(roots: Sequence[Expr], arguments: Arguments, precision: Precision) -> "Conditions":
    """What is known of `roots`, and of all nodes that they are computed from, where computed in `precision`."""
    known = Conditions(arguments, precision, values(roots, arguments), arguments.space)
    with np.errstate(all="ignore"):
        for node in subexpressions(roots, evaluated):
            known.add(node)
    return known


class Conditions:
    """Magnitudes and roundings of the nodes met so far, operands before the nodes that use them.

    Magnitudes are arrays over the free axes of a node; `exact` says of each element whether it has no error.
    """

    def __init__(self, arguments: Arguments, precision: Precision, known: Values, space: Space) -> None:
        self.arguments = arguments
        self.precision = precision
        self.values = known
        self.space = space
        self.magnitudes: dict[Expr, Array] = {}
        self.roundings: dict[Expr, Roundings] = {}
        self.exact: dict[Expr, Mask] = {}

    def add(self, node: Expr) -> None:
        """Take in a node whose operands are known."""
        if isinstance(node, Scan):
            if node not in self.magnitudes:
                for which, found in enumerate(recurrence(node, self)):
                    self.put(node.result(which), *found)
        elif isinstance(node, Computed):
            if node not in self.magnitudes:
                given = [self.values[operand] for operand in node.operands]
                results = [node.result(which) for which in range(len(node.results))]
                values = [self.values[result] for result in results]
                measured = node.magnitudes(given, values, self.space, self.precision)
                for result, (magnitude, roundings) in zip(results, measured, strict=True):
                    self.put(result, magnitude, np.asarray(False), roundings)
        else:
            magnitude, exact = self._magnitude(node)
            self.put(node, magnitude, exact, self._roundings(node))

    def within(self, space: Space, known: Values) -> "Conditions":
        """Of the same computation, nothing yet, in a space with more axes fixed."""
        return Conditions(self.arguments, self.precision, known, space)

    def over(self, arguments: Arguments, known: Values) -> "Conditions":
        """In the same precision, nothing yet, of a computation on other arguments."""
        return Conditions(arguments, self.precision, known, arguments.space)

    def put(self, node: Expr, magnitude: Array, exact: Mask, roundings: Roundings) -> None:
        """Take in what is known of a node."""
        shape = self.space.shape(self.space.free(node.axes))
        # Nothing that is computed is more accurate than the spacing of the smallest numbers.
        floored = (
            magnitude if exact.all() else np.where(exact, magnitude, np.maximum(magnitude, self.precision.smallest))
        )
        self.magnitudes[node] = np.broadcast_to(floored, shape)
        self.exact[node] = np.broadcast_to(exact, shape)
        self.roundings[node] = roundings

    def error(self, node: Expr) -> Array:
        """The error bound of a node, 0 where it is exact or infinite."""
        certain = self.exact[node] | np.isinf(self.values[node])
        return np.where(certain, 0.0, bound(self.magnitudes[node], self.roundings[node], self.precision))

    def _magnitude(self, node: Expr) -> tuple[Array, Mask]:
        """The magnitude of a node, and where it is exact."""
        value = np.abs(real(self.values[node]))
        match node:
            case Constant(number):
                return value, np.asarray(self.precision.represents(number))
            case Parameter():
                return value, np.asarray(True)
            case Position() | Extent():
                return value, self._representable(value)
            case Read(tensor, indices, pad, integer):
                return self._read(node, value, indices, self.arguments.arrays[tensor], pad, whole=integer)
            case Apply():
                return self._applied(node, value)
            case Reduce("sum", body, _):
                return self._summed(node, factors(body), self.space.sizes(body.axes)), np.asarray(False)
            case Reduce("argmax" | "argmin", body, over):
                return self._position(node, value, body, over)
            case Reduce(reduction, body, over):
                if reduction == "prod":
                    return np.maximum(reduced("prod", self._magnitudes(body), over), value), np.asarray(False)
                # The largest and the smallest are no further off than the one furthest off that may be chosen.
                sizes = np.where(self._contenders(reduction, body, over), self.magnitudes[body], 0.0)
                found = reduced("max", NamedArray(self._free(body), sizes), over)
                return np.maximum(found, value), self._all(body, over)
            case Reindex():
                return self._reindexed(node)
            case Scatter():
                return self._scattered(node), np.asarray(False)
            case _:
                message = f"no error bound of {type(node).__name__} nodes"
                raise NotImplementedError(message)

    def _representable(self, value: Array) -> Mask:
        # Whole numbers up to here are in the type.
        return np.asarray(self.precision.epsilon == 0.0) | (value <= 2.0 / (self.precision.epsilon or 1.0))

    def _free(self, node: Expr) -> tuple[Axis, ...]:
        return self.space.free(node.axes)

    def _magnitudes(self, node: Expr) -> NamedArray:
        return NamedArray(self._free(node), self.magnitudes[node])

    def _all(self, body: Expr, over: Sequence[Axis]) -> Mask:
        axes = self._free(body)
        return np.asarray(self.exact[body].all(axis=tuple(axes.index(axis) for axis in over)))

    def _summed(self, node: Reduce, parts: Sequence[Expr], sizes: Mapping[Axis, int]) -> Array:
        """Of a sum of products: as for a product in `magnitudes`, taken over all terms."""
        each = [self._magnitudes(part) for part in parts]
        found: Array = contract(each, self._free(node), sizes)
        rounded = [number for number, part in enumerate(parts) if not self.exact[part].all()]
        if len(rounded) > 1:
            most = [
                NamedArray(m.axes, np.abs(self.values[p]) + self.error(p)) for m, p in zip(each, parts, strict=True)
            ]
            alone = [[*most[:number], each[number], *most[number + 1 :]] for number in rounded]
            found = np.fmin(found, sum(contract(factors, self._free(node), sizes) for factors in alone))
        return found

    # Pointwise functions

    def _applied(self, node: Apply, value: Array) -> tuple[Array, Mask]:
        operands = [self._operand(operand, node) for operand in node.operands]
        exact = np.logical_and.reduce(np.broadcast_arrays(*(operand.exact for operand in operands)))
        match node:
            case Apply("equal", (body, Reduce(reduction, reduced_body, over))) if (
                body == reduced_body and reduction in _EXTREMES
            ):
                compared, extreme = operands
                uncertain = self._contested(compared, extreme, tuple(self._free(node).index(axis) for axis in over))
                return value + self._allowing(1.0, uncertain), ~uncertain
            case Apply("where"):
                return self._choice(*operands)
            case Apply(function) if function in JUMPS:
                uncertain = self._jumping(JUMPS[function], *operands)
                return value + self._allowing(JUMPS[function].size, uncertain), ~uncertain
            case Apply(function):
                found = MAGNITUDES[function](real(self.values[node]), *operands)
                kept = function in UNROUNDED or (exact.any() and is_integer(node))
                return found, exact & kept

    def _operand(self, operand: Expr, node: Expr) -> Operand:
        known = (real(self.values[operand]), self.magnitudes[operand], self.error(operand), self.exact[operand])
        own, axes = self._free(operand), self._free(node)
        return Operand(*(align(NamedArray(own, array), axes) for array in known))

    def _jumping(self, jump: Jump, *operands: Operand) -> Mask:
        distance = np.abs(jump.distance(*(operand.value for operand in operands)))
        reach = np.asarray(sum(operand.error for operand in operands))
        return np.asarray((reach > 0) & (distance <= reach))

    def _contested(self, body: Operand, extreme: Operand, over: tuple[int, ...]) -> Mask:
        # The largest is one of the values that were computed, so it is certain which, unless another comes near it.
        near = np.abs(body.value - extreme.value) <= body.error + extreme.error
        return np.asarray(near & (near.sum(axis=over, keepdims=True) > 1) & (body.error > 0))

    def _choice(self, condition: Operand, x: Operand, y: Operand) -> tuple[Array, Mask]:
        uncertain = ~condition.exact & (condition.lower == 0)
        first = condition.value != 0
        taken = np.where(first, x.magnitude, y.magnitude)
        either = np.maximum(x.magnitude, y.magnitude) + self._allowing(np.abs(x.value - y.value), uncertain)
        return np.where(uncertain, either, taken), ~uncertain & np.where(first, x.exact, y.exact)

    def _allowing(self, size: Array | float, uncertain: Mask) -> Array:
        """What a magnitude must have added for the error bound to allow for a jump of `size` where it is uncertain."""
        least = bound(np.ones(()), Roundings(), self.precision)
        return np.where(uncertain, size / least, 0.0)

    # Indices

    def _doubtful(self, indices: Sequence[Index], axes: Sequence[Axis]) -> Mask:
        """Where an index that is computed at run time may come out as another."""
        doubtful: Mask = np.zeros((), np.bool_)
        for index in indices:
            if isinstance(index, Expr):
                error = align(NamedArray(self._free(index), self.error(index)), tuple(axes))
                doubtful = doubtful | ~(error < 0.5)
        return doubtful

    def _read(
        self, node: Read, value: Array, indices: Sequence[Index], array: Array, pad: float | None, *, whole: bool
    ) -> tuple[Array, Mask]:
        doubtful = self._doubtful(indices, self._free(node))
        exact = ~doubtful & (pad is None or self.precision.represents(pad))
        if whole:
            exact = exact & self._representable(value)
        return value + self._allowing(_spread(array, pad), doubtful), exact

    def _reindexed(self, node: Reindex) -> tuple[Array, Mask]:
        body = node.body
        pad = None if node.pad is None else abs(node.pad)
        magnitude = reindexed(node, self.magnitudes[body], self.values, self.space, pad)
        sure = None if node.pad is None else float(self.precision.represents(node.pad))
        exact = reindexed(node, self.exact[body].astype(np.float64), self.values, self.space, sure) > 0
        doubtful = self._doubtful(node.indices, self._free(node))
        return magnitude + self._allowing(_spread(self.values[body], node.pad), doubtful), exact & ~doubtful

    def _scattered(self, node: Scatter) -> Array:
        parts = [self._magnitudes(part) for part in factors(node.body)]
        found = scatter(node, parts, self.space, self.values)
        left = self.space.free(unite([node.body.axes, axes_of(node.indices)]))
        doubtful = self._doubtful(node.indices, left)
        if not doubtful.any():
            return found
        # What may be added elsewhere may be added, or be missing, anywhere.
        kept = tuple(axis for axis in left if axis not in node.over)
        spread = np.broadcast_to(doubtful, self.space.shape(left)).astype(np.float64)
        anywhere = contract([*parts, NamedArray(left, spread)], kept, self.space.sizes(left))
        return found + self._allowing(align(NamedArray(kept, anywhere), self._free(node)), np.ones((), np.bool_))

    def _contenders(self, reduction: str, body: Expr, over: Sequence[Axis]) -> Mask:
        """Which elements of the body of an extreme may come out as it."""
        axes = self._free(body)
        values, error = real(self.values[body]), self.error(body)
        where = tuple(axes.index(axis) for axis in over)
        kind = "max" if reduction.endswith("max") else "min"
        kept = tuple(axis for axis in axes if axis not in over)
        extreme = align(NamedArray(kept, reduced(kind, NamedArray(axes, values), tuple(over))), axes)
        its_error = np.max(np.where(values == extreme, error, 0.0), axis=where, keepdims=True, initial=0.0)
        return contends(values, error, extreme, its_error)

    def _position(self, node: Reduce, value: Array, body: Expr, over: Sequence[Axis]) -> tuple[Array, Mask]:
        axes = self._free(body)
        where = tuple(axes.index(axis) for axis in over)
        near = self._contenders(node.reduction, body, over)
        contested = near & (near.sum(axis=where, keepdims=True) > 1) & (self.error(body) > 0)
        positions = np.zeros((), np.int64)
        for axis in over:
            own = align(NamedArray((axis,), self.space.positions(axis)), axes)
            positions = positions * self.space.extents[axis.extent] + own
        away = np.abs(positions - align(NamedArray(self._free(node), self.values[node]), axes))
        furthest = np.asarray(np.max(np.where(contested, away, 0), axis=where, initial=0))
        uncertain = furthest > 0
        return value + self._allowing(furthest, uncertain), ~uncertain

    # Roundings

    def _roundings(self, node: Expr) -> Roundings:
        known = self.roundings
        match node:
            case Reduce("sum", body, over):
                length = prod(self.space.shape(over))
                return of_product(self._parts(factors(body), body)).of_sum(length)
            case Scatter(body):
                length = landed(node, self.space, self.values)
                return of_product(self._parts(factors(body), body)).of_sum(length)
            case Reduce("prod", body, over):
                length = prod(self.space.shape(over))
                return Roundings(1, length * (known[body].number + 4.0))  # relative errors of all factors add up
            case Reduce("argmax" | "argmin"):
                return Roundings()
            case Reduce(_, body, _):
                return Roundings(1, known[body].number)
            case Reindex(body):
                return known[body]
            case Apply("mul" | "div", operands):
                return of_product(self._parts(operands, node))
            case Apply("add" | "sub" | "neg", operands):
                return worst(self._parts(operands, node))
            case Apply(_, operands):
                return Roundings(1, max(known[operand].number for operand in operands))
            case _:
                return Roundings()

    def _parts(self, parts: Sequence[Expr], whole: Expr) -> list[Roundings]:
        """Those of the factors or terms of `whole`; a sum that lacks one of its axes stands there for several."""
        known = self.roundings
        return [known[part] if set(part.axes) == set(whole.axes) else known[part].settled for part in parts]


def _spread(array: Array, pad: float | None) -> float:
    """How far apart two values of an array, or one and the padding, can be."""
    finite = array[np.isfinite(array)]
    ends = [*([float(finite.min()), float(finite.max())] if finite.size else []), *([] if pad is None else [pad])]
    return max(ends) - min(ends) if ends else 0.0
