"""Schedules: workloads, stages, spaces of knobs, loop nests and the rewrites between them."""

from autotune.schedule.nest import Access, Kind, Loop, LoopNest, Pack
from autotune.schedule.space import Config, Constraint, Knob, Space
from autotune.schedule.stages import Stage, stages
from autotune.schedule.workload import ITEMSIZES, Workload, check_dtype

__all__ = [
    "ITEMSIZES",
    "Access",
    "Config",
    "Constraint",
    "Kind",
    "Knob",
    "Loop",
    "LoopNest",
    "Pack",
    "Space",
    "Stage",
    "Workload",
    "check_dtype",
    "stages",
]
