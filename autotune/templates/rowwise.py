"""Rowwise kernels: reductions over the last axes and what is computed from them, for each index of the first ones.

    for rows: m = max(x[row, :]); s = sum(exp(x[row, :] - m)); y[row, :] = exp(x[row, :] - m) / s

The stages share the rows: a block of them is read from memory once and stays in the first cache from stage to stage.
"""

from autotune.schedule import Stage
from autotune.templates.loops import LoopsTemplate, Problem


class RowwiseTemplate(LoopsTemplate):
    """Kernels whose main stage shares the axes of its rows with others, one of which reduces along them."""

    name = "rowwise"

    @staticmethod
    def takes(problem: Problem) -> bool:
        """Whether a kernel is one of this family."""
        members, axes = problem.main_group
        return len(members) > 1 and bool(axes) and any(isinstance(stage, Stage) for stage in members)
