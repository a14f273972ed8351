"""Loop nests and a machine that need no hardware."""

import pytest

from autotune.machine import Cache, Machine, Peaks
from autotune.schedule import Access, LoopNest
from autotune.schedule.nest import accumulate, pack, reorder, split, unroll, vectorize


@pytest.fixture(scope="session")
def machine() -> Machine:
    caches = (Cache(1, 32 * 1024, 1), Cache(2, 512 * 1024, 1), Cache(3, 16 * 1024 * 1024, 4))
    return Machine(
        cpu="Test",
        architecture="x86_64",
        isa="avx2",
        llvm_cpu="znver3",
        cores=4,
        caches=caches,
        vector_bytes=32,
        vector_registers=16,
    )


@pytest.fixture(scope="session")
def peaks() -> Peaks:
    return Peaks(
        fma={"float32": {1: 1e11, 2: 2e11}, "float64": {1: 5e10, 2: 1e11}},
        bandwidth={"L1": 2e11, "L2": 1e11, "L3": 5e10, "memory": 2e10},
    )


def matmul(m: int, n: int, k: int) -> LoopNest:
    return LoopNest.plain(
        extents=(("m", m), ("n", n), ("k", k)),
        itemsize=4,
        out=Access("out", ("m", "n")),
        inputs=(Access("left", ("m", "k")), Access("right", ("k", "n"))),
    )


def blocked(m: int, n: int, k: int, *, rows: int = 6, row_block: int = 96, packed: bool = True) -> LoopNest:
    """Goto's nest: n_block k_block m_block, tiles of `rows` x 16 in registers."""
    nest = matmul(m, n, k)
    for axis, block, tile in (("n", 512, 16), ("m", row_block, rows)):
        nest = split(nest, axis, block, f"{axis}_block")
        nest = split(nest, axis, tile, f"{axis}_tile")
    nest = split(nest, "n", 8, "n_vector")
    nest = split(nest, "k", 256, "k_block")
    nest = reorder(nest, ("n_block", "k_block", "m_block", "n_tile", "m_tile", "k", "m", "n_vector", "n"))
    nest = vectorize(unroll(unroll(nest, "m"), "n_vector"), "n")
    if packed:
        nest = pack(nest, "right", within="k_block", axis="n", panel=16)
        nest = pack(nest, "left", within="m_block", axis="m", panel=rows)
    return accumulate(nest, "k")
