"""Pointwise kernels: every element of a result is computed from elements of the operands at its own place.

    for every index: out[…] = f(x[…], y[…], …)

They are bound by memory, or by the functions that are computed; vectors run along the last dimension, and results that
no cache holds are written past the caches, which spares reading them first.
"""

from autotune.schedule import PointStage
from autotune.templates.loops import LoopsTemplate, Problem


class PointwiseTemplate(LoopsTemplate):
    """Kernels whose main stage computes arrays point by point."""

    name = "pointwise"

    @staticmethod
    def takes(problem: Problem) -> bool:
        """Whether a kernel is one of this family."""
        return isinstance(problem.main, PointStage)
