"""Building, running, checking and timing candidates in processes of their own."""

from autotune.measure.builder import Build, Builder
from autotune.measure.calibration import Calibration
from autotune.measure.candidate import Candidate
from autotune.measure.measurement import Measurement, Status
from autotune.measure.runner import Runner
from autotune.measure.statistics import Interval, ratio, ratio_interval
from autotune.measure.timing import Timing
from autotune.measure.trial import Comparison
from autotune.measure.worker import Reply, Worker

__all__ = [
    "Build",
    "Builder",
    "Calibration",
    "Candidate",
    "Comparison",
    "Interval",
    "Measurement",
    "Reply",
    "Runner",
    "Status",
    "Timing",
    "Worker",
    "ratio",
    "ratio_interval",
]
