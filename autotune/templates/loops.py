"""What the families of loops have in common: vectors, several at once, blocks that stages share, slices for threads.

Before, for each stage: one loop an axis. After::

    parallel for task:                                    (slices of the first shared axis)
        for block of `block` indices of the shared axes:  (what stages hand on stays in the cache)
            stage by stage:
                for its other loops:
                    for `copies` vectors of `lanes` elements along `vector`, in `jam` rows at once: …

What is summed along a vector has a partial sum for each lane of each copy; what is summed across vectors is kept in
registers, or, where `accumulate` is "memory", added to the result row by row, in the order in which memory is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod

import numpy as np

from autotune.lang import Axis, TensorSpec
from autotune.machine import Machine
from autotune.schedule import (
    RECOMPUTE,
    AnyStage,
    Config,
    Constraint,
    Knob,
    LoopNest,
    PointStage,
    ReplayStage,
    ScanStage,
    Space,
    Stage,
    Workload,
    policies,
    replayed,
    stages_of,
)
from autotune.schedule.batches import Batch, joined
from autotune.schedule.blocks import Block, groups, residue_classes
from autotune.schedule.costs import operations
from autotune.schedule.loops import SCALAR, Ahead, LoopPlan
from autotune.schedule.stages import tensors_read
from autotune.schedule.structure import MOST_WRITTEN_OUT, constant_sizes, structural_extents
from autotune.schedule.vectors import (
    Shared,
    best_vector_axis,
    movements,
    shared_axis,
    slides,
    vector_axes,
    vector_cost,
)
from autotune.templates.base import Schedule, Scheduled
from autotune.templates.contraction_form import reuses
from autotune.templates.loop_nests import alike, nest_of, nests_of
from autotune.templates.plain import plain_nest, work

COPIES = (1, 2, 4, 8)
JAMS = (1, 2, 4)
WORTH_JAMMING = 0.7  # of the loads
OTHERS = 4  # registers beside sums and weights
BLOCKS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
LEAST_VECTORS = 8  # in a block along them
ENOUGH_VECTORS = 64  # in a block across them, of what comes from memory, which larger ones read less evenly
WORSE = 6.0  # times the least cost, up to which an axis may be the vector's
LONG = 64  # terms of a sum from which on its rows are read in the order of memory
# Accesses to memory from which on a second thread is woken by default.
WORTH_SHARING = 1 << 16


_JAM_ALONE = (
    Constraint(("jam", "copies"), lambda jam, copies: (jam == 1) | (copies == 1), "rows at once have one vector each"),
    Constraint(("jam", "edges"), lambda jam, edges: (jam == 1) | (edges == "peel"), "rows at once are not masked"),
)


@dataclass(frozen=True)
class Problem:
    """A workload as these templates see it."""

    workload: Workload
    machine: Machine
    states: str = RECOMPUTE

    @cached_property
    def stages(self) -> tuple[AnyStage, ...]:
        """The stages under the policy for states."""
        return replayed(stages_of(self.workload), self.outputs, self.states)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(output.name for output in self.workload.kernel.outputs)

    @cached_property
    def main(self) -> AnyStage:
        """The stage with most operations."""
        return max(self.stages, key=lambda stage: work(stage, self.workload))

    @cached_property
    def extents(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the extents of each tensor."""
        kernel = self.workload.kernel
        known = {spec.name: spec.extents for spec in kernel.inputs if isinstance(spec, TensorSpec)}
        made = {result.name: result.axes for stage in self.stages for result in stage.results}
        return known | {name: tuple(axis.extent for axis in axes) for name, axes in made.items()}

    @cached_property
    def groups(self) -> list[tuple[tuple[AnyStage, ...], tuple[Axis, ...]]]:
        """Neighbouring stages that share axes."""
        tiled = [stage for stage in self.stages if reuses(stage, self.workload)]
        return groups(self.stages, self.extents, tiled)

    @cached_property
    def structure(self) -> Mapping[str, int]:
        """Extents that are constants of the code."""
        return structural_extents(self.workload)

    @cached_property
    def main_group(self) -> tuple[tuple[AnyStage, ...], tuple[Axis, ...]]:
        """The stages that run in one block with the main one, and the axes that they share."""
        return next(group for group in self.groups if self.main in group[0])

    @cached_property
    def choices(self) -> Mapping[str, tuple[Axis, ...]]:
        """By the name of a stage, the axes that may be the vector's, that of least cost first."""
        return {stage.name: tuple(_choices(stage, self)) for stage in self.stages}

    @property
    def lanes(self) -> int:
        """Elements of the machine's vectors."""
        return max(2, self.machine.vector_bytes // self.workload.itemsize)

    @property
    def beyond_caches(self) -> bool:
        """Whether the tensors come from memory and go there: more than half of the last cache is rarely ours."""
        return self.workload.bytes > self.cache(3) // 2

    def sizes(self, axes: Sequence[Axis]) -> dict[Axis, int]:
        """Elements along axes."""
        return {axis: self.workload.extent(axis.extent) for axis in axes}

    def cache(self, level: int) -> int:
        """Bytes of a cache, of the last one where the machine has fewer levels."""
        found = self.machine.cache(level)
        return found.size if found else self.machine.caches[-1].size


@lru_cache(maxsize=64)
def problem_for(workload: Workload, machine: Machine, states: str = RECOMPUTE) -> Problem:
    """The problem of a workload, kept since every config of its space is asked for it."""
    return Problem(workload, machine, states)


class LoopsTemplate:
    """Stages as loops over vectors."""

    name = "loops"

    def space(self, workload: Workload, machine: Machine) -> Space:
        """The choices that there are for the main stage and the stages beside it."""
        problem = problem_for(workload, machine)
        knobs = [Knob("parallel", _grids(problem), ordered=False, doc="slices for threads")]
        axes = problem.choices[problem.main.name]
        if axes:
            lanes = tuple(dict.fromkeys((max(2, problem.lanes // 2), problem.lanes)))
            knobs += [
                Knob("vector", tuple(axis.name for axis in axes), ordered=False, doc="the axis that vectors run along"),
                Knob("lanes", lanes, doc="elements of a vector"),
                Knob("copies", COPIES if _classes(problem.main, problem) == 1 else (1,), doc="vectors an iteration"),
            ]
            if any(_may_stay_in_memory(problem.main, axis) for axis in axes):
                knobs.append(
                    Knob("accumulate", ("registers", "memory"), ordered=False, doc="where sums across vectors are kept")
                )
            knobs.append(Knob("stream", (False, True), ordered=False, doc="write results past the caches"))
            edges = ("peel", "mask") if _classes(problem.main, problem) == 1 else ("mask",)
            knobs.append(Knob("edges", edges, ordered=False, doc="how vectors end that do not fill an axis"))
            if any(_jammed(problem.main, axis, problem) for axis in axes):
                knobs.append(Knob("jam", JAMS, doc="rows at once, whose windows share what they read"))
        if len(problem.main_group[0]) > 1:
            size = workload.extent(problem.main_group[1][-1].extent)
            blocks = tuple(block for block in BLOCKS if block < max(size, 2))
            knobs.append(Knob("block", blocks, doc="indices of a block that stages share; 0: all"))
            if _ahead(problem, 1):
                knobs.append(Knob("prefetch", (False, True), ordered=False, doc="ask for the next block early"))
        if choice := policies(stages_of(workload), problem.outputs):
            knobs.append(
                Knob("states", choice, ordered=False, doc="which states of a recurrence are kept for its reverse")
            )
        constraints = (
            Constraint(
                ("edges", "copies"),
                lambda edges, copies: (edges == "peel") | (copies == 1),
                "masked vectors come one at a time",
            ),
            *(_JAM_ALONE if any(knob.name == "jam" for knob in knobs) else ()),
        )
        return Space(tuple(knobs), constraints if axes else ())

    def default(self, workload: Workload, machine: Machine) -> Config:
        """Whole vectors along the axis of least cost; blocks that fit the first cache; streams where little fits."""
        problem, space = problem_for(workload, machine), self.space(workload, machine)
        knobs = {knob.name: knob.values for knob in space.knobs}
        chosen: dict[str, object] = {"parallel": _default_grid(problem, knobs["parallel"])}
        if "vector" in knobs:
            axis = problem.choices[problem.main.name][0]
            chosen |= {"vector": axis.name, "lanes": problem.lanes, "copies": _copies(problem.main, problem)}
            chosen["stream"] = problem.beyond_caches
            chosen["edges"] = _edges(problem.main, problem)
            if "jam" in knobs:
                chosen["jam"] = _jam(problem.main, axis, problem)
            if "accumulate" in knobs:
                chosen["accumulate"] = _default_accumulate(problem.main, axis, problem)
        if "block" in knobs:
            chosen["block"] = _default_block(problem, knobs["block"])
            # The machine's own prefetching begins anew with each page: layer norm of 8192 x 1024 takes 2.7 ms in place
            # of 3.8, softmax 5.7 in place of 7.4 (Zen 3).
            chosen["prefetch"] = problem.beyond_caches
        if "states" in knobs:
            chosen["states"] = RECOMPUTE
        return {knob.name: chosen[knob.name] for knob in space.knobs}  # type: ignore[misc]

    def schedule(self, workload: Workload, config: Config, machine: Machine) -> Schedule:
        """The stages in order; raises ConfigError where `config` is not in the space."""
        self.space(workload, machine).check(config)
        problem, found = problem_for(workload, machine, str(config.get("states", RECOMPUTE))), []
        for number in range(len(problem.groups)):
            block = _block(problem, config, number)
            found += [_scheduled(stage, problem, config, block) for stage in problem.groups[number][0]]
        return tuple(found)

    def nest(self, workload: Workload, config: Config, machine: Machine) -> LoopNest:
        """The nest of the main stage; `config` is taken as valid."""
        return _main(workload, config, machine).nest

    def nests(self, workload: Workload, configs: Sequence[Config], machine: Machine) -> list[Batch]:
        """The nests of many configs: one is made of those alike, the steps of its loops for all by arithmetic."""
        found = []
        for places in alike(configs):
            some = [configs[place] for place in places]
            found.append((np.array(places), nests_of(_main(workload, some[0], machine), some)))
        return joined(found)


def _main(workload: Workload, config: Config, machine: Machine) -> Scheduled:
    """The main stage by a config that is taken as valid."""
    problem = problem_for(workload, machine, str(config.get("states", RECOMPUTE)))
    number = problem.groups.index(problem.main_group)
    return _scheduled(problem.main, problem, config, _block(problem, config, number))


def _block(problem: Problem, config: Config, number: int) -> Block | None:
    """What the stages of the group of this number share, if anything."""
    stages, axes = problem.groups[number]
    tasks = int(str(config["parallel"]).split("x", maxsplit=1)[0])
    size = int(config.get("block", 0)) if problem.main in stages else _default_block(problem, BLOCKS, stages)
    shared = bool(axes) and (tasks > 1 or (len(stages) > 1 and size > 0))
    return Block(number, axes, size if len(stages) > 1 else 0, tasks) if shared else None


def beside(stage: AnyStage, problem: Problem, block: Block | None = None) -> Scheduled:
    """A lesser stage of a kernel of another template, by the default."""
    return _scheduled(stage, problem, {}, block)


def _choices(stage: AnyStage, problem: Problem) -> list[Axis]:
    sizes, classes = problem.sizes(stage.loops), residue_classes(stage, problem.extents)
    best = best_vector_axis(stage, sizes, problem.lanes, classes)
    if best is None:
        return []
    costs = {axis: vector_cost(stage, axis, sizes, problem.lanes, classes) for axis in vector_axes(stage)}
    near = [axis for axis in costs if costs[axis] <= WORSE * costs[best]]
    return sorted(near, key=lambda axis: costs[axis])


def _grids(problem: Problem) -> tuple[str, ...]:
    threads = problem.workload.threads
    several = any(axes for _, axes in problem.groups)
    return ("1x1", f"{threads}x1") if threads > 1 and several else ("1x1",)


def _default_grid(problem: Problem, grids: Sequence[object]) -> str:
    points = prod(problem.sizes(problem.main.loops).values())
    return str(grids[-1] if points >= WORTH_SHARING else grids[0])


def _classes(stage: AnyStage, problem: Problem) -> int:
    """In how many residue classes a stage is written, each of which is code of its own."""
    return prod(residue_classes(stage, problem.extents).values())


def _edges(stage: AnyStage, problem: Problem) -> str:
    """Less code where residue classes are written out."""
    return "mask" if _classes(stage, problem) > 1 else "peel"


def _copies(stage: AnyStage, problem: Problem) -> int:
    """Enough sums at once to hide the latency of additions; recurrences two, as they hold many values.

    A window is written out, one of its sums is enough code.
    """
    if _edges(stage, problem) == "mask" or slides(stage):
        return 1
    if isinstance(stage, Stage):
        return 4
    return 2 if isinstance(stage, ScanStage | ReplayStage) else 1


def _jammed(stage: AnyStage, vector: Axis, problem: Problem) -> Shared | None:
    """The axis whose neighbouring indices can be computed at once, as their windows overlap."""
    if not isinstance(stage, Stage) or _classes(stage, problem) > 1 or _kept_in_memory(stage, vector, problem):
        return None
    known = constant_sizes(problem.workload.kernel) | dict(problem.structure)
    sizes = {axis: known[axis.extent] for axis in stage.over if axis.extent in known}
    return shared_axis(stage, vector, sizes) if prod(sizes.values()) <= MOST_WRITTEN_OUT else None


def _kept_in_memory(stage: Stage, vector: Axis, problem: Problem) -> bool:
    return _default_accumulate(stage, vector, problem) == "memory"


def _jam(stage: AnyStage, vector: Axis, problem: Problem) -> int:
    """As many as spare loads worth the code, where there are that many, and whose sums registers hold.

    Those that hold the weights of a window are not free for them: two rows of 3 by 3 weights at once take 2.4 ms where
    four take 3.2 and one 2.6 (Zen 3, 16 registers).
    """
    shared = _jammed(stage, vector, problem)
    if shared is None:
        return 1
    assert isinstance(stage, Stage)
    rows, terms = problem.workload.extent(shared.axis.extent), prod(problem.sizes(stage.over).values())
    held = terms * sum(not move.moves for move in movements(stage, vector)[0])
    free = problem.machine.vector_registers - held - OTHERS
    return max(jam for jam in JAMS if jam == 1 or (rows >= 2 * jam <= 2 * free and shared.loads(jam) < WORTH_JAMMING))


def _rows(shared: Shared | None, wanted: int, block: Block | None) -> tuple[Axis | None, int]:
    """The axis, and how many of its indices at once there are in a block."""
    if shared is None:
        return None, 1
    within = block.axes if block and block.size else ()
    most = wanted if shared.axis not in within else block.size if block and within[-1] == shared.axis else 1
    return shared.axis, max(jam for jam in JAMS if jam <= min(wanted, most))


def _may_stay_in_memory(stage: AnyStage, axis: Axis) -> bool:
    return isinstance(stage, Stage) and axis in stage.axes and stage.reduction == "sum" and not stage.integer


def _default_accumulate(stage: AnyStage, axis: Axis, problem: Problem) -> str:
    """In memory where a long sum reads something new of every row at every term, as sums of columns do."""
    if not _may_stay_in_memory(stage, axis):
        return "registers"
    assert isinstance(stage, Stage)
    terms = prod(problem.sizes(stage.over).values())
    along = movements(stage, axis)[0]
    inner = movements(stage, stage.over[-1])[0]
    rows = any(a.steps[-1:] == (1,) and any(step for step in b.steps) for a, b in zip(along, inner, strict=True))
    return "memory" if terms >= LONG and rows else "registers"


def _default_block(problem: Problem, blocks: Sequence[object], stages: Sequence[AnyStage] | None = None) -> int:
    """As many indices as the first cache holds of all that the stages touch; one, or a vector along them, at least."""
    group = next(
        group for group in problem.groups if (problem.main in group[0] if stages is None else group[0] == stages)
    )
    members, axes = group
    shared = prod(problem.sizes(axes).values())
    points = {stage.name: prod(problem.sizes(stage.loops).values()) for stage in members}
    largest = max(points.values())
    touched = max(1, largest // max(1, shared)) * problem.workload.itemsize * len(members)
    fits = max(1, problem.cache(1) // touched)
    sizes = [int(str(block)) for block in blocks]
    if any(axes[-1:] == problem.choices[name][:1] for name in points if points[name] == largest):
        # Vectors run along the block, which should hold many of them.
        least = LEAST_VECTORS * problem.lanes
        return max((size for size in sizes if least <= size <= max(fits, least)), default=0)
    if problem.beyond_caches:
        fits = min(fits, max(1, ENOUGH_VECTORS * problem.lanes // max(1, largest // max(1, shared))))
    if any(axes[-1:] == problem.choices[name][:1] for name in points):
        # Vectors of a smaller stage do: most of their lanes would be masked (cross-entropy, Zen 3: 6 to 8 %).
        fits = max(fits, min(problem.lanes, problem.cache(2) // touched))
    return max((size for size in sizes if 0 < size <= fits), default=sizes[0])


def _asking(problem: Problem) -> AnyStage:
    """The stage with the most operations, beside which there is time."""

    def work(stage: AnyStage) -> int:
        return sum(map(operations, stage.roots)) * prod(problem.sizes(stage.loops).values())

    points = [stage for stage in problem.main_group[0] if isinstance(stage, PointStage)]
    return max(points or problem.main_group[0], key=work)


def _ahead(problem: Problem, distance: int) -> tuple[Ahead, ...]:
    """The inputs that the stages of the main group read along the vectors of the last of them."""
    stages, axes = problem.main_group
    last = _asking(problem)
    vector = next(iter(problem.choices[last.name]), None)
    across = isinstance(last, Stage) and vector in last.over
    if not (isinstance(last, PointStage) or across) or not axes or vector in axes:
        return ()
    inputs = {spec.name for spec in problem.workload.kernel.inputs}
    reads = dict.fromkeys(read for stage in stages for read in tensors_read(stage) if read.tensor in inputs)
    needed = {vector, axes[-1]}
    found = [r for r in reads if r.plain and not r.integer and r.axes[-1:] == (vector,) and needed <= set(r.axes)]
    return tuple(Ahead(read, axes[-1], distance) for read in found if set(read.axes) <= set(last.loops))


def _scheduled(stage: AnyStage, problem: Problem, config: Config, block: Block | None) -> Scheduled:
    """A stage with its loops in order, and the decisions about them."""
    main = stage.name == problem.main.name
    choices = problem.choices[stage.name]
    by_name = {axis.name: axis for axis in choices}
    # Under another policy for states the main stage may be another one, which has axes of its own.
    axis = by_name.get(str(config.get("vector"))) if main else None
    axis = axis or next(iter(choices), None)
    if axis is None:
        return Scheduled(stage, None, plain_nest(stage, problem.workload), SCALAR, block)
    copies = int(config["copies"]) if main and "copies" in config else _copies(stage, problem)
    lanes = int(config.get("lanes", problem.lanes))
    gathers = block is not None and block.gathers(stage)
    if isinstance(stage, Stage) and gathers:
        stage = replace(stage, inner=())
    elif isinstance(stage, Stage):
        kept = str(config.get("accumulate")) if main else _default_accumulate(stage, axis, problem)
        few = tuple(other for other in stage.inner if other.extent in problem.structure and axis in stage.axes)
        kept_in_memory = kept == "memory" and _may_stay_in_memory(stage, axis)
        stage = replace(stage, inner=(axis,) if kept_in_memory else few if axis not in few else ())
    ahead: tuple[Ahead, ...] = ()
    if block and block.size and config.get("prefetch") and stage.name == _asking(problem).name:
        ahead = _ahead(problem, block.size)
    masked = (config["edges"] if main and "edges" in config else _edges(stage, problem)) == "mask"
    stream = bool(config.get("stream", False)) and not gathers  # of a sum there are few elements, which are read again
    shared = None if gathers or masked or (isinstance(stage, Stage) and stage.inner) else _jammed(stage, axis, problem)
    jammed, jam = _rows(shared, int(config["jam"]) if main and "jam" in config else _jam(stage, axis, problem), block)
    plan = LoopPlan(axis, lanes, 1 if masked else copies, stream, ahead, masked, jammed, jam)
    return Scheduled(stage, None, nest_of(stage, plan, block, problem.workload), plan, block)
