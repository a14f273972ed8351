"""Reductions: sums of columns, of everything, of pairs, and what is done to them.

    for results: out[i] = reduce over j of f(x[i, j], …)

Along a vector, each lane of several vectors keeps a partial result; across vectors, results are kept in registers, or,
where rows are long, added to row by row.
"""

from autotune.schedule import Stage
from autotune.templates.loops import LoopsTemplate, Problem


class ReductionTemplate(LoopsTemplate):
    """Kernels whose main stage reduces."""

    name = "reduction"

    @staticmethod
    def takes(problem: Problem) -> bool:
        """Whether a kernel is one of this family."""
        return isinstance(problem.main, Stage)
