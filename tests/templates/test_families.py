"""The families of loops: which kernels each takes, the spaces that they offer, and the schedules that configs give."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

import autotune.lang as at
from autotune import TunedKernel, library
from autotune.autodiff import derive
from autotune.errors import ConfigError
from autotune.lang import Kernel, Tensor, define
from autotune.machine import Cache, Machine
from autotune.schedule import Config, Kind, Space, Workload
from autotune.templates import FAMILIES, LoopsTemplate, Template, template_for
from tests.constructs import CONSTRUCTS
from tests.kernels import KERNELS

AVX2 = Machine(
    cpu="AMD EPYC", architecture="x86_64", isa="avx2", llvm_cpu="znver3", cores=2,
    caches=(Cache(1, 32 << 10, 1), Cache(2, 512 << 10, 1), Cache(3, 32 << 20, 2)), vector_bytes=32, vector_registers=16,
)  # fmt: skip
AVX512 = replace(AVX2, isa="avx512", llvm_cpu="znver5", vector_bytes=64, vector_registers=32)
NEON = replace(AVX2, isa="neon", architecture="aarch64", llvm_cpu="neoverse-n1", vector_bytes=16, vector_registers=32)
MACHINES = (AVX2, AVX512, NEON)
DEFINED = CONSTRUCTS | KERNELS
LOOPS = LoopsTemplate()
# One of each family, with what distinguishes its space.
TYPICAL = {
    "scan": "running", "scatter": "scattered", "window": "correlated_2d", "rowwise": "softmax", "pointwise": "gated",
    "reduction": "column_sum",
}  # fmt: skip


def workload(name: str, size: int = 64, threads: int = 1, direction: str = "forward", **extents: int) -> Workload:
    kernel = derive(DEFINED[name], direction)
    free = {name: extents.get(name, size) for name in kernel.extent_names if name not in kernel.sizes}
    full = kernel.complete(free)
    return Workload.of(kernel, {name: full[name] for name in kernel.extent_names}, "float32", threads)


def every_config(space: Space, start: Config) -> Iterator[Config]:
    """For each value of each knob a config of the space that has it: the start, or as near to it as there is."""
    for knob in space.knobs:
        for value in knob.values:
            config = start | {knob.name: value}
            if not space.contains(config):  # several vectors at once or masked ones
                alone = {"copies": 1, "edges": "peel"} | ({"jam": 1} if "jam" in config else {})
                config |= {name: least for name, least in alone.items() if name != knob.name}
            space.check(config)
            yield config


# Which family takes which kernel


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("matmul", "contraction"),
        ("masked_product", "contraction"),  # most of the work is the product
        ("linear", "contraction"),
        ("matvec", "reduction"),  # reads each element of the matrix once
        ("column_sum", "reduction"),
        ("dot", "reduction"),
        ("multiplied", "reduction"),
        ("farthest", "reduction"),
        ("valid_rows", "reduction"),
        ("ranked", "reduction"),
        ("softmax", "rowwise"),
        ("triangle", "rowwise"),
        ("several", "rowwise"),
        ("correlated", "window"),
        ("correlated_2d", "window"),
        ("windows", "window"),
        ("upsampled_2d_2_1", "window"),
        ("pooled", "window"),
        ("gated", "pointwise"),
        ("outer", "pointwise"),
        ("shifted", "pointwise"),
        ("gathered", "pointwise"),
        ("interpolated", "pointwise"),
        ("running", "scan"),
        ("backwards", "scan"),
        ("coupled", "scan"),
        ("scattered", "scatter"),
        ("scattered_2d", "scatter"),
    ],
)
def test_the_stage_with_most_work_chooses_the_family(name: str, template: str) -> None:
    assert template_for(workload(name)).name == template


@pytest.mark.parametrize(
    ("name", "direction", "template"),
    [
        ("softmax", "vjp:x", "rowwise"),
        ("gathered", "vjp:table", "scatter"),
        ("running", "vjp:x", "scan"),
        ("outer", "vjp:x", "reduction"),
        ("gated", "vjp:beta", "reduction"),
        ("gated", "jvp", "pointwise"),
        ("matvec", "vjp:a", "pointwise"),
    ],
)
def test_a_gradient_has_the_family_of_its_own_loops(name: str, direction: str, template: str) -> None:
    assert template_for(workload(name, direction=direction)).name == template


@pytest.mark.parametrize(
    ("name", "sizes", "template"),
    [
        ("matmul", {"m": 256, "k": 256, "n": 256}, "contraction"),
        ("softmax", {"rows": 512, "cols": 512}, "rowwise"),
        ("layer_norm", {"rows": 512, "cols": 512}, "rowwise"),
        ("black_scholes", {"n": 4096}, "pointwise"),
        ("total_variation_step", {"h": 256, "w": 256}, "pointwise"),
        ("depthwise_conv2d", {"n": 2, "c": 8, "h": 64, "w": 64, "r": 3, "s": 3}, "window"),
        ("max_pool2d", {"n": 2, "c": 8, "h": 64, "w": 64}, "window"),
        ("nbody", {"n": 256, "xyz": 3}, "reduction"),
        ("pk_two_compartment", {"patients": 256, "steps": 100}, "scan"),
        ("embedding", {"v": 512, "d": 64, "t": 256}, "pointwise"),
    ],
)
def test_kernels_of_the_library(name: str, sizes: dict[str, int], template: str) -> None:
    kernel: TunedKernel = getattr(library, name)
    definition = kernel.definition
    full = definition.complete(sizes)
    some = Workload.of(definition, {extent: full[extent] for extent in definition.extent_names}, "float32")
    assert template_for(some).name == template


def test_names_decide_nothing() -> None:
    def matmul(gamma: Tensor["beta", "alpha"]):
        rows, k = at.axes(gamma)
        scaled = at.exp(gamma[rows, k] - at.stop_gradient(at.max(gamma[rows, k], over=k)))
        return at.output[rows, k](scaled / at.sum(scaled, over=k))

    other = define(matmul)
    assert template_for(Workload.of(other, {"beta": 64, "alpha": 64})).name == "rowwise"
    for name in ("matmul", "gated", "running"):
        renamed: Kernel = replace(KERNELS.get(name) or CONSTRUCTS[name], name="softmax")
        some = Workload.of(renamed, dict.fromkeys(renamed.extent_names, 64))
        assert template_for(some).name == template_for(workload(name)).name


@pytest.mark.parametrize("name", DEFINED)
@pytest.mark.parametrize("size", [1, 64])
def test_some_family_takes_every_kernel(name: str, size: int) -> None:
    template = template_for(workload(name, size))
    assert template.name in {family.name for family in FAMILIES} | {"contraction", "attention"}


# Spaces


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.isa)
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_the_default_is_in_the_space(name: str, machine: Machine) -> None:
    for size in (1, 7, 100):
        for threads in (1, 2):
            some = workload(name, size, threads)
            config = LOOPS.default(some, machine)
            LOOPS.space(some, machine).check(config)
            schedule = LOOPS.schedule(some, config, machine)
            nest = LOOPS.nest(some, config, machine)
            assert nest in [scheduled.nest for scheduled in schedule]


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_value_of_every_knob_can_be_had(name: str) -> None:
    some = workload(name, 100, 2)
    space, start = LOOPS.space(some, AVX512), LOOPS.default(some, AVX512)
    for config in every_config(space, start):
        assert LOOPS.schedule(some, config, AVX512)
        nest = LOOPS.nest(some, config, AVX512)
        assert nest.iterations(len(nest.loops)) >= 1


@pytest.mark.parametrize("family", TYPICAL)
def test_a_config_decides_the_plan_of_the_main_stage(family: str) -> None:
    some = workload(TYPICAL[family], 100, 2)
    template = template_for(some)
    assert template.name == family
    space, start = template.space(some, AVX512), template.default(some, AVX512)
    for config in every_config(space, start):
        nest = template.nest(some, config, AVX512)
        (main,) = [scheduled for scheduled in template.schedule(some, config, AVX512) if scheduled.nest == nest]
        plan, block = main.plan, main.block
        assert plan.vector is not None
        assert (plan.vector.name, plan.lanes, plan.copies) == (config["vector"], config["lanes"], config["copies"])
        assert (plan.stream, plan.masked) == (config["stream"], config["edges"] == "mask")
        assert (block.tasks if block else 1) == int(str(config["parallel"])[0])
        assert (block.size if block else 0) == config.get("block", 0)
        if "accumulate" in config:
            in_memory = config["accumulate"] == "memory" and plan.vector in main.stage.results[-1].axes
            assert (main.stage.loops[-1] == plan.vector and bool(getattr(main.stage, "inner", ()))) == in_memory


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        ("gated", "parallel vector lanes copies stream edges"),
        ("softmax", "parallel vector lanes copies stream edges block prefetch"),
        ("column_sum", "parallel vector lanes copies accumulate stream edges"),
        ("scattered_2d", "parallel"),  # runs element by element
    ],
)
def test_knobs_are_those_that_there_is_a_choice_for(name: str, knobs: str) -> None:
    assert " ".join(knob.name for knob in LOOPS.space(workload(name), AVX2).knobs) == knobs


def test_vectors_are_those_of_the_machine_or_half_as_long() -> None:
    def lanes(machine: Machine, dtype: str) -> object:
        some = Workload.of(KERNELS["gated"], {"m": 64, "k": 64}, dtype)
        assert LOOPS.default(some, machine)["lanes"] == max(2, machine.vector_bytes // (4 if dtype == "float32" else 8))
        return next(knob.values for knob in LOOPS.space(some, machine).knobs if knob.name == "lanes")

    assert [lanes(machine, "float32") for machine in MACHINES] == [(4, 8), (8, 16), (2, 4)]
    assert [lanes(machine, "float64") for machine in MACHINES] == [(2, 4), (4, 8), (2,)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lanes": 32}, "'lanes' cannot be 32"),
        ({"vector": "depth"}, "'vector' cannot be 'depth'"),
        ({"block": 3}, "'block' cannot be 3"),
        ({"parallel": "2x1"}, "'parallel' cannot be '2x1'"),
        ({"edges": "mask", "copies": 4}, "masked vectors come one at a time"),
        ({"rows": 8}, "unknown knob 'rows'"),
    ],
)
def test_a_config_outside_the_space_is_refused(wrong: Config, message: str) -> None:
    some = workload("softmax")
    template: Template = template_for(some)
    with pytest.raises(ConfigError, match=message):
        template.schedule(some, template.default(some, AVX2) | wrong, AVX2)


# Defaults and nests


def test_results_that_no_cache_holds_are_written_past_them() -> None:
    assert LOOPS.default(workload("gated", 100), AVX2)["stream"] is False
    assert LOOPS.default(workload("gated", 5000), AVX2)["stream"] is True


def test_rows_at_once_leave_registers_for_weights() -> None:
    """Two of 3 by 3 on 16 registers, four on 32."""
    extents = {"n": 2, "c": 8, "h": 64, "w": 64, "r": 3, "s": 3}
    some = Workload.of(library.depthwise_conv2d.specialized(padding=1).definition, extents, "float32")
    assert [LOOPS.default(some, machine)["jam"] for machine in MACHINES] == [2, 4, 4]
    few = Workload.of(library.depthwise_conv2d.specialized(padding=1).definition, extents | {"h": 2}, "float32")
    assert LOOPS.default(few, AVX2)["jam"] == 1


def test_what_comes_from_memory_is_asked_for_ahead() -> None:
    """Also where the last pass over it is a sum."""
    for kernel in (library.layer_norm.definition, library.logsumexp.definition):
        some = [Workload.of(kernel, {"rows": rows, "cols": 1024}, "float32") for rows in (64, 8192)]
        assert [LOOPS.default(each, AVX2)["prefetch"] for each in some] == [False, True]


def test_a_second_thread_is_woken_for_much_work_only() -> None:
    assert LOOPS.default(workload("gated", 10, 2), AVX2)["parallel"] == "1x1"
    assert LOOPS.default(workload("gated", 1000, 2), AVX2)["parallel"] == "2x1"


def test_blocks_fit_the_first_cache() -> None:
    """Of four stages, with rows of 4 and of 400 bytes, and of some larger than the cache."""
    assert LOOPS.default(workload("softmax", rows=1000, columns=1), AVX2)["block"] == 256
    assert LOOPS.default(workload("softmax", rows=1000, columns=100), AVX2)["block"] == 16
    assert LOOPS.default(workload("softmax", rows=1000, columns=100_000), AVX2)["block"] == 1


def test_blocks_fill_a_vector_of_what_runs_along_them() -> None:
    """The logarithm of one row has one lane of a vector. More rows where the second cache has room for them."""
    some = [Workload.of(library.cross_entropy.definition, {"b": 1000, "v": v}, "float32") for v in (1000, 100_000)]
    assert [LOOPS.default(each, AVX2)["block"] for each in some] == [8, 1]


def test_long_columns_are_summed_row_by_row() -> None:
    assert LOOPS.default(workload("column_sum", 1000), AVX2)["accumulate"] == "memory"
    assert LOOPS.default(workload("column_sum", 1000, m=4), AVX2)["accumulate"] == "registers"
    assert LOOPS.default(workload("matvec", 1000), AVX2)["accumulate"] == "registers"


def test_the_nest_shows_tasks_blocks_and_vectors() -> None:
    some = workload("softmax", 100, 2)
    config = LOOPS.default(some, AVX2) | {"parallel": "2x1", "block": 8, "vector": "columns", "lanes": 8, "copies": 2}
    nest = LOOPS.nest(some, config, AVX2)
    found = [(loop.name, loop.step, loop.kind, nest.trips(depth)) for depth, loop in enumerate(nest.loops)]
    assert found == [
        ("rows_task", 50, Kind.PARALLEL, 2),
        ("rows_block", 8, Kind.SERIAL, 7),
        ("rows", 1, Kind.SERIAL, 8),
        ("columns_copies", 16, Kind.SERIAL, 7),
        ("columns_vector", 8, Kind.UNROLL, 2),
        ("columns", 1, Kind.VECTOR, 8),
    ]


def test_the_nest_of_sums_in_memory_has_its_vectors_innermost() -> None:
    some = workload("column_sum", 100)
    config = LOOPS.default(some, AVX2) | {"vector": "n", "copies": 1}
    orders = {
        kept: [loop.axis for loop in LOOPS.nest(some, config | {"accumulate": kept}, AVX2).loops]
        for kept in ("registers", "memory")
    }
    assert orders["memory"][0] == "m"
    assert orders["memory"][-1] == "n"
