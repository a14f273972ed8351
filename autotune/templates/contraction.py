"""Contractions: any sum of products, as a blocked, packed, register-tiled matrix product.

Before, with axes m (rows), n (columns), k (depth)::

    for m: for n: for k: out[m, n] += left[m, k] * right[k, n]

After, for the order "columns depth rows" with both operands packed (Goto and van de Geijn 2008,
doi:10.1145/1356052.1356053; Van Zee and van de Geijn 2015, doi:10.1145/2764454)::

    for n_block: for k_block:
        pack right into panels of `vectors * lanes` columns            (kept in the last-level cache)
        for m_block:
            pack left into panels of `rows` rows                       (kept in L2)
            for n_tile: for m_tile:
                tile = 0                                               (rows x vectors registers)
                for k: tile += left panel ⊗ right panel                (right panel kept in L1)
                out += tile

With the inner loop over columns instead, the operands change places: left panels stay in L1, right blocks in L2.

Further axes of a group are plain loops around this, fused with the blocked one where memory allows. Operands that are
windows onto tensors, as in convolutions, are always packed: by tables of where elements are, so that no layout stands
in the way of fusing; padding is zeros in the panels, and a matrix of all windows is never stored. What is *legal* is
the space's constraints: the tile fits the registers, each block fits the cache it is meant for. What is *promising* is
only in the default config.
"""

from collections.abc import Sequence

from autotune.machine import Machine
from autotune.schedule import Config, LoopNest, Space, Stage, Workload, stages_of
from autotune.schedule.batches import Batch
from autotune.templates.base import Schedule, Scheduled
from autotune.templates.contraction_default import default_config
from autotune.templates.contraction_form import reuses
from autotune.templates.contraction_nests import product_nest, product_nests
from autotune.templates.contraction_problem import Problem, problem_of
from autotune.templates.contraction_space import product_space
from autotune.templates.loops import beside, problem_for
from autotune.templates.plain import main_stage


class ContractionTemplate:
    """Kernels most of whose work is a sum of products, with pointwise functions around it."""

    name = "contraction"

    def space(self, workload: Workload, machine: Machine) -> Space:
        """All valid configs of the main stage; the other stages run their default."""
        return product_space(_main(workload), machine)

    def default(self, workload: Workload, machine: Machine) -> Config:
        """A good config by rule: see `default_config`."""
        return default_config(_main(workload), machine)

    def schedule(self, workload: Workload, config: Config, machine: Machine) -> Schedule:
        """The stages with their nests; raises ConfigError where `config` is not in the space."""
        self.space(workload, machine).check(config)
        main = main_stage(workload)
        scheduled = []
        for stage in stages_of(workload):
            if isinstance(stage, Stage) and (stage == main or reuses(stage, workload)):
                problem = problem_of(stage, workload)
                chosen = config if stage == main else default_config(problem, machine)
                scheduled.append(Scheduled(stage, problem.contraction, product_nest(problem, chosen)))
            else:
                scheduled.append(beside(stage, problem_for(workload, machine)))
        return tuple(scheduled)

    def nest(self, workload: Workload, config: Config, machine: Machine) -> LoopNest:
        """The nest of the main stage; `config` is taken as valid."""
        del machine
        return product_nest(_main(workload), config)

    def nests(self, workload: Workload, configs: Sequence[Config], machine: Machine) -> list[Batch]:
        """The nests of many configs, as `nest` gives them one by one."""
        del machine
        return product_nests(_main(workload), configs)


def _main(workload: Workload) -> Problem:
    stage = main_stage(workload)
    assert isinstance(stage, Stage)  # as template_for has seen to
    return problem_of(stage, workload)
