"""What is promising of contractions: a config by rule, which serves what is not tuned and is where tuning begins."""

from math import prod

from autotune.machine import Machine
from autotune.schedule import Config
from autotune.templates.contraction_problem import Problem
from autotune.templates.contraction_space import (
    BLOCKS,
    DEPTHS,
    MOST_VECTORS,
    UNROLLS,
    cache_size,
    dense_columns,
    grids_of,
    lanes_of,
    most_rows,
    up_to,
)

# Multiply-adds from which a second thread is woken by default: 20 µs of one Zen 3 core, waking a thread takes 2 to 10.
WORTH_SHARING = 1 << 20
# Of the default's register tile: what may be computed beyond the edges, and what a load costs of a multiply-add.
WASTE = 0.03
LOAD_COST = 0.2
# Of operands read in place: tiles side by side, and rows at once.
FEW_TILES = 4
MOST_STREAMS = 8


def default_config(problem: Problem, machine: Machine) -> Config:
    """Goto's blocking with a tile that fills the registers, packing what does not fit L1 and is read more than once."""
    if not problem.tiled:
        return {"parallel": "1x1"}
    itemsize, registers = problem.itemsize, machine.vector_registers
    rows, columns, depth = (problem.extent(group) for group in ("rows", "columns", "depth"))
    lanes = lanes_of(machine, itemsize)[-1]
    if columns <= lanes // 2 and lanes // 2 in lanes_of(machine, itemsize):
        lanes //= 2
    tile_rows, vectors = _tile(rows, columns, lanes, registers)
    first, second, last = (cache_size(machine, level) for level in (1, 2, 3))

    def block(values: tuple[int, ...], extent: int, most: int) -> int:
        fitting = [value for value in up_to(values, extent) if value <= most]
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
    streamed = _left_streamed(problem, tile_rows, vectors * lanes, depth_block)
    left_stays = rows * depth * itemsize <= first or lanes <= columns <= vectors * lanes or streamed
    right_stays = depth * columns * itemsize <= first or rows <= tile_rows
    in_place = left_stays and right_stays and not gathered
    # Read in place, the rows of a tile need an address each, computed once for all columns where these are inside: 32
    # products of 64 x 64 x 64 in float32 take 0.29 instead of 0.33 ms (Zen 3). Unrolled code keeps several of them in
    # memory where a tile is high: 17 x 33 x 65 takes 0.92 µs with one iteration written out, else 1.16 (Zen 4).
    high = in_place and vectors == 1
    within_l1 = in_place and depth * max(rows, columns) * itemsize <= first
    grids = grids_of(problem)
    return {
        "rows": tile_rows,
        "vectors": vectors,
        "lanes": lanes,
        "row_block": row_block,
        "column_block": column_block,
        "depth_block": depth_block,
        "order": "depth rows columns" if gathered else "columns depth rows",
        "inner": "columns" if gathered or high or within_l1 or streamed else "rows",
        "pack_left": gathered or len(problem.contraction.left) != 1 or not left_stays,
        "pack_right": gathered or len(problem.contraction.right) != 1 or not right_stays or not dense_columns(problem),
        "unroll": max(unroll for unroll in UNROLLS if unroll <= min(1 if high else 4, max(depth, 1))),
        "prefetch": 0,
        "parallel": _widest(grids, rows, columns) if prod(problem.extents.values()) >= WORTH_SHARING else "1x1",
    }


def _left_streamed(problem: Problem, tile_rows: int, tile_columns: int, depth_block: int) -> bool:
    """Whether the rows of a tile are better read in place, once for a few columns, than copied first.

    That is where they are long and their elements neighbours, so that each is a stream. Copying writes as much as it
    reads, which a few columns do not repay: 64 x 8192 x 64 in float32 takes 0.84 instead of 0.92 ms, 64 x 8192 x 32
    0.51 instead of 0.56 (Zen 3). Each row needs an address in a general register, of which there are 16.
    """
    left, depth = problem.contraction.left, problem.contraction.depth
    neighbours = len(left) == 1 and bool(depth) and left[0].axes[-1:] == depth[-1:]
    few = problem.extent("columns") <= FEW_TILES * tile_columns
    return neighbours and few and tile_rows <= MOST_STREAMS and problem.extent("depth") > depth_block


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
    usual = min(most_rows(registers, vectors), 6 if registers == 16 else 14, max(rows, 1)), vectors
    if columns > MOST_VECTORS * lanes and covered(usual) <= 1 + WASTE:
        return usual
    tiles = [
        (high, wide)
        for wide in range(1, min(MOST_VECTORS, max(1, -(-columns // lanes))) + 1)
        for high in range(1, min(most_rows(registers, wide), max(rows, 1)) + 1)
    ]
    # Multiply-adds in flight: two a cycle, five cycles each.
    return min([tile for tile in tiles if tile[0] * tile[1] >= 10] or tiles, key=cost)


def _widest(grids: tuple[str, ...], rows: int, columns: int) -> str:
    """Batches where there are enough of them, else slices of the longer side."""
    if "batch" in grids or len(grids) == 1:
        return grids[-1]
    return grids[-1] if rows >= columns else grids[1]
