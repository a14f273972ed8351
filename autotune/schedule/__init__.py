"""Schedules: workloads, stages, spaces of knobs, loop nests and the rewrites between them."""

from autotune.schedule.lowering import stages, stages_of
from autotune.schedule.nest import Access, Kind, Loop, LoopNest, Pack
from autotune.schedule.replay import POLICIES, RECOMPUTE, policies, replayed
from autotune.schedule.space import Config, Constraint, Knob, Space
from autotune.schedule.stages import AnyStage, PointStage, ReplayStage, Result, ScanStage, ScatterStage, Stage, States
from autotune.schedule.workload import ITEMSIZES, Workload, check_dtype

__all__ = [
    "ITEMSIZES",
    "POLICIES",
    "RECOMPUTE",
    "Access",
    "AnyStage",
    "Config",
    "Constraint",
    "Kind",
    "Knob",
    "Loop",
    "LoopNest",
    "Pack",
    "PointStage",
    "ReplayStage",
    "Result",
    "ScanStage",
    "ScatterStage",
    "Space",
    "Stage",
    "States",
    "Workload",
    "check_dtype",
    "policies",
    "replayed",
    "stages",
    "stages_of",
]
