"""Features of loop nests: what they say about nests whose behaviour is known, and that they never fail."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.cost_model import FEATURE_NAMES, Platform, features_of_nest
from autotune.machine import Machine, Peaks
from autotune.schedule import Access, LoopNest, Workload
from autotune.schedule.nest import parallel
from autotune.templates import template_for
from tests.constructs import CONSTRUCTS
from tests.cost_model.conftest import blocked, matmul

EXTENTS = st.sampled_from([0, 1, 2, 7, 64, 1000, 100_000])


@pytest.fixture(scope="session")
def platform(machine: Machine, peaks: Peaks) -> Platform:
    return Platform.of(machine, peaks)


def _named(nest: LoopNest, platform: Platform) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, features_of_nest(nest, platform).tolist(), strict=True))


def test_names_are_distinct() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)


@given(m=EXTENTS, n=EXTENTS, k=EXTENTS, threads=st.sampled_from([1, 2, 64]), packed=st.booleans())
def test_features_are_finite_for_any_extents(
    machine: Machine, peaks: Peaks, m: int, n: int, k: int, threads: int, packed: bool
) -> None:
    platform = Platform.of(machine, peaks, threads)
    for nest in (matmul(m, n, k), blocked(m, n, k, packed=packed)):
        found = features_of_nest(nest, platform)
        assert found.shape == (len(FEATURE_NAMES),)
        assert np.isfinite(found).all()


def test_a_nest_without_loops_or_inputs_has_features(platform: Platform) -> None:
    nest = LoopNest.plain(extents=(), itemsize=8, out=Access("out", ()), inputs=())
    assert np.isfinite(features_of_nest(nest, platform)).all()


@pytest.mark.parametrize("size", [1, 50])
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_kernels_of_every_construct_have_features(name: str, size: int, machine: Machine, platform: Platform) -> None:
    kernel = CONSTRUCTS[name]
    workload = Workload.of(kernel, dict.fromkeys(kernel.extent_names, size))
    template = template_for(workload)
    found = features_of_nest(template.nest(workload, template.default(workload, machine), machine), platform)
    assert np.isfinite(found).all()


def test_a_machine_without_a_third_cache_has_features(machine: Machine, peaks: Peaks) -> None:
    small = replace(machine, caches=machine.caches[:2])
    found = Platform.of(small, replace(peaks, bandwidth={"L1": 2e11, "L2": 1e11, "memory": 2e10}))
    assert np.isfinite(features_of_nest(blocked(512, 512, 512), found)).all()


def test_blocking_lessens_what_each_cache_must_bring_in(platform: Platform) -> None:
    plain, tiled = _named(matmul(1024, 1024, 1024), platform), _named(blocked(1024, 1024, 1024), platform)
    for level in (1, 2):
        assert tiled[f"traffic_L{level}"] < plain[f"traffic_L{level}"] - 2
    assert tiled["register_seconds"] < plain["register_seconds"]
    assert tiled["total_seconds"] < plain["total_seconds"]


def test_traffic_is_the_sum_over_tensors_of_footprint_times_reloads(platform: Platform) -> None:
    """By hand: 96 x 256 of left and 256 x 16 of right and 96 x 16 of out fit L2, which holds 131072 elements."""
    found = _named(blocked(1024, 1024, 1024), platform)
    blocks, depths, rows, tiles = 2, 4, 11, 32
    left = 96 * 256 * blocks * depths * rows
    right = 256 * 16 * blocks * depths * rows * tiles
    out = 2 * 96 * 16 * blocks * depths * rows * tiles
    assert found["fit_depth_L2"] == 4
    assert 2 ** found["traffic_L2"] == pytest.approx(1 + 4 * (left + right + out))


def test_a_larger_block_than_the_cache_is_seen(platform: Platform) -> None:
    fitting, too_large = blocked(4096, 1024, 1024), blocked(4096, 1024, 1024, row_block=3072)
    assert _named(too_large, platform)["fit_depth_L2"] > _named(fitting, platform)["fit_depth_L2"]


@pytest.mark.parametrize(("rows", "spills"), [(4, False), (6, False), (12, True)])
def test_register_pressure_tells_tiles_that_fit_from_those_that_spill(
    platform: Platform, rows: int, spills: bool
) -> None:
    found = _named(blocked(768, 768, 768, rows=rows), platform)
    assert (found["register_pressure"] > 1) == spills
    assert found["tile_vectors"] == pytest.approx(np.log2(1 + 2 * rows))


def test_padding_grows_with_what_the_last_tiles_waste(platform: Platform) -> None:
    exact, ragged = _named(blocked(96, 96, 96), platform), _named(blocked(97, 97, 97), platform)
    assert exact["padding"] == 0
    assert 2 ** ragged["padding"] == pytest.approx((102 / 97) * (112 / 97))


def test_packing_is_counted(platform: Platform) -> None:
    packed, unpacked = blocked(1024, 1024, 1024), blocked(1024, 1024, 1024, packed=False)
    found = _named(packed, platform)
    copied = 1024 * 1024 + 2 * 11 * 4 * 96 * 256  # right once, left for each of two column blocks
    assert 2 ** found["packed_elements"] == pytest.approx(1 + copied)
    assert _named(unpacked, platform)["packed_elements"] == 0
    assert _named(unpacked, platform)["unpacked_rows"] > found["unpacked_rows"]


def test_slices_of_unequal_size_are_an_imbalance(machine: Machine, peaks: Peaks) -> None:
    two = Platform.of(machine, peaks, threads=2)
    even = parallel(blocked(96, 512, 512), "m_tile", tasks=2, unit=6)
    uneven = parallel(blocked(90, 512, 512), "m_tile", tasks=2, unit=30)
    assert _named(even, two)["imbalance"] == pytest.approx(0)
    assert _named(uneven, two)["imbalance"] == pytest.approx(np.log2(60 / 45))
    assert _named(blocked(96, 512, 512), two)["imbalance"] == pytest.approx(1)
    assert _named(even, two)["compute_seconds"] == pytest.approx(
        _named(blocked(96, 512, 512), two)["compute_seconds"] - 1
    )
