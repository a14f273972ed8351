"""The loops of a stage that runs over vectors, as the cost model sees them: of one config, and of many at once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autotune.schedule import AnyStage, Config, Kind, Loop, LoopNest, Stage, Workload
from autotune.schedule.batches import LoopNests
from autotune.schedule.blocks import Block
from autotune.schedule.loops import LoopPlan
from autotune.schedule.nest import Number
from autotune.templates.base import Scheduled
from autotune.templates.plain import plain_nest

# Knobs that decide steps of loops, or nothing that a nest shows, beside whether there are several copies and blocks.
UNSHAPING = ("lanes", "copies", "block", "stream", "edges", "jam")


def nest_of(stage: AnyStage, plan: LoopPlan, block: Block | None, workload: Workload) -> LoopNest:
    """The nest of one config; `plan` has a vector."""
    nest = plain_nest(stage, workload)
    assert plan.vector is not None
    vector = plan.vector.name
    step = _steps(plan, block, plan.lanes, plan.copies, block.size if block else 0, plan.jam)
    loops: list[Loop] = []
    shared = [axis.name for axis in block.axes] if block else []
    if block and block.tasks > 1:
        share = -(-nest.extent(shared[0]) // block.tasks)
        loops.append(Loop(f"{shared[0]}_task", shared[0], max(1, share), Kind.PARALLEL, block.tasks))
    if block and block.size:
        loops += [Loop(name := f"{axis}_block", axis, step.get(name, 1)) for axis in shared]
    around = [axis.name for axis in stage.loops if axis != plan.vector]
    summed = [axis.name for axis in stage.over if axis != plan.vector] if isinstance(stage, Stage) else []
    if block and block.size:
        summed = [name for name in summed if name not in shared[:-1]]
    registers = isinstance(stage, Stage) and plan.vector in stage.axes and not stage.inner and bool(summed)
    loops += [
        Loop(name, name, step.get(name, 1))
        for name in around
        if not (registers and name in summed) and not (block and block.size and name in shared[:-1])
    ]
    if plan.copies > 1 or registers:
        loops.append(Loop(name := f"{vector}_copies", vector, step[name]))
    if registers:  # a sum for each lane of each copy and row
        loops += [Loop(name, name) for name in summed]
    if plan.jammed and plan.jam > 1:
        loops.append(Loop(f"{plan.jammed}_row", plan.jammed.name, 1, Kind.UNROLL))
    if plan.copies > 1:
        loops.append(Loop(name := f"{vector}_vector", vector, step[name], Kind.UNROLL))
    elif not registers:
        loops.append(Loop(name := f"{vector}_vector", vector, step[name]))
    loops.append(Loop(vector, vector, 1, Kind.VECTOR))
    ahead = max((ahead.distance for ahead in plan.ahead), default=0)
    accumulator = summed[-1] if registers else None
    return replace(nest, loops=tuple(loops), accumulator=accumulator, prefetch=ahead, streamed=plan.stream)


def alike(configs: Sequence[Config]) -> list[list[int]]:
    """Places of configs with the same loops: of numbers it matters only whether there are several copies or rows, and
    blocks.

    How vectors end that do not fill an axis is not seen in a nest.
    """
    shaping = [name for name in configs[0] if name not in UNSHAPING] if configs else []
    found: dict[tuple[object, ...], list[int]] = {}
    for place, config in enumerate(configs):
        several = config.get("copies", 1) != 1, config.get("jam", 1) != 1, config.get("block", 0) != 0
        found.setdefault((several, *[config[name] for name in shaping]), []).append(place)
    return list(found.values())


def nests_of(first: Scheduled, configs: Sequence[Config]) -> LoopNests:
    """The nests of `alike` configs, as `nest_of` gives them one by one; `first` is the stage by the first of them."""
    pattern, plan, block = first.nest, first.plan, first.block
    known = {"lanes": plan.lanes, "copies": plan.copies, "block": block.size if block else 0, "jam": plan.jam}
    lanes, copies, size, jam = (
        np.array([config.get(name, value) for config in configs], np.int64) for name, value in known.items()
    )
    step = _steps(plan, block, lanes, copies, size, jam)
    steps = np.ones((len(configs), len(pattern.loops)), np.int64)
    for depth, loop in enumerate(pattern.loops):
        steps[:, depth] = step.get(loop.name, loop.step)
    written = not (block and block.gathers(first.stage))
    streamed = np.array([written and bool(config.get("stream", False)) for config in configs], np.bool_)
    return LoopNests(pattern, steps, size if pattern.prefetch else np.zeros_like(size), streamed)


def _steps(
    plan: LoopPlan, block: Block | None, lanes: Number, copies: Number, size: Number, jam: Number
) -> dict[str, Number]:
    """Steps by the names of the loops that numbers of a config decide, of one config or of many."""
    steps: dict[str, Number] = {}
    if plan.jammed is not None and plan.jam > 1:
        steps[plan.jammed.name] = jam
    if plan.vector is not None:
        steps |= {f"{plan.vector.name}_copies": copies * lanes, f"{plan.vector.name}_vector": lanes}
    if block:
        steps[f"{block.axes[-1].name}_block"] = size
    return steps
