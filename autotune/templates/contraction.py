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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import prod
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from autotune.lang import Axis, Read
from autotune.machine import Machine
from autotune.schedule import (
    Access,
    Config,
    Constraint,
    Knob,
    LoopNest,
    Space,
    Stage,
    Workload,
    stages_of,
)
from autotune.schedule.batches import Batch, LoopNests, Rows, batches
from autotune.schedule.nest import (
    accumulate,
    pack,
    parallel,
    prefetch,
    reorder,
    slice_step,
    split,
    unroll,
    vectorize,
)
from autotune.templates.base import Schedule, Scheduled
from autotune.templates.contraction_form import Contraction, contraction_of, reuses, runs_of
from autotune.templates.loops import beside, problem_for
from autotune.templates.plain import main_stage

# Values that knobs may take: powers of two, and for the sizes that fill caches some between them. A block is rounded up
# to whole tiles, so none has to be a multiple of a tile.
BLOCKS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
DEPTHS = (32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048)
UNROLLS = (1, 2, 4, 8)
MOST_VECTORS = 4  # in a row of the register tile
PREFETCHES = (0, 4, 8, 16, 32)
GROUPS = ("columns", "depth", "rows")
# Knobs that decide which loops there are, and those that decide their steps.
STRUCTURAL = ("order", "inner", "pack_left", "pack_right", "parallel")
NUMBERS = ("rows", "vectors", "lanes", "row_block", "column_block", "depth_block", "prefetch")
# Multiply-adds from which a second thread is woken by default: 20 µs of one Zen 3 core, waking a thread takes 2 to 10.
WORTH_SHARING = 1 << 20
# Of the default's register tile: what may be computed beyond the edges, and what a load costs of a multiply-add.
WASTE = 0.03
LOAD_COST = 0.2


Number = TypeVar("Number", int, Rows)
NOT_BLOCKED: Mapping[Axis, int] = MappingProxyType({})


@dataclass(frozen=True)
class Problem:
    """One stage as the template sees it: its normal form and how far each group reaches."""

    stage: Stage
    contraction: Contraction
    extents: dict[str, int]
    """Elements along each axis after fusing, by axis name."""
    itemsize: int
    threads: int

    @property
    def tiled(self) -> bool:
        """Whether there are register tiles at all: not for a single number, nor where nothing is summed."""
        return bool(self.stage.axes and self.stage.factors) and self.stage.reduction == "sum"

    def extent(self, group: str) -> int:
        """Elements along the blocked axis of a group; 1 for a group without axes."""
        axes = self.contraction.groups.get(group)
        return self.extents[axes[-1].name] if axes else 1


def walked(stage: Stage, contraction: Contraction) -> tuple[Read, ...]:
    """The tensors that code walks through with one stride an axis: all but those gathered place by place."""
    apart = {*contraction.left, *contraction.right} if contraction.gathered else set()
    return tuple(read for read in stage.reads if read not in apart)


def fusible(reads: Iterable[Read], outer: Axis, inner: Axis) -> bool:
    """Whether `outer` directly encloses `inner` in every tensor that has either.

    A dense tensor can then run them as one.
    """
    for indices in (read.axes for read in reads):
        if (outer in indices) != (inner in indices):
            return False
        if outer in indices and indices.index(outer) + 1 != indices.index(inner):
            return False
    return True


def fused_groups(stage: Stage, contraction: Contraction) -> Iterable[tuple[Axis, Axis, tuple[Axis, ...]]]:
    """(outer, inner, between): an outer axis that runs as part of its group's blocked axis once those between do."""
    reads = walked(stage, contraction)
    for axes in contraction.groups.values():
        for position in range(len(axes) - 2, -1, -1):
            if not fusible(reads, axes[position], axes[position + 1]):
                break
            yield axes[position], axes[-1], axes[position + 1 : -1]


def problem_of(stage: Stage, workload: Workload, within: Mapping[Axis, int] = NOT_BLOCKED) -> Problem:
    """A stage of `workload`, its dense axes fused; for a block of it that reaches only so far `within` some axes."""
    contraction = contraction_of(stage)
    if contraction.gathered:
        contraction = _with_runs(contraction, workload)
    extents = {axis.name: workload.extent(axis.extent) for axis in stage.all_axes}
    extents |= {axis.name: min(size, extents[axis.name]) for axis, size in within.items() if axis in stage.all_axes}
    for outer, inner, _ in fused_groups(stage, contraction):
        extents[inner.name] *= extents[outer.name]
        extents[outer.name] = 1
    return Problem(stage, contraction, extents, workload.itemsize, workload.threads)


def _with_runs(contraction: Contraction, workload: Workload) -> Contraction:
    """How to gather each operand."""
    (left,), (right,) = contraction.left, contraction.right
    return replace(
        contraction,
        left_runs=runs_of(left, contraction.rows, contraction.depth, workload.sizes),
        right_runs=runs_of(right, contraction.columns, contraction.depth, workload.sizes),
    )


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


def _up_to(values: tuple[int, ...], extent: int) -> tuple[int, ...]:
    """The values below `extent` and the first that covers it; no two that would do the same."""
    below = tuple(value for value in values if value < extent)
    return (*below, *values[len(below) : len(below) + 1])


def _lanes(machine: Machine, itemsize: int) -> tuple[int, ...]:
    """Vector widths: half a register and a whole one, at least two elements."""
    whole = machine.vector_bytes // itemsize
    return tuple(lanes for lanes in (whole // 2, whole) if lanes >= 2) or (whole,)


def _grids(problem: Problem) -> tuple[str, ...]:
    """Ways to share the output among threads: "ROWSxCOLUMNS" tasks, or "batch" for slices of the outermost batch axis.

    "1x1" is always there: a small problem is done before another thread has woken.
    """
    threads = problem.threads
    shares = [(rows, threads // rows) for rows in range(1, threads + 1) if threads > 1 and threads % rows == 0]
    grids = ["1x1"]
    grids += [f"{r}x{c}" for r, c in shares if r <= problem.extent("rows") and c <= problem.extent("columns")]
    if threads > 1 and _shared_batch(problem):
        grids.append("batch")
    return tuple(grids)


def _shared_batch(problem: Problem) -> Axis | None:
    """The axis whose slices threads may take: the outermost of the output's with enough elements."""
    axes = [axis for axis in problem.contraction.outer if axis in problem.stage.axes]
    return next((axis for axis in axes if problem.extents[axis.name] >= problem.threads), None)


def product_space(problem: Problem, machine: Machine) -> Space:
    """The configs that fit the machine's registers and caches; a single one where there are no register tiles."""
    if not problem.tiled:
        return Space((Knob("parallel", ("1x1",), ordered=False),), ())
    registers, itemsize = machine.vector_registers, problem.itemsize
    rows, columns, depth = (problem.extent(group) for group in ("rows", "columns", "depth"))
    lanes = _lanes(machine, itemsize)
    first, second, last = (_cache_size(machine, level) for level in (1, 2, 3))
    contraction = problem.contraction
    one_left, one_right = (
        len(factors) == 1 and not contraction.gathered for factors in (contraction.left, contraction.right)
    )
    knobs = (
        Knob("rows", tuple(range(1, min(_most_rows(registers, 1), max(rows, 1)) + 1)), doc="rows of the register tile"),
        Knob(
            "vectors",
            tuple(range(1, max(1, min(MOST_VECTORS, -(-columns // lanes[0]))) + 1)),
            doc="vectors in a row of the tile",
        ),
        Knob("lanes", lanes, doc="elements of a vector"),
        Knob("row_block", _up_to(BLOCKS, rows), doc="rows of a block of the left operand"),
        Knob("column_block", _up_to(BLOCKS, columns), doc="columns of a block of the right operand"),
        Knob("depth_block", _up_to(DEPTHS, depth), doc="depth of a block of either operand"),
        Knob(
            "order",
            tuple(" ".join(order) for order in permutations(GROUPS)),
            ordered=False,
            doc="block loops, outermost first",
        ),
        Knob("inner", ("columns", "rows"), ordered=False, doc="the tile loop that runs innermost"),
        Knob(
            "pack_left", (False, True) if one_left else (True,), ordered=False, doc="copy the left operand into panels"
        ),
        Knob(
            "pack_right",
            (False, True) if one_right and _dense_columns(problem) else (True,),
            ordered=False,
            doc="the right",
        ),
        Knob("unroll", tuple(u for u in UNROLLS if u <= max(depth, 1)), doc="iterations of the depth loop written out"),
        Knob("prefetch", PREFETCHES, doc="depth iterations to prefetch ahead"),
        Knob("parallel", _grids(problem), ordered=False, doc="how the output is shared among threads"),
    )
    constraints = (
        Constraint(
            ("rows", "vectors"),
            lambda rows, vectors: rows * vectors + vectors + 1 <= registers,
            f"tile, right vectors and a broadcast fit {registers} vector registers",
        ),
        Constraint(
            ("inner", "rows", "vectors", "lanes", "depth_block"),
            lambda inner, rows, vectors, lanes, depth: (
                np.where(inner == "rows", vectors * lanes, rows) * depth * itemsize <= first
            ),
            f"the panel that the inner loop keeps fits L1 ({first} bytes)",
        ),
        Constraint(
            ("inner", "row_block", "depth_block"),
            lambda inner, rows, depth: rows * depth * itemsize <= np.where(inner == "rows", second, last),
            f"a left block fits L2 ({second} bytes) if the inner loop runs over it, else the last level ({last})",
        ),
        Constraint(
            ("inner", "column_block", "depth_block"),
            lambda inner, columns, depth: columns * depth * itemsize <= np.where(inner == "columns", second, last),
            f"a right block fits L2 ({second} bytes) if the inner loop runs over it, else the last level ({last})",
        ),
        Constraint(
            ("vectors", "lanes", "column_block"),
            lambda vectors, lanes, columns: vectors * lanes <= np.maximum(columns, lanes),
            "a tile is no wider than its block",
        ),
    )
    return Space(knobs, constraints)


def _cache_size(machine: Machine, level: int) -> int:
    """Bytes of a cache level, or of the nearest there is."""
    sizes = {cache.level: cache.size for cache in machine.caches}
    usual_l1 = 32 << 10  # what most CPUs have, where the machine names no cache
    return sizes.get(level) or max((size for at, size in sizes.items() if at < level), default=usual_l1)


def default_config(problem: Problem, machine: Machine) -> Config:
    """Goto's blocking with a tile that fills the registers, packing what does not fit L1 and is read more than once."""
    if not problem.tiled:
        return {"parallel": "1x1"}
    itemsize, registers = problem.itemsize, machine.vector_registers
    rows, columns, depth = (problem.extent(group) for group in ("rows", "columns", "depth"))
    lanes = _lanes(machine, itemsize)[-1]
    if columns <= lanes // 2 and lanes // 2 in _lanes(machine, itemsize):
        lanes //= 2
    tile_rows, vectors = _tile(rows, columns, lanes, registers)
    first, second, last = (_cache_size(machine, level) for level in (1, 2, 3))

    def block(values: tuple[int, ...], extent: int, most: int) -> int:
        fitting = [value for value in _up_to(values, extent) if value <= most]
        return fitting[-1] if fitting else values[0]

    # Panels leave a quarter of L1 free and blocks half of their cache, so that what streams past does not evict them;
    # nor are they longer than 192 rows and 1024 columns, which tuning may exceed.
    # What is gathered costs more to pack than to read: the left operand is packed once, for all columns, and the right
    # in blocks that stay in L2 beside it.
    gathered = problem.contraction.gathered
    if gathered:
        depth_block = block(DEPTHS, depth, 3 * first // (4 * tile_rows * itemsize))
        row_block = block(BLOCKS, rows, min(192, second // (4 * depth_block * itemsize)))
        one_tile = next(value for value in BLOCKS if value >= vectors * lanes)
        column_block = block(BLOCKS, columns, max(one_tile, second // (4 * depth_block * itemsize)))
    else:
        depth_block = block(DEPTHS, depth, 3 * first // (4 * vectors * lanes * itemsize))
        row_block = block(BLOCKS, rows, min(192, second // (2 * depth_block * itemsize)))
        column_block = block(BLOCKS, columns, min(1024, last // (2 * depth_block * itemsize)))
    left_stays = rows * depth * itemsize <= first or lanes <= columns <= vectors * lanes
    right_stays = depth * columns * itemsize <= first or rows <= tile_rows
    in_place = left_stays and right_stays and not gathered
    # Read in place, the rows of a tile need an address each, computed once for all columns where these are inside: 32
    # products of 64 x 64 x 64 in float32 take 0.29 instead of 0.33 ms (Zen 3). Unrolled code keeps several of them in
    # memory where a tile is high: 17 x 33 x 65 takes 0.92 µs with one iteration written out, else 1.16 (Zen 4).
    high = in_place and vectors == 1
    within_l1 = in_place and depth * max(rows, columns) * itemsize <= first
    grids = _grids(problem)
    return {
        "rows": tile_rows,
        "vectors": vectors,
        "lanes": lanes,
        "row_block": row_block,
        "column_block": column_block,
        "depth_block": depth_block,
        "order": "depth rows columns" if gathered else "columns depth rows",
        "inner": "columns" if gathered or high or within_l1 else "rows",
        "pack_left": gathered or len(problem.contraction.left) != 1 or not left_stays,
        "pack_right": gathered or len(problem.contraction.right) != 1 or not right_stays or not _dense_columns(problem),
        "unroll": max(unroll for unroll in UNROLLS if unroll <= min(1 if high else 4, max(depth, 1))),
        "prefetch": 0,
        "parallel": _widest(grids, rows, columns) if prod(problem.extents.values()) >= WORTH_SHARING else "1x1",
    }


def _most_rows(registers: int, vectors: int) -> int:
    """Rows that registers hold beside a row of the right operand and a broadcast; 3 are never for a tile."""
    return min((registers - 1 - vectors) // vectors, registers - 3)


def _tile(rows: int, columns: int, lanes: int, registers: int) -> tuple[int, int]:
    """Rows and vectors of the default's register tile.

    Two vectors and as many rows as registers hold beside the vectors and a broadcast, 6 x 2 of 16 and 14 x 2 of 32,
    where little of that is computed beyond the edges and one tile is not as wide as all columns. Else what computes and
    loads least: 32 products of 64 x 64 x 64 ran at 0.97 of peak with 4 x 4, at 0.74 with 14 x 2 (Zen 4).
    """

    def covered(tile: tuple[int, int]) -> float:
        high, wide = tile[0], tile[1] * lanes
        return -(-rows // high) * high * -(-columns // wide) * wide / max(1, rows * columns)

    def cost(tile: tuple[int, int]) -> float:
        return covered(tile) * (1 + LOAD_COST * (tile[0] + tile[1]) / (tile[0] * tile[1]))

    vectors = min(2, max(1, -(-columns // lanes)))
    usual = min(_most_rows(registers, vectors), 6 if registers == 16 else 14, max(rows, 1)), vectors
    if columns > MOST_VECTORS * lanes and covered(usual) <= 1 + WASTE:
        return usual
    tiles = [
        (high, wide)
        for wide in range(1, min(MOST_VECTORS, max(1, -(-columns // lanes))) + 1)
        for high in range(1, min(_most_rows(registers, wide), max(rows, 1)) + 1)
    ]
    # Multiply-adds in flight: two a cycle, five cycles each.
    return min([tile for tile in tiles if tile[0] * tile[1] >= 10] or tiles, key=cost)


def _widest(grids: tuple[str, ...], rows: int, columns: int) -> str:
    """Batches where there are enough of them, else slices of the longer side."""
    if "batch" in grids or len(grids) == 1:
        return grids[-1]
    return grids[-1] if rows >= columns else grids[1]


def _dense_columns(problem: Problem) -> bool:
    """Whether the right operand has its columns as neighbours, in C order."""
    return all(factor.axes[-1] == problem.contraction.columns[-1] for factor in problem.contraction.right)


def _access(name: str, factors: tuple[Read, ...]) -> Access:
    return Access(name, tuple(dict.fromkeys(axis.name for factor in factors for axis in factor.axes)))


def product_nests(problem: Problem, configs: Sequence[Config]) -> list[Batch]:
    """The nests of many configs: one is made for each structure, the steps of its loops for all by arithmetic."""
    if not problem.tiled:
        return batches([product_nest(problem, config) for config in configs])
    alike: dict[tuple[object, ...], list[int]] = {}
    for place, config in enumerate(configs):
        alike.setdefault(tuple(config[name] for name in STRUCTURAL), []).append(place)
    return [
        (np.array(places), _product_nests(problem, [configs[place] for place in places])) for places in alike.values()
    ]


def _product_nests(problem: Problem, configs: Sequence[Config]) -> LoopNests:
    """The nests of configs that differ in numbers only."""
    pattern = product_nest(problem, configs[0])
    numbers = {name: np.array([config[name] for config in configs], dtype=np.int64) for name in NUMBERS}
    step, tile = _steps(problem, numbers), _tile_sizes(numbers)
    group_of = {axes[-1].name: group for group, axes in problem.contraction.groups.items()}
    steps = np.ones((len(configs), len(pattern.loops)), dtype=np.int64)
    for depth, loop in enumerate(pattern.loops):
        if loop.tasks is not None:
            alone = configs[0]["parallel"] == "batch"
            unit = np.ones(len(configs), dtype=np.int64) if alone else tile[group_of[loop.axis]]
            steps[:, depth] = slice_step(pattern.extent(loop.axis), loop.tasks, unit)
        else:
            steps[:, depth] = step.get(loop.name, loop.step)
    prefetched = numbers["prefetch"] if pattern.accumulator else np.zeros(len(configs), dtype=np.int64)
    return LoopNests(pattern, steps, prefetched, np.zeros(len(configs), dtype=np.bool_))


def _tile_sizes(numbers: Mapping[str, Number]) -> dict[str, Number]:
    """Elements of the register tile along rows and columns, of one config or of many."""
    return {"rows": numbers["rows"], "columns": numbers["vectors"] * numbers["lanes"]}


def _steps(problem: Problem, numbers: Mapping[str, Number]) -> dict[str, Number]:
    """Steps of the loops by name, of one config or of many: blocks are of whole tiles."""
    steps: dict[str, Number] = {}
    tile = _tile_sizes(numbers)
    for group, axes in problem.contraction.groups.items():
        axis = axes[-1].name
        if group == "depth":
            steps[f"{axis}_block"] = numbers["depth_block"]
            continue
        unit = tile[group]
        steps[f"{axis}_block"] = -(-numbers[f"{group[:-1]}_block"] // unit) * unit
        steps[f"{axis}_tile"] = unit
        if group == "columns":
            steps[f"{axis}_vector"] = numbers["lanes"]
    return steps


def product_nest(problem: Problem, config: Config) -> LoopNest:
    """The schedule, one rewrite after the other."""
    contraction = problem.contraction
    axis_of = {group: axes[-1].name for group, axes in contraction.groups.items()}
    outer = [axis.name for axis in contraction.outer]
    inputs = (("left", contraction.left), ("right", contraction.right))
    nest = LoopNest.plain(
        extents=tuple((name, problem.extents[name]) for name in (*outer, *axis_of.values())),
        itemsize=problem.itemsize,
        out=Access("out", tuple(axis.name for axis in problem.stage.axes)),
        inputs=tuple(_access(name, factors) for name, factors in inputs if factors),
    )
    if not problem.tiled:
        return nest
    numbers = {name: int(config[name]) for name in NUMBERS}
    tile, step = _tile_sizes(numbers), _steps(problem, numbers)
    blocks, tiles, inside = [], [], []
    order = str(config["order"]).split()
    for group in (name for name in order if name in axis_of):
        axis = axis_of[group]
        nest = split(nest, axis, step[f"{axis}_block"], f"{axis}_block")
        blocks += [*(outside.name for outside in contraction.groups[group][:-1]), f"{axis}_block"]
        if group != "depth":
            nest = split(nest, axis, step[f"{axis}_tile"], f"{axis}_tile")
    if "columns" in axis_of:
        nest = split(nest, axis_of["columns"], step[f"{axis_of['columns']}_vector"], f"{axis_of['columns']}_vector")
    inner = str(config["inner"])
    for group in ("columns" if inner == "rows" else "rows", inner):
        tiles += [f"{axis_of[group]}_tile"] if group in axis_of else []
    for group, names in (("depth", ("",)), ("rows", ("",)), ("columns", ("_vector", ""))):
        inside += [f"{axis_of[group]}{suffix}" for suffix in names] if group in axis_of else []
    nest = reorder(nest, (*(axis.name for axis in contraction.batch), *blocks, *tiles, *inside))
    for group in ("rows", "columns"):
        for name in inside:
            if group in axis_of and nest.loops[nest.position(name)].axis == axis_of[group]:
                nest = unroll(nest, name)
    if "columns" in axis_of:
        nest = vectorize(nest, axis_of["columns"])
    for name, factors, group in (("left", contraction.left, "rows"), ("right", contraction.right, "columns")):
        if "depth" not in axis_of or not config[f"pack_{name}"]:
            continue
        if factors and group in axis_of:
            needed = [f"{axis_of[part]}_block" for part in (group, "depth")]
            nest = pack(nest, name, within=max(needed, key=nest.position), axis=axis_of[group], panel=tile[group])
        elif len(factors) > 1 or contraction.gathered:  # their product, once for all tiles
            nest = pack(nest, name, within=f"{axis_of['depth']}_block", axis=axis_of["depth"], panel=1)
    if "depth" in axis_of:
        nest = prefetch(accumulate(nest, axis_of["depth"]), numbers["prefetch"])
    return _parallel(nest, problem, axis_of, tile, str(config["parallel"]))


def _parallel(nest: LoopNest, problem: Problem, axis_of: dict[str, str], tile: dict[str, int], grid: str) -> LoopNest:
    """Cut the output into as many slices as there are tasks, each of whole tiles."""
    if grid == "batch":
        axis = _shared_batch(problem)
        assert axis is not None  # or the grid is not in the space
        return parallel(nest, axis.name, tasks=problem.threads, unit=1)
    for group, tasks in zip(("columns", "rows"), reversed([int(part) for part in grid.split("x")]), strict=True):
        if tasks > 1 and group in axis_of:
            nest = parallel(nest, f"{axis_of[group]}_tile", tasks=tasks, unit=tile[group])
    return nest
