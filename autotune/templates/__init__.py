"""Templates: from a workload to a space of schedules, one file a family of loop nests."""

from autotune.schedule import Stage, Workload, stages_of
from autotune.templates.base import Schedule, Scheduled, Template
from autotune.templates.contraction import ContractionTemplate, reuses
from autotune.templates.contraction_form import Contraction
from autotune.templates.plain import PlainTemplate, main_stage

__all__ = [
    "Contraction",
    "ContractionTemplate",
    "PlainTemplate",
    "Schedule",
    "Scheduled",
    "Template",
    "template_for",
]


def template_for(workload: Workload) -> Template:
    """The template that runs `workload`, chosen by the stage with most operations."""
    stage = main_stage(workload)
    alone = len(stages_of(workload)) == 1 and isinstance(stage, Stage) and bool(stage.factors)
    return ContractionTemplate() if alone or reuses(stage) else PlainTemplate()
