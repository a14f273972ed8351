"""Stages as plain loops, one an axis: for what no other template takes, and for the lesser stages of others.

The loops are those of the stage, in the order chosen when it was made; LLVM vectorizes the innermost where it can.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from autotune.lang import Axis, Expr, Index, Read, Reindex
from autotune.lang.expressions import axes_of
from autotune.lang.graph import subexpressions
from autotune.machine import Machine
from autotune.schedule import (
    RECOMPUTE,
    Access,
    AnyStage,
    Config,
    Knob,
    LoopNest,
    Space,
    Stage,
    Workload,
    policies,
    replayed,
    stages_of,
)
from autotune.schedule.batches import Batch, batches
from autotune.schedule.loop_order import inner_axes
from autotune.templates.base import Schedule, Scheduled


class PlainTemplate:
    """Any kernel, by loops as they come."""

    name = "plain"

    def space(self, workload: Workload, machine: Machine) -> Space:
        """Where the states of a recurrence are when another runs back along it; else a single point."""
        del machine
        knobs = [Knob("parallel", ("1x1",), ordered=False)]
        if choice := policies(stages_of(workload), _outputs(workload)):
            knobs.append(
                Knob("states", choice, ordered=False, doc="which states of a recurrence are kept for its reverse")
            )
        return Space(tuple(knobs), ())

    def default(self, workload: Workload, machine: Machine) -> Config:
        """Each lane of a recurrence run forward and at once back."""
        names = [knob.name for knob in self.space(workload, machine).knobs]
        return {"parallel": "1x1", "states": RECOMPUTE} if "states" in names else {"parallel": "1x1"}

    def schedule(self, workload: Workload, config: Config, machine: Machine) -> Schedule:
        """The stages in order; raises ConfigError where `config` is not in the space."""
        self.space(workload, machine).check(config)
        return tuple(plain(stage, workload) for stage in _chosen(workload, config))

    def nest(self, workload: Workload, config: Config, machine: Machine) -> LoopNest:
        """The nest of the main stage."""
        del machine
        main = max(_chosen(workload, config), key=lambda stage: work(stage, workload))
        return plain(main, workload).nest

    def nests(self, workload: Workload, configs: Sequence[Config], machine: Machine) -> list[Batch]:
        """As `nest` gives them."""
        return batches([self.nest(workload, config, machine) for config in configs])


def _chosen(workload: Workload, config: Config) -> tuple[AnyStage, ...]:
    """The stages with the policy of a config."""
    return replayed(stages_of(workload), _outputs(workload), str(config.get("states", RECOMPUTE)))


def _outputs(workload: Workload) -> tuple[str, ...]:
    return tuple(output.name for output in workload.kernel.outputs)


def plain(stage: AnyStage, workload: Workload) -> Scheduled:
    """A stage as plain loops."""
    if isinstance(stage, Stage) and stage.factors:
        stage = replace(stage, inner=inner_axes(stage.axes, stage.over, stage.body, workload.sizes))
    return Scheduled(stage, None, plain_nest(stage, workload))


def main_stage(workload: Workload) -> AnyStage:
    """The stage with most operations, which is the one that is tuned."""
    return max(stages_of(workload), key=lambda stage: work(stage, workload))


def work(stage: AnyStage, workload: Workload) -> int:
    """Points of a stage's loops; of a contraction, its multiplications and additions."""
    factors = len(stage.factors) if isinstance(stage, Stage) else 0
    return max(1, factors) * prod(workload.extent(axis.extent) for axis in stage.loops)


def plain_nest(stage: AnyStage, workload: Workload) -> LoopNest:
    """One serial loop an axis, around what the stage reads and its last result."""
    sizes = {axis.name: workload.extent(axis.extent) for axis in stage.loops}
    out = stage.results[-1]
    written = tuple(axis.name for axis in out.axes if axis.name in sizes)
    places = {axis: (axis.name,) for axis in stage.loops}
    inputs = dict.fromkeys(access for root in stage.roots for access in _accesses(root, places, sizes))
    inputs.pop(Access(out.name, written), None)
    return LoopNest.plain(
        extents=tuple(sizes.items()), itemsize=workload.itemsize, out=Access(out.name, written), inputs=tuple(inputs)
    )


def _accesses(expr: Expr, places: Mapping[Axis, tuple[str, ...]], sizes: Mapping[str, int]) -> Iterator[Access]:
    """What is read, and the loop that moves furthest through each dimension; `places` are the loops of each axis."""

    def furthest(index: Index) -> tuple[str, ...]:
        loops = [name for axis in axes_of([index]) for name in places.get(axis, ())]
        return (max(loops, key=lambda name: sizes[name]),) if loops else ()

    for node in subexpressions(expr, lambda node: () if isinstance(node, Reindex) else node.children):
        match node:
            case Read(tensor, indices):
                moving = tuple(dict.fromkeys(name for index in indices for name in furthest(index)))
                if moving:
                    yield Access(tensor, moving)
            case Reindex(body, bound, indices):
                moved = {axis: furthest(index) for axis, index in zip(bound, indices, strict=True)}
                yield from _accesses(body, {**places, **moved}, sizes)
            case _:
                pass
