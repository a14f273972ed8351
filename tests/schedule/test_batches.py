"""Many nests at once: the same nests, and the same features, as one by one."""

from collections.abc import Mapping

import numpy as np
import pytest

from autotune.cost_model import Platform, features_of_batches, features_of_nest
from autotune.library import batch_matmul, conv2d, layer_norm, linear_gelu, matmul, max_pool2d, softmax
from autotune.machine import Cache, Machine, Peaks
from autotune.runtime import TunedKernel
from autotune.schedule.batches import batches, structure
from autotune.templates import nests_for, template_for

AVX512 = Machine(
    cpu="Test",
    architecture="x86_64",
    isa="avx512",
    llvm_cpu="znver4",
    cores=4,
    caches=(Cache(1, 32 * 1024, 1), Cache(2, 1024 * 1024, 1), Cache(3, 32 * 1024 * 1024, 4)),
    vector_bytes=64,
    vector_registers=32,
)
PEAKS = Peaks(
    fma={"float32": {1: 1e11, 2: 2e11}, "float64": {1: 5e10, 2: 1e11}},
    bandwidth={"L1": 2e11, "L2": 1e11, "L3": 5e10, "memory": 2e10},
)
CASES: Mapping[str, tuple[TunedKernel, str, dict[str, int | tuple[int, ...]]]] = {
    "product": (matmul, "forward", {"m": 300, "n": 70, "k": 200}),
    "gradient": (matmul, "vjp:a", {"m": 33, "n": 256, "k": 64}),
    "batches": (batch_matmul, "vjp:b", {"b": 5, "m": 60, "n": 48, "k": 90}),
    "gathered": (conv2d, "forward", {"x": (2, 4, 12, 12), "w": (8, 4, 3, 3)}),
    "chained": (linear_gelu, "vjp:w", {"m": 40, "n": 24, "k": 32}),
    "rows": (softmax, "vjp:x", {"rows": 50, "cols": 70}),
    "sums of columns": (layer_norm, "vjp:gamma", {"rows": 50, "cols": 70}),
    "windows": (max_pool2d, "forward", {"x": (2, 3, 12, 12)}),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_nests_made_together_are_those_made_one_by_one(name: str, threads: int) -> None:
    kernel, direction, shapes = CASES[name]
    workload = kernel.workload(direction, kernel.extents(shapes), threads=threads)
    template = template_for(workload)
    configs = template.space(workload, AVX512).sample(np.random.default_rng(0), 60)
    single = [template.nest(workload, config, AVX512) for config in configs]  # type: ignore[union-attr]
    found = nests_for(workload, configs, AVX512)
    assert sorted(place for places, _ in found for place in places) == list(range(len(configs)))
    for places, nests in found:
        for row, place in enumerate(places):
            nest = single[place]
            assert structure(nests.pattern) == structure(nest)
            assert nests.steps[row].tolist() == [loop.step for loop in nest.loops]
            assert nests.prefetch[row] == nest.prefetch
    platform = Platform.of(AVX512, PEAKS, threads)
    one_by_one = np.array([features_of_nest(nest, platform) for nest in single])
    assert np.array_equal(features_of_batches(found, len(configs), platform), one_by_one)
    assert np.array_equal(features_of_batches(batches(single), len(configs), platform), one_by_one)
