"""Scatters: additions at indices that are computed at run time, as the gradient of a gather makes.

    for t, d: out[idx[t], d] += y[t, d]

Vectors, and the slices of threads, run along the axes that the indices do not depend on, so no two of them meet: each
thread owns its columns.
"""

from autotune.schedule import ScatterStage
from autotune.templates.loops import LoopsTemplate, Problem


class ScatterTemplate(LoopsTemplate):
    """Kernels whose main stage adds at computed indices."""

    name = "scatter"

    @staticmethod
    def takes(problem: Problem) -> bool:
        """Whether a kernel is one of this family."""
        return isinstance(problem.main, ScatterStage)
