"""What is legal of contractions: their knobs, and the constraints that tiles fit registers and blocks their caches."""

from itertools import permutations

import numpy as np

from autotune.lang import Axis
from autotune.machine import Machine
from autotune.schedule import Constraint, Knob, Space
from autotune.templates.contraction_problem import Problem

# Values that knobs may take: powers of two, and for the sizes that fill caches some between them. A block is rounded up
# to whole tiles, so none has to be a multiple of a tile.
BLOCKS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
DEPTHS = (32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048)
UNROLLS = (1, 2, 4, 8)
MOST_VECTORS = 4  # in a row of the register tile
PREFETCHES = (0, 4, 8, 16, 32)
GROUPS = ("columns", "depth", "rows")


def product_space(problem: Problem, machine: Machine) -> Space:
    """The configs that fit the machine's registers and caches; a single one where there are no register tiles."""
    if not problem.tiled:
        return Space((Knob("parallel", ("1x1",), ordered=False),), ())
    return Space(_knobs(problem, machine), _constraints(problem, machine))


def _knobs(problem: Problem, machine: Machine) -> tuple[Knob, ...]:
    rows, columns, depth = (problem.extent(group) for group in ("rows", "columns", "depth"))
    registers, lanes, contraction = machine.vector_registers, lanes_of(machine, problem.itemsize), problem.contraction
    one_left, one_right = (
        len(factors) == 1 and not contraction.gathered for factors in (contraction.left, contraction.right)
    )
    return (
        Knob("rows", tuple(range(1, min(most_rows(registers, 1), max(rows, 1)) + 1)), doc="rows of the register tile"),
        Knob(
            "vectors",
            tuple(range(1, max(1, min(MOST_VECTORS, -(-columns // lanes[0]))) + 1)),
            doc="vectors in a row of the tile",
        ),
        Knob("lanes", lanes, doc="elements of a vector"),
        Knob("row_block", up_to(BLOCKS, rows), doc="rows of a block of the left operand"),
        Knob("column_block", up_to(BLOCKS, columns), doc="columns of a block of the right operand"),
        Knob("depth_block", up_to(DEPTHS, depth), doc="depth of a block of either operand"),
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
            (False, True) if one_right and dense_columns(problem) else (True,),
            ordered=False,
            doc="the right",
        ),
        Knob("unroll", tuple(u for u in UNROLLS if u <= max(depth, 1)), doc="iterations of the depth loop written out"),
        Knob("prefetch", PREFETCHES, doc="depth iterations to prefetch ahead"),
        Knob("parallel", grids_of(problem), ordered=False, doc="how the output is shared among threads"),
    )


def _constraints(problem: Problem, machine: Machine) -> tuple[Constraint, ...]:
    registers, itemsize = machine.vector_registers, problem.itemsize
    first, second, last = (cache_size(machine, level) for level in (1, 2, 3))
    return (
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


def up_to(values: tuple[int, ...], extent: int) -> tuple[int, ...]:
    """The values below `extent` and the first that covers it; no two that would do the same."""
    below = tuple(value for value in values if value < extent)
    return (*below, *values[len(below) : len(below) + 1])


def lanes_of(machine: Machine, itemsize: int) -> tuple[int, ...]:
    """Vector widths: half a register and a whole one, at least two elements."""
    whole = machine.vector_bytes // itemsize
    return tuple(lanes for lanes in (whole // 2, whole) if lanes >= 2) or (whole,)


def grids_of(problem: Problem) -> tuple[str, ...]:
    """Ways to share the output among threads: "ROWSxCOLUMNS" tasks, or "batch" for slices of the outermost batch axis.

    "1x1" is always there: a small problem is done before another thread has woken.
    """
    threads = problem.threads
    shares = [(rows, threads // rows) for rows in range(1, threads + 1) if threads > 1 and threads % rows == 0]
    grids = ["1x1"]
    grids += [f"{r}x{c}" for r, c in shares if r <= problem.extent("rows") and c <= problem.extent("columns")]
    if threads > 1 and shared_batch(problem):
        grids.append("batch")
    return tuple(grids)


def shared_batch(problem: Problem) -> Axis | None:
    """The axis whose slices threads may take: the outermost of the output's with enough elements."""
    axes = [axis for axis in problem.contraction.outer if axis in problem.stage.axes]
    return next((axis for axis in axes if problem.extents[axis.name] >= problem.threads), None)


def cache_size(machine: Machine, level: int) -> int:
    """Bytes of a cache level, or of the nearest there is."""
    sizes = {cache.level: cache.size for cache in machine.caches}
    usual_l1 = 32 << 10  # what most CPUs have, where the machine names no cache
    return sizes.get(level) or max((size for at, size in sizes.items() if at < level), default=usual_l1)


def most_rows(registers: int, vectors: int) -> int:
    """Rows that registers hold beside a row of the right operand and a broadcast; 3 are never for a tile."""
    return min((registers - 1 - vectors) // vectors, registers - 3)


def dense_columns(problem: Problem) -> bool:
    """Whether the right operand has its columns as neighbours, in C order."""
    return all(factor.axes[-1] == problem.contraction.columns[-1] for factor in problem.contraction.right)
