"""Templates: from a workload to a space of schedules, one file a family of loop nests."""

from collections.abc import Sequence
from functools import lru_cache

from autotune.machine import Machine, detect
from autotune.schedule import Config, Workload
from autotune.schedule.batches import Batch
from autotune.templates.attention import AttentionTemplate
from autotune.templates.base import Schedule, Scheduled, Template
from autotune.templates.contraction import ContractionTemplate
from autotune.templates.contraction_form import Contraction, reuses
from autotune.templates.function import FunctionTemplate, TemplatedKernel
from autotune.templates.loops import LoopsTemplate, problem_for
from autotune.templates.plain import PlainTemplate, main_stage
from autotune.templates.pointwise import PointwiseTemplate
from autotune.templates.reduction import ReductionTemplate
from autotune.templates.rowwise import RowwiseTemplate
from autotune.templates.scan import ScanTemplate
from autotune.templates.scatter import ScatterTemplate
from autotune.templates.window import WindowTemplate

__all__ = [
    "FAMILIES",
    "AttentionTemplate",
    "Contraction",
    "ContractionTemplate",
    "FunctionTemplate",
    "LoopsTemplate",
    "PlainTemplate",
    "Schedule",
    "Scheduled",
    "Template",
    "TemplatedKernel",
    "nests_for",
    "template_for",
]

FAMILIES = (ScanTemplate, ScatterTemplate, WindowTemplate, RowwiseTemplate, PointwiseTemplate, ReductionTemplate)
"""The families of loops without register tiles; a kernel is of the first that takes it."""


@lru_cache(maxsize=256)
def template_for(workload: Workload) -> Template | FunctionTemplate:
    """The template that runs `workload`: the kernel's own, if it has one.

    Else it is that of the stage with most operations and those beside it, whatever the kernel's name.
    """
    if isinstance(workload.kernel, TemplatedKernel):
        return workload.kernel.own
    problem = problem_for(workload, detect())
    if reuses(main_stage(workload), workload):
        return AttentionTemplate() if AttentionTemplate.takes(problem) else ContractionTemplate()
    return next(family() for family in FAMILIES if family.takes(problem))


def nests_for(workload: Workload, configs: Sequence[Config], machine: Machine) -> list[Batch]:
    """The loop nests of many configs, by structure; none of a user's own template, which has no loop nests."""
    template = template_for(workload)
    return [] if isinstance(template, FunctionTemplate) else template.nests(workload, configs, machine)
