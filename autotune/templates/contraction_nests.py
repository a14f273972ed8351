"""The loop nests of contractions, from configs: one by one, or for many by arithmetic on the steps of their loops."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from autotune.lang import Read
from autotune.schedule import Access, Config, LoopNest
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
from autotune.templates.contraction_problem import Problem
from autotune.templates.contraction_space import shared_batch

# Knobs that decide which loops there are, and those that decide their steps.
STRUCTURAL = ("order", "inner", "pack_left", "pack_right", "parallel")
NUMBERS = ("rows", "vectors", "lanes", "row_block", "column_block", "depth_block", "prefetch")

Number = TypeVar("Number", int, Rows)


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
        axis = shared_batch(problem)
        assert axis is not None  # or the grid is not in the space
        return parallel(nest, axis.name, tasks=problem.threads, unit=1)
    for group, tasks in zip(("columns", "rows"), reversed([int(part) for part in grid.split("x")]), strict=True):
        if tasks > 1 and group in axis_of:
            nest = parallel(nest, f"{axis_of[group]}_tile", tasks=tasks, unit=tile[group])
    return nest


def _access(name: str, factors: tuple[Read, ...]) -> Access:
    return Access(name, tuple(dict.fromkeys(axis.name for factor in factors for axis in factor.axes)))


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
