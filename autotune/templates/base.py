"""What a template is: the contract between workloads and the schedules that run them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from autotune.machine import Machine
from autotune.schedule import AnyStage, Config, LoopNest, Space, Workload
from autotune.schedule.batches import Batch
from autotune.schedule.blocks import Block
from autotune.schedule.loops import SCALAR, LoopPlan
from autotune.templates.contraction_form import Contraction


@dataclass(frozen=True)
class Scheduled:
    """A stage, the contraction it is if it is one, and the loop nest that runs it.

    `plan` is how the loops run that have no register tiles, `block` what the stage runs together with.
    """

    stage: AnyStage
    contraction: Contraction | None
    nest: LoopNest
    plan: LoopPlan = SCALAR
    block: Block | None = None


Schedule: TypeAlias = tuple[Scheduled, ...]


class Template(Protocol):
    """Turns a workload into a space, and a point of it into a schedule."""

    name: str

    def space(self, workload: Workload, machine: Machine) -> Space:
        """All valid configs of `workload` on `machine`."""

    def default(self, workload: Workload, machine: Machine) -> Config:
        """The config chosen by rule, without measuring; a point of the space."""

    def schedule(self, workload: Workload, config: Config, machine: Machine) -> Schedule:
        """The stages of `workload` with their loop nests; raises ConfigError where `config` is not in the space."""

    def nest(self, workload: Workload, config: Config, machine: Machine) -> LoopNest:
        """The loop nest that `config` decides: that of the stage with most operations."""

    def nests(self, workload: Workload, configs: Sequence[Config], machine: Machine) -> list[Batch]:
        """The loop nests of many valid configs, by structure, as `nest` gives them one by one."""
