"""Rewrites of loop nests: what they give, and what they refuse."""

import pytest

from autotune.errors import ScheduleError
from autotune.schedule import Access, Kind, Loop, LoopNest
from autotune.schedule.nest import accumulate, pack, parallel, prefetch, reorder, split, unroll, vectorize


@pytest.fixture
def product() -> LoopNest:
    return LoopNest.plain(
        extents=(("m", 100), ("n", 60), ("k", 70)),
        itemsize=4,
        out=Access("out", ("m", "n")),
        inputs=(Access("left", ("m", "k")), Access("right", ("k", "n"))),
    )


def test_plain_nest_has_a_loop_an_axis(product: LoopNest) -> None:
    assert [loop.name for loop in product.loops] == ["m", "n", "k"]
    assert product.reduction_axes == ("k",)
    assert product.iterations(3) == 100 * 60 * 70


def test_split_blocks_a_loop_and_counts_its_tail(product: LoopNest) -> None:
    nest = split(product, "m", 32, "m_block")
    assert nest.loops[:2] == (Loop("m_block", "m", 32), Loop("m", "m", 1))
    assert [nest.trips(0), nest.trips(1)] == [4, 32]
    assert nest.span("m", 0) == 100
    assert nest.span("m", 1) == 32


def test_split_refuses_a_block_that_is_no_multiple(product: LoopNest) -> None:
    nest = split(product, "m", 6, "m_tile")
    with pytest.raises(ScheduleError, match=r"'m_tile' by 32: a block must be a multiple of its step 6"):
        split(nest, "m_tile", 32, "m_block")


def test_split_refuses_a_taken_name(product: LoopNest) -> None:
    with pytest.raises(ScheduleError, match="a loop 'n' is there already"):
        split(product, "m", 32, "n")


def test_unknown_loop_is_named_with_those_there_are(product: LoopNest) -> None:
    with pytest.raises(ScheduleError, match="no loop 'q' in the nest; it has m, n, k"):
        unroll(product, "q")


def test_reorder_moves_loops(product: LoopNest) -> None:
    assert [loop.name for loop in reorder(product, ("k", "m", "n")).loops] == ["k", "m", "n"]


def test_reorder_refuses_to_lose_a_loop(product: LoopNest) -> None:
    with pytest.raises(ScheduleError, match="must name every loop once"):
        reorder(product, ("k", "m"))


def test_reorder_keeps_blocks_around_what_they_hold(product: LoopNest) -> None:
    nest = split(product, "m", 32, "m_block")
    with pytest.raises(ScheduleError, match="loops of axis 'm' in the order"):
        reorder(nest, ("m", "m_block", "n", "k"))


@pytest.mark.parametrize(
    "rewrite", [lambda nest: parallel(nest, "k", tasks=2, unit=1), lambda nest: vectorize(nest, "k")]
)
def test_reductions_run_in_one_place(product: LoopNest, rewrite) -> None:
    with pytest.raises(ScheduleError, match="'k' is a reduction"):
        rewrite(product)


def test_parallel_shares_whole_units(product: LoopNest) -> None:
    nest = parallel(split(product, "m", 6, "m_tile"), "m_tile", tasks=2, unit=6)
    assert nest.loops[0] == Loop("m_task", "m", 54, Kind.PARALLEL, 2)
    assert nest.trips(0) == 2
    assert nest.span("m", 1) == 54


def test_vectorize_takes_only_the_innermost_loop(product: LoopNest) -> None:
    with pytest.raises(ScheduleError, match="cannot vectorize loop 'm': it must be the innermost"):
        vectorize(product, "m")


def test_accumulate_needs_registers_inside(product: LoopNest) -> None:
    nest = reorder(product, ("k", "m", "n"))
    with pytest.raises(ScheduleError, match="m, n inside it would not stay in registers"):
        accumulate(nest, "k")
    nest = accumulate(vectorize(unroll(nest, "m"), "n"), "k")
    assert nest.accumulator == "k"


def test_accumulate_needs_a_reduction(product: LoopNest) -> None:
    with pytest.raises(ScheduleError, match="'m' is not a reduction"):
        accumulate(product, "m")


def test_pack_records_where_the_copy_is_made(product: LoopNest) -> None:
    nest = pack(split(product, "m", 32, "m_block"), "left", within="m_block", axis="m", panel=6)
    assert nest.pack_of("left") is not None
    assert nest.pack_of("right") is None
    assert "pack left" in str(nest)


@pytest.mark.parametrize(
    ("tensor", "within", "axis", "match"),
    [
        ("out", "m", "m", "it is the output"),
        ("left", "m", "n", "along 'n': it has the axes m, k"),
        ("other", "m", "m", "no tensor 'other' in the nest; it has out, left, right"),
        ("left", "q", "m", "no loop 'q'"),
    ],
)
def test_pack_refuses(product: LoopNest, tensor: str, within: str, axis: str, match: str) -> None:
    nest = accumulate(vectorize(unroll(reorder(product, ("k", "m", "n")), "m"), "n"), "k")
    nest = split(nest, "k", 8, "k_block")
    with pytest.raises(ScheduleError, match=match):
        pack(nest, tensor, within=within, axis=axis, panel=4)


def test_pack_stays_outside_the_accumulator(product: LoopNest) -> None:
    nest = accumulate(vectorize(unroll(reorder(product, ("k", "m", "n")), "m"), "n"), "k")
    with pytest.raises(ScheduleError, match="inside the accumulator loop 'k'"):
        pack(nest, "left", within="m", axis="m", panel=4)


def test_nothing_is_packed_twice(product: LoopNest) -> None:
    nest = pack(product, "left", within="m", axis="m", panel=6)
    with pytest.raises(ScheduleError, match="'left' is packed already"):
        pack(nest, "left", within="m", axis="m", panel=6)


def test_prefetch_looks_ahead(product: LoopNest) -> None:
    assert prefetch(product, 8).prefetch == 8
    with pytest.raises(ScheduleError, match="at least 0, not -1"):
        prefetch(product, -1)


def test_footprints_shrink_inwards(product: LoopNest) -> None:
    nest = reorder(split(split(product, "m", 32, "m_block"), "k", 16, "k_block"), ("m_block", "k_block", "m", "n", "k"))
    left = nest.tensor("left")
    assert [nest.footprint(left, depth) for depth in range(6)] == [7000, 2240, 512, 16, 16, 1]
