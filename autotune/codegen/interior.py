"""Where a loop over several indices at once needs no masks and no tests: all of them are inside all arrays.

That is found while the loop is written. A padded access asks that its index be inside in every lane of a vector, or for
each of the rows that are computed at once. What it asks for becomes a condition on the loop's variable, and where it
does not hold, another body is run: for the first and last few of a row, or of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from autotune.codegen.scopes import Scope
from autotune.lang import Affine, Axis
from autotune.lang.affine import Term

Sums: TypeAlias = dict[tuple[int, tuple[tuple[Term, int], ...]], int]
"""The least offset of several sums, by the absolute number of the loop's variable in each and by its other terms."""


@dataclass
class Interior:
    """What has to be at least 0 for all of the indices that a loop, opened in block `around`, takes at once.

    That is `number * variable + terms + offset`; those with a positive number are in `lower`, the others in `upper`.
    """

    around: Scope
    lower: Sums = field(default_factory=dict)
    upper: Sums = field(default_factory=dict)

    def keep(self, inequalities: Sequence[Affine], variable: Axis, scopes: Sequence[Scope]) -> bool:
        """Whether all of these, each at least 0, will hold; `scopes` are the blocks of what is in each but `variable`.

        One that depends on a loop inside this one, or not on its variable, is no condition on that.
        """
        if any(scope.depth > self.around.depth for scope in scopes):
            return False
        if not all(inequality.coefficient(variable) for inequality in inequalities):
            return False
        for inequality in inequalities:
            number, rest = inequality.coefficient(variable), without(inequality, variable)
            sums, key = self.lower if number > 0 else self.upper, (abs(number), rest.terms)
            sums[key] = min(rest.offset, sums.get(key, rest.offset))
        return True

    def __bool__(self) -> bool:
        """Whether there is anything that has to hold."""
        return bool(self.lower or self.upper)


def without(inequality: Affine, variable: Axis) -> Affine:
    """An affine function less its term in `variable`."""
    terms = [(term, number) for term, number in inequality.terms if term != variable]
    return Affine.total(terms, inequality.offset)
