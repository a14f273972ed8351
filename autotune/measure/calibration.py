"""Telling a loaded machine from a quiet one by the rate of a kernel whose speed nothing but load changes."""

import math
from dataclasses import dataclass, replace
from typing import Self

# Two runs of the calibration kernel on a quiet core differ by 1 to 2 %; another program on the core costs 50 %.
QUIET = 0.93


@dataclass(frozen=True)
class Calibration:
    """Rates of the calibration kernel (operations per second): the best one seen and the latest."""

    best: float = 0.0
    latest: float = 0.0

    def observe(self, rate: float) -> Self:
        """The calibration after one more run; a run that failed (its rate is no positive number) changes nothing."""
        if not (math.isfinite(rate) and rate > 0):
            return self
        return replace(self, best=max(self.best, rate), latest=rate)

    @property
    def load(self) -> float:
        """The latest rate over the best: 1.0 on a quiet machine, 0.5 where another program takes half of the core."""
        return self.latest / self.best if self.best else 1.0

    def quiet(self, threshold: float = QUIET) -> bool:
        """Whether what was measured between the last two runs may be trusted."""
        return self.load >= threshold
