"""Templates: from a workload to a space of schedules, one file a family of loop nests."""

from autotune.schedule import Workload
from autotune.templates.base import Schedule, Scheduled, Template
from autotune.templates.contraction import ContractionTemplate
from autotune.templates.contraction_form import Contraction

__all__ = ["Contraction", "ContractionTemplate", "Schedule", "Scheduled", "Template", "template_for"]


def template_for(workload: Workload) -> Template:
    """The template that runs `workload`. Every kernel the language can express is a contraction as yet."""
    del workload
    return ContractionTemplate()
