"""The contraction template: its space, its default, and the nests that configs give."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.autodiff import derive
from autotune.errors import ConfigError
from autotune.library import conv2d
from autotune.machine import Cache, Machine
from autotune.schedule import Kind, Workload, stages
from autotune.templates import template_for
from autotune.templates.contraction_form import contraction_of, reuses
from tests.kernels import KERNELS

ZEN3 = Machine(
    cpu="AMD EPYC", architecture="x86_64", isa="avx2", llvm_cpu="znver3", cores=2,
    caches=(Cache(1, 32 << 10, 1), Cache(2, 512 << 10, 1), Cache(3, 32 << 20, 2)), vector_bytes=32, vector_registers=16,
)  # fmt: skip
ZEN5 = replace(ZEN3, isa="avx512", llvm_cpu="znver5", vector_bytes=64, vector_registers=32)
NEON = replace(ZEN3, isa="neon", architecture="aarch64", llvm_cpu="neoverse-n1", vector_bytes=16, vector_registers=32)
MACHINES = [ZEN3, ZEN5, NEON]
CONVOLUTION = {"n": 8, "g": 1, "c": 64, "h": 56, "w": 56, "k": 64, "r": 3, "s": 3}


def workload(
    name: str = "matmul", direction: str = "forward", dtype: str = "float32", threads: int = 1, size: int = 1024
) -> Workload:
    kernel = derive(KERNELS[name], direction)
    return Workload.of(kernel, dict.fromkeys(kernel.extent_names, size), dtype, threads)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("direction", ["forward", "vjp:a", "vjp:b"])
def test_space_of_a_large_product_is_large(machine: Machine, direction: str) -> None:
    big = workload(direction=direction)
    assert template_for(big).space(big, machine).size >= 10_000


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", KERNELS)
def test_default_is_in_the_space(machine: Machine, name: str) -> None:
    for dtype, threads, size in product(("float32", "float64"), (1, 2, 6), (1, 7, 64, 1000)):
        some = workload(name, dtype=dtype, threads=threads, size=size)
        template = template_for(some)
        template.space(some, machine).check(template.default(some, machine))


@pytest.mark.parametrize("machine", MACHINES)
def test_default_is_in_the_space_for_any_number_of_rows(machine: Machine) -> None:
    for rows in range(1, 34):
        narrow = Workload.of(KERNELS["matmul"], {"m": rows, "k": 8, "n": 4}, "float64")
        template = template_for(narrow)
        template.space(narrow, machine).check(template.default(narrow, machine))


@pytest.mark.parametrize("machine", MACHINES)
def test_columns_are_inside_by_default_where_both_operands_are_read_in_place_from_l1(machine: Machine) -> None:
    for size, inner, packs in ((64, "columns", False), (1024, "rows", True)):
        some = workload(size=size)
        config = template_for(some).default(some, machine)
        assert (config["inner"], config["pack_left"], config["pack_right"]) == (inner, packs, packs)


@pytest.mark.parametrize(("size", "packs"), [((64, 8192, 64), False), ((64, 256, 64), True), ((64, 8192, 512), True)])
def test_long_rows_are_read_in_place_for_few_columns(size: tuple[int, int, int], packs: bool) -> None:
    some = Workload.of(KERNELS["matmul"], dict(zip("mkn", size, strict=True)))
    config = template_for(some).default(some, ZEN3)
    assert (config["pack_left"], config["inner"]) == (packs, "rows" if packs else "columns")


@given(st.integers(0, 2**32 - 1), st.sampled_from(MACHINES), st.sampled_from(["forward", "vjp:a", "vjp:b"]))
def test_every_config_fits_the_machine(seed: int, machine: Machine, direction: str) -> None:
    big = workload(direction=direction)
    template = template_for(big)
    (config,) = template.space(big, machine).sample(np.random.default_rng(seed), 1)
    nest = template.nest(big, config, machine)
    assert nest.accumulator is not None
    depth = nest.position(nest.accumulator)
    tile = [loop for loop in nest.loops[depth + 1 :] if loop.kind is Kind.UNROLL]
    registers = np.prod([nest.trips(nest.position(loop.name)) for loop in tile])
    assert registers < machine.vector_registers
    assert nest.loops[-1].kind is Kind.VECTOR
    assert nest.trips(len(nest.loops) - 1) * 4 <= machine.vector_bytes
    assert nest.iterations(len(nest.loops)) >= 1024**3
    for pack in nest.packs:
        inside = nest.position(pack.within) + 1
        streamed = "left" if config["inner"] == "rows" else "right"  # the block that the inner loop runs over
        cache = 2 if pack.tensor == streamed else 3
        fitting = next(level.size for level in machine.caches if level.level == cache)
        # Blocks are rounded up to whole tiles: up to one tile more than the cache holds.
        assert nest.footprint(nest.tensor(pack.tensor), inside) * 4 <= fitting * 1.5


@given(st.integers(0, 2**32 - 1))
def test_packing_comes_once_its_block_is_known(seed: int) -> None:
    big = workload()
    template = template_for(big)
    (config,) = template.space(big, ZEN3).sample(np.random.default_rng(seed), 1)
    nest = template.nest(big, config, ZEN3)
    assert {pack.tensor for pack in nest.packs} == {side for side in ("left", "right") if config[f"pack_{side}"]}
    for pack in nest.packs:
        blocks = {"left": {"m_block", "k_block"}, "right": {"n_block", "k_block"}}[pack.tensor]
        outside = {loop.name for loop in nest.loops[: nest.position(pack.within) + 1]}
        assert blocks <= outside
        assert pack.within in blocks


def test_a_config_outside_the_space_is_refused() -> None:
    big = workload()
    template = template_for(big)
    spilling = template.default(big, ZEN3) | {"rows": 8, "vectors": 3}
    with pytest.raises(ConfigError, match="16 vector registers"):
        template.schedule(big, spilling, ZEN3)


@pytest.mark.parametrize(
    ("name", "direction", "groups"),
    [
        ("matmul", "forward", "batch= rows=m columns=n depth=k"),
        ("matmul", "vjp:a", "batch= rows=m columns=k depth=n"),
        ("matmul", "vjp:b", "batch= rows=k columns=n depth=m"),
        ("transposed_result", "forward", "batch= rows=n columns=m depth=k"),
        ("batched", "forward", "batch=b rows=m columns=n depth=k"),
        ("linear", "forward", "batch= rows=b,t columns=o depth=c"),
        ("scores", "forward", "batch=b,h rows=t columns=s depth=d"),
        ("two_deep", "forward", "batch= rows=m columns=n depth=k,l"),
        ("matvec", "forward", "batch= rows= columns=m depth=k"),
        ("hadamard", "forward", "batch= rows= columns=m,n depth=k"),
    ],
)
def test_axes_fall_into_groups(name: str, direction: str, groups: str) -> None:
    kernel = derive(KERNELS[name], direction)
    form = contraction_of(stages(kernel, dict.fromkeys(kernel.extent_names, 8))[-1])
    found = " ".join(
        f"{group}={','.join(axis.name for axis in getattr(form, group))}"
        for group in ("batch", "rows", "columns", "depth")
    )
    assert found == groups


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("direction", "groups", "runs"),
    [
        ("forward", "batch=g rows=k columns=n,p,q depth=c,r,s", "along across"),
        ("vjp:x", "batch=g rows=c columns=n,h,w depth=k,r,s", "along across"),
        ("vjp:w", "batch=g rows=k columns=c,r,s depth=n,p,q", "along along"),
    ],
)
def test_a_convolution_is_a_product_of_windows(machine: Machine, direction: str, groups: str, runs: str) -> None:
    """The axes of an image run as one, and so do those of the depth; copies follow what lies side by side."""
    forward = conv2d.specialized(padding=1).definition
    kernel, sizes = derive(forward, direction), forward.complete(CONVOLUTION)
    some = Workload.of(kernel, {extent: sizes[extent] for extent in kernel.extent_names})
    template = template_for(some)
    assert template.name == "contraction"
    (scheduled,) = template.schedule(some, template.default(some, machine), machine)
    form = scheduled.contraction
    assert form is not None
    names = ("batch", "rows", "columns", "depth")
    found = " ".join(f"{group}={','.join(axis.name for axis in getattr(form, group))}" for group in names)
    assert (found, f"{form.left_runs.direction} {form.right_runs.direction}") == (groups, runs)
    depth = form.depth[-1].name
    assert scheduled.nest.extent(depth) == np.prod([sizes[axis.extent] for axis in form.depth])
    packed = {pack.tensor: scheduled.nest.position(pack.within) for pack in scheduled.nest.packs}
    images = [loop.name for loop in scheduled.nest.loops].index("n") if direction != "vjp:w" else packed["right"]
    assert packed["left"] < images <= packed["right"]  # the weights are packed once, for all images


def test_a_convolution_of_few_channels_a_group_is_not_copied() -> None:
    """An element of the image is used by one filter only."""
    forward = conv2d.specialized(padding=1).definition
    some = Workload.of(forward, CONVOLUTION | {"g": 64, "c": 1, "k": 1})
    assert not any(reuses(stage, some) for stage in stages(forward, dict(some.extents)))
    assert reuses(stages(forward, CONVOLUTION)[-1], Workload.of(forward, CONVOLUTION))


def test_dense_axes_run_as_one() -> None:
    some = workload("linear", size=32)
    template = template_for(some)
    nest = template.nest(some, template.default(some, ZEN3), ZEN3)
    assert (nest.extent("b"), nest.extent("t")) == (1, 32 * 32)
