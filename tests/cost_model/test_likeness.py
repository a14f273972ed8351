"""How alike workloads are."""

from typing import Any

import numpy as np
import pytest

from autotune.cost_model.likeness import Candidates, features_at
from autotune.library import conv2d, matmul, softmax
from autotune.machine import Cache, Machine
from autotune.schedule import Config, Workload
from autotune.templates import template_for

MACHINE = Machine(
    cpu="invented",
    architecture="x86_64",
    isa="avx512",
    llvm_cpu="znver4",
    cores=2,
    caches=(Cache(1, 32 << 10, 1), Cache(2, 1 << 20, 1), Cache(3, 32 << 20, 2)),
    vector_bytes=64,
    vector_registers=32,
)


def tuned(kernel: Any, sizes: list[dict[str, int]], **changed: Any) -> list[tuple[Workload, Config]]:
    workloads = [kernel.workload("forward", size, threads=1) for size in sizes]
    return [(one, template_for(one).default(one, MACHINE) | changed) for one in workloads]


@pytest.mark.parametrize(
    ("kernel", "sizes"),
    [
        (matmul, [{"m": m, "k": k, "n": n} for m, k, n in ((17, 33, 65), (64, 64, 64), (1024, 100, 8), (64, 64, 80))]),
        (softmax, [{"rows": rows, "cols": cols} for rows, cols in ((8, 1000), (1000, 8), (100, 100))]),
        (conv2d, [{"n": 1, "c": 8, "h": h, "w": 30, "k": 8, "r": 3, "s": 3, "g": 1} for h in (10, 20, 40)]),
    ],
)
def test_the_compiled_distances_are_those_of_the_features(kernel: Any, sizes: list[dict[str, int]]) -> None:
    sizes = [{name: size[name] for name in kernel.definition.extent_names} for size in sizes]
    found = Candidates(tuple(tuned(kernel, sizes)), MACHINE)
    tensors, caches, tiles, features = found.arrays
    for position, (workload, _) in enumerate(found.tuned):
        distances = found.distances(workload.sizes)
        assert distances[position] == 0
        here = np.repeat(found.sizes(workload.sizes)[:, None], len(sizes), axis=1)
        expected = np.linalg.norm(features_at(here, tensors, caches, tiles) - features, axis=0)
        np.testing.assert_allclose(distances, expected, rtol=1e-12, atol=1e-12)


def test_the_order_is_by_features_and_not_by_name() -> None:
    sizes = [{"m": 64, "k": 64, "n": n} for n in (1024, 512, 96, 64)]
    found = Candidates(tuple(tuned(matmul, sizes)), MACHINE).distances({"m": 64, "k": 64, "n": 100})
    assert np.argsort(found).tolist() == [2, 3, 1, 0]


def test_tiles_that_waste_nothing_are_nearer_than_such_that_do() -> None:
    """Of two configs for one size, the one whose tile covers the new columns as well as the old ones."""
    size = [{"m": 64, "k": 64, "n": 64}]
    narrow, wide = tuned(matmul, size, vectors=1, rows=8), tuned(matmul, size, vectors=4, rows=4)
    found = Candidates((*wide, *narrow), MACHINE).distances({"m": 64, "k": 64, "n": 80})
    assert found[1] < found[0]


def test_what_fits_a_cache_is_nearer_to_what_does_too() -> None:
    """A step across the size of L2 counts more than a step of the same factor inside it."""
    pairs = tuned(softmax, [{"rows": 512, "cols": 512}, {"rows": 1024, "cols": 128}])
    found = Candidates(tuple(pairs), MACHINE)
    inside = found.distances({"rows": 1024, "cols": 512})[0]
    across = found.distances({"rows": 2048, "cols": 128})[1]
    assert across > inside
