"""Results that a function of arrays defines, where index notation cannot: sorting, factorizations, loops of one's own.

The function is the definition itself, in float64, and has no derivative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np

from autotune.errors import ShapeError
from autotune.lang.accesses import Space
from autotune.lang.axes import Axis
from autotune.lang.expressions import Expr
from autotune.lang.functions import Array, Numbers
from autotune.lang.precision import Precision, Roundings

PERTURBATIONS = 8  # of the inputs, by which the conditioning is measured
LEAST_STEP = 1e-8  # of them, relative; the root of float64's epsilon, since the reference is computed in it


@dataclass(frozen=True, eq=False)
class Reference:
    """A function of float64 and int64 arrays that returns one, or a tuple of them.

    `terms` says how many numbers a result adds up: names of extents, whose product it is.
    """

    name: str
    call: Callable[..., Any]
    digest: str
    terms: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<reference {self.name} {self.digest} {self.terms}>"

    @property
    def _identity(self) -> tuple[object, ...]:
        return self.name, self.digest, self.terms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


@dataclass(frozen=True, eq=False, repr=False)
class Computed(Expr):
    """Result `which` of a reference, given all of its inputs; `results` are the axes of each."""

    reference: Reference
    operands: tuple[Expr, ...]
    results: tuple[tuple[Axis, ...], ...]
    integer: tuple[bool, ...]
    which: int = 0

    def _free_axes(self) -> tuple[Axis, ...]:
        return self.results[self.which]

    @property
    def children(self) -> tuple[Expr, ...]:
        """The inputs."""
        return self.operands

    def rebuild(self, children: Sequence[Expr]) -> "Computed":
        """The same function of others."""
        return Computed(self.reference, tuple(children), self.results, self.integer, self.which)

    def result(self, which: int) -> "Computed":
        """Another result of the same call."""
        return Computed(self.reference, self.operands, self.results, self.integer, which)

    def text(self, operands: Sequence[str]) -> str:
        """A call of the function; its digest tells it from others of that name."""
        place = f"[{self.which}]" if len(self.results) > 1 else ""
        return f"{self.reference.name}<{self.reference.digest[:12]}>({', '.join(operands)}){place}"

    def evaluate(self, given: Sequence[Numbers], space: Space) -> tuple[Numbers, ...]:
        """All results for values of the inputs; raises ShapeError where they are not as they were declared."""
        copies = [value.copy() if value.ndim else value[()] for value in given]
        returned = self.reference.call(*copies)
        several = len(self.results) > 1
        if several and not (isinstance(returned, tuple | list) and len(returned) == len(self.results)):
            message = f"the reference {self.reference.name} must return {len(self.results)} arrays as a tuple"
            raise ShapeError(message)
        return tuple(
            self._checked(np.asarray(array), space.shape(axes), whole=whole)
            for array, axes, whole in zip(returned if several else (returned,), self.results, self.integer, strict=True)
        )

    def magnitudes(
        self, given: Sequence[Numbers], found: Sequence[Numbers], space: Space, precision: Precision
    ) -> tuple[tuple[Array, Roundings], ...]:
        """For each result the magnitude M and the roundings w of `autotune.lang.conditioning`.

        What no expression tells is measured: M = |f| + √terms · σ, where σ is the root mean square of how far relative
        changes of all inputs by ±h move the result, over h. For a sum of terms t that is √Σt², and √terms · σ ≥ Σ|t| by
        Cauchy and Schwarz.
        """
        step = max(4 * precision.epsilon, LEAST_STEP)
        rng = np.random.default_rng(0)
        squares = [np.zeros(array.shape) for array in found]
        for _ in range(PERTURBATIONS):
            moved = self.evaluate([_moved(value, step, rng) for value in given], space)
            for square, one, other in zip(squares, moved, found, strict=True):
                square += ((one.astype(np.float64) - other) / step) ** 2
        terms = max(1, prod(space.extents[name] for name in self.reference.terms))
        return tuple(
            (np.abs(array.astype(np.float64)) + sqrt(terms) * np.sqrt(square / PERTURBATIONS), Roundings(terms))
            for array, square in zip(found, squares, strict=True)
        )

    def _checked(self, array: Numbers, shape: tuple[int, ...], *, whole: bool) -> Numbers:
        if array.shape != shape or array.dtype.kind not in ("iub" if whole else "fiub"):
            kind = "whole numbers" if whole else "real numbers"
            message = (
                f"the reference {self.reference.name} returned {array.dtype} of shape {array.shape}, "
                f"but is declared to return {kind} of shape {shape}"
            )
            raise ShapeError(message)
        return array.astype(np.int64 if whole else np.float64)


def _moved(value: Numbers, step: float, rng: np.random.Generator) -> Numbers:
    """Floating values changed by ± `step` of themselves."""
    if value.dtype.kind != "f":
        return value
    return np.asarray(value * (1 + step * rng.choice((-1.0, 1.0), size=value.shape)))
