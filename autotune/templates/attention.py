"""Attention, and whatever else chains products of matrices: they run together, a block of rows at a time.

    for batch, head: for block of queries:
        scores = q·kᵀ                          (a tile, rows of the block by all keys, in the second cache)
        weights = exp(scores - max); out = weights·v / sum

The scores never go to memory, forward or backward: what a product hands on to the next is as small as the block. Each
product has register tiles (`autotune.templates.contraction`), what is between them runs on vectors
(`autotune.templates.loops`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from math import prod

import numpy as np

from autotune.lang import Axis
from autotune.machine import Machine
from autotune.schedule import AnyStage, Config, Knob, LoopNest, Space, Stage, Workload
from autotune.schedule.batches import Batch
from autotune.schedule.blocks import Block
from autotune.schedule.space import Value
from autotune.templates.base import Schedule, Scheduled
from autotune.templates.contraction_default import default_config
from autotune.templates.contraction_form import contraction_of, reuses
from autotune.templates.contraction_nests import product_nest, product_nests
from autotune.templates.contraction_problem import Problem as ProductProblem
from autotune.templates.contraction_problem import problem_of
from autotune.templates.contraction_space import product_space
from autotune.templates.loops import BLOCKS, Problem, beside, problem_for

LEAST_ROWS = 16  # of a block, for the tiles to be worth packing the other operand


class AttentionTemplate:
    """Kernels whose main stage is one of several products of matrices, some of which multiply what others made."""

    name = "attention"

    @staticmethod
    def takes(problem: Problem) -> bool:
        """Whether a kernel is one of this family."""
        stages, axes = problem.main_group
        made = {result.name for stage in stages for result in stage.results}
        chained = any(read.tensor in made for product in _products(stages, problem) for read in product.factors)
        return chained and len(_products(stages, problem)) > 1 and bool(_shared(problem, stages, axes))

    def space(self, workload: Workload, machine: Machine) -> Space:
        """The choices of the main product, and how many rows share a block; 0: all of them."""
        problem = problem_for(workload, machine)
        own = product_space(problem_of(_main(problem), workload), machine)
        knobs = [knob for knob in own.knobs if knob.name != "parallel"]
        threads = workload.threads
        knobs.append(Knob("parallel", ("1x1", f"{threads}x1") if threads > 1 else ("1x1",), ordered=False))
        knobs.append(Knob("block", _blocks(problem), doc="rows of a block that the stages share; 0: no blocks"))
        return Space(tuple(knobs), own.constraints)

    def default(self, workload: Workload, machine: Machine) -> Config:
        """Blocks that fill half of the second cache."""
        problem = problem_for(workload, machine)
        block = _default_block(problem)
        stages, axes = problem.main_group
        product = problem_of(_main(problem), workload, _within(_shared(problem, stages, axes), block))
        config = default_config(product, machine)
        allowed = {knob.name: knob.values for knob in self.space(workload, machine).knobs}
        return {
            **{name: _nearest(value, allowed[name]) for name, value in config.items()},
            "parallel": str(allowed["parallel"][-1]),
            "block": block,
        }

    def schedule(self, workload: Workload, config: Config, machine: Machine) -> Schedule:
        """The stages in order; raises ConfigError where `config` is not in the space."""
        self.space(workload, machine).check(config)
        problem, size = problem_for(workload, machine), int(config["block"])
        tasks = int(str(config["parallel"]).split("x", maxsplit=1)[0])
        numbers, found = count(), []
        for stages, axes in problem.groups:
            shared = _shared(problem, stages, axes)
            blocked = size if len(stages) > 1 else 0
            block = Block(next(numbers), shared, blocked, tasks) if shared and (blocked or tasks > 1) else None
            within = _within(shared, blocked)
            for stage in stages:
                if isinstance(stage, Stage) and stage in _products(stages, problem):
                    found.append(_product(stage, problem, config, within, block))
                else:
                    found.append(beside(stage, problem, block))
        return tuple(found)

    def nest(self, workload: Workload, config: Config, machine: Machine) -> LoopNest:
        """The nest of the main stage; `config` is taken as valid."""
        (_, nests), *_ = self.nests(workload, [config], machine)
        return nests.pattern

    def nests(self, workload: Workload, configs: Sequence[Config], machine: Machine) -> list[Batch]:
        """The nests of the main stage of many configs: what it reaches is as small as a block."""
        problem = problem_for(workload, machine)
        stages, axes = problem.main_group
        shared = _shared(problem, stages, axes)
        alike: dict[int, list[int]] = {}
        for place, config in enumerate(configs):
            alike.setdefault(int(config["block"]) if len(stages) > 1 else 0, []).append(place)
        found = []
        for size, places in alike.items():
            product = _product_problem(_main(problem), problem, _within(shared, size))
            chosen = [{**configs[place], "parallel": "1x1"} for place in places]
            found += [(np.array(places)[rows], nests) for rows, nests in product_nests(product, chosen)]
        return found


def _product(
    stage: Stage, problem: Problem, config: Config, within: Mapping[Axis, int], block: Block | None
) -> Scheduled:
    """A product with its tiles: those of the config where it is the main one."""
    product = _product_problem(stage, problem, within)
    main = stage == problem.main
    chosen = {**config, "parallel": "1x1"} if main else default_config(product, problem.machine)
    return Scheduled(stage, product.contraction, product_nest(product, chosen), block=block)


def _product_problem(stage: Stage, problem: Problem, within: Mapping[Axis, int]) -> ProductProblem:
    """A product as one thread sees it."""
    return replace(problem_of(stage, problem.workload, within), threads=1)


def _main(problem: Problem) -> Stage:
    assert isinstance(problem.main, Stage)  # as `takes` has seen to
    return problem.main


def _products(stages: Sequence[AnyStage], problem: Problem) -> list[Stage]:
    """The stages that have register tiles."""
    return [s for s in stages if isinstance(s, Stage) and (s == problem.main or reuses(s, problem.workload))]


def _shared(problem: Problem, stages: Sequence[AnyStage], axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes of the batch, those that threads can share first, and one of the rows: those of blocks for products."""
    products = _products(stages, problem)
    forms = [contraction_of(stage) for stage in products]
    sliced = [axis for axis in axes if all(_sliced(stage, axis) for stage in products)]
    batch = [axis for axis in sliced if all(axis in form.batch for form in forms)]
    rows = [axis for axis in sliced if axis not in batch and not any(axis in form.columns for form in forms)]
    sizes, threads = problem.sizes(sliced), problem.workload.threads
    found = [*sorted(batch, key=lambda axis: sizes[axis] < threads), *rows[-1:]]
    return tuple(found)


def _sliced(stage: Stage, axis: Axis) -> bool:
    """Whether everything is read at the axis itself, or not along it, and a tensor always the same way."""
    ways: dict[str, set[tuple[bool, ...]]] = {}
    for read in stage.reads:
        if any(axis in _axes(index) and index != axis for index in read.indices):
            return False
        ways.setdefault(read.tensor, set()).add(tuple(index == axis for index in read.indices))
    return all(len(way) == 1 for way in ways.values())


def _axes(index: object) -> tuple[Axis, ...]:
    return (index,) if isinstance(index, Axis) else tuple(getattr(index, "axes", ()))


def _within(shared: Sequence[Axis], size: int) -> Mapping[Axis, int]:
    """How far a block reaches along the axes that its stages share."""
    return {axis: size if axis == shared[-1] else 1 for axis in shared} if size else {}


def _blocks(problem: Problem) -> tuple[int, ...]:
    rows = problem.workload.extent(_shared(problem, *problem.main_group)[-1].extent)
    return tuple(size for size in BLOCKS if size == 0 or size < 2 * rows)


def _default_block(problem: Problem) -> int:
    """As many rows as half of the second cache holds; none where rows are all there is, which are packed for once."""
    stages, axes = problem.main_group
    shared = set(_shared(problem, stages, axes))
    if len(shared) < 2:
        return 0
    rows = sum(
        prod(problem.workload.extent(axis.extent) for axis in result.axes if axis not in shared)
        for stage in stages
        for result in stage.results
    )
    last = _shared(problem, stages, axes)[-1]
    batch = all(last in contraction_of(product).batch for product in _products(stages, problem))
    most = max(1 if batch else LEAST_ROWS, problem.cache(2) // 2 // max(1, rows * problem.workload.itemsize))
    return max(size for size in _blocks(problem) if size <= most)


def _nearest(value: Value, allowed: Sequence[Value]) -> Value:
    """The value if it may be chosen, else the next larger one that may, else the largest."""
    if value in allowed or isinstance(value, str | bool):
        return value if value in allowed else allowed[0]
    numbers = sorted(int(str(other)) for other in allowed)
    return next((number for number in numbers if number >= int(str(value))), numbers[-1])
