"""Recurrences: a state that goes from step to step, in lanes that do not depend on each other.

    for lanes: state = start; for steps: state = step(state, x[lane, step])

Vectors run across lanes, several at once, since each step waits for the one before. A recurrence that runs back along
another keeps the states of one vector of lanes in a buffer, or some of them, or none (`autotune.schedule.replay`).
"""

from autotune.schedule import ReplayStage, ScanStage
from autotune.templates.loops import LoopsTemplate, Problem


class ScanTemplate(LoopsTemplate):
    """Kernels whose main stage is a recurrence."""

    name = "scan"

    @staticmethod
    def takes(problem: Problem) -> bool:
        """Whether a kernel is one of this family."""
        return isinstance(problem.main, ScanStage | ReplayStage)
