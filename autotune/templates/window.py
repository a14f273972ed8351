"""Windows that slide over images: depthwise convolutions, pooling, and their gradients.

    for places: out[…, p, q] = reduce over r, s of x[…, stride·p + r, stride·q + s]

Vectors run along the places of a row. Those at its ends, some of whose lanes lie outside the image, are masked; rows
outside it are bounds of the loops over the window.
"""

from autotune.schedule import ReplayStage, ScanStage, ScatterStage
from autotune.schedule.vectors import slides
from autotune.templates.loops import LoopsTemplate, Problem


class WindowTemplate(LoopsTemplate):
    """Kernels whose main stage reads a tensor at sums of axes."""

    name = "window"

    @staticmethod
    def takes(problem: Problem) -> bool:
        """Whether a kernel is one of this family."""
        return not isinstance(problem.main, ScanStage | ReplayStage | ScatterStage) and slides(problem.main)
