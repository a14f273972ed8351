"""Loops over vectors against the float64 reference: every construct under any config, emulated and compiled."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import assume, currently_in_test_context, given, note, settings
from hypothesis import strategies as st

from autotune.autodiff import derive
from autotune.codegen import Compiled, load, scratch_arguments, write
from autotune.codegen.source import Source, module_text
from autotune.errors import IndexRangeError, ShapeError
from autotune.lang import Kernel
from autotune.lang.reference import Results, error_bound, evaluate
from autotune.library import avg_pool2d, depthwise_conv2d, max_pool2d
from autotune.machine import Cache, detect
from autotune.measure.verification import check_values, guarded
from autotune.schedule import Config, Workload
from autotune.schedule.structure import structural_extents
from autotune.templates import LoopsTemplate
from tests.codegen.arguments import Arguments, Array, arguments_of, assert_equal
from tests.codegen.emulation import run
from tests.constructs import CONSTRUCTS
from tests.kernels import KERNELS
from tests.lang.strategies import Case, cases

SMALL = replace(detect(), vector_bytes=32, caches=(Cache(1, 256, 1), Cache(2, 1024, 1)))
"""Vectors of two or four float64, so that several of them and a rest fit few elements; blocks do not fit its caches."""
SIZES = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 11])
SEEDS = st.integers(0, 2**32 - 1)
LOOPS = LoopsTemplate()

DERIVED = (
    ("softmax", "vjp:x"), ("gated", "vjp:beta"), ("multiplied", "vjp:a"), ("running", "vjp:x"), ("running", "jvp"),
    ("gathered", "vjp:table"), ("interpolated", "vjp:at_"), ("windows", "vjp:x"), ("windows", "jvp"),
    ("correlated_2d", "vjp:x"), ("correlated_2d", "vjp:f"), ("forces", "vjp:x"), ("forces", "vjp:eps"),
    ("surviving", "vjp:w"), ("costly_shift", "vjp:x"), ("triangle", "vjp:x"), ("softmax", "joint"), ("gated", "vjp"),
    ("multiplied", "joint"), ("running", "joint"), ("gathered", "joint"), ("correlated_2d", "joint"), ("forces", "vjp"),
)  # fmt: skip
EVERY: dict[str, Kernel] = {
    **CONSTRUCTS,
    **{
        name: KERNELS[name]
        for name in ("softmax", "column_sum", "gated", "multiplied", "hadamard", "outer", "weighted")
    },
    **{f"{name} {by}": derive((CONSTRUCTS | KERNELS)[name], by) for name, by in DERIVED},
    "largest_3_2": max_pool2d.specialized(size=3, stride=2, padding=1).definition,
    "means_3_1": avg_pool2d.specialized(size=3, stride=1, padding=1).definition,
}
"""Every construct, some products and rows, gradients that are more than these, and images."""


def sized(kernel: Kernel, sizes: Sequence[int], given: Mapping[str, int] = MappingProxyType({})) -> dict[str, int]:
    """The `given` sizes, and these in turn for the extents that follow from no others."""
    free = [name for name in kernel.extent_names if name not in kernel.sizes]
    own = {name: sizes[position % len(sizes)] for position, name in enumerate(free)}
    full = kernel.complete(own | {name: size for name, size in given.items() if name in own})
    return {name: full[name] for name in kernel.extent_names}


@st.composite
def extents_of(draw: st.DrawFn, kernel: Kernel) -> dict[str, int]:
    try:
        extents = sized(kernel, [draw(SIZES) for _ in kernel.extent_names])
    except ShapeError:
        assume(False)
    if any(spec.name == "idx" for spec in kernel.inputs):
        assume(extents.get("v", extents.get("n", 1)) > 0)  # what is indexed has elements
    return extents


def code_for(kernel: Kernel, extents: dict[str, int], seed: int) -> str:
    """Code that runs these extents: made for them, or for others but for the structural ones; of any config."""
    rng = np.random.default_rng(seed)
    threads, own = int(rng.integers(1, 3)), structural_extents(Workload.of(kernel, extents, "float64"))
    sizes = ((4,), (40, 30, 3), tuple(extents.values()))[rng.integers(3)]
    workload = Workload.of(kernel, sized(kernel, sizes, own), "float64", threads)
    if structural_extents(workload) != own:
        workload = Workload.of(kernel, extents, "float64", threads)
    (config,) = LOOPS.space(workload, SMALL).sample(rng, 1)
    if currently_in_test_context():
        note(f"code for {workload.describe()}: {config}")
    return module_text(workload, config, LOOPS.schedule(workload, config, SMALL))


def expected_of(kernel: Kernel, values: Arguments) -> Results | None:
    """None where an index is out of range."""
    try:
        return evaluate(kernel, values)
    except ShapeError:
        assume(False)
        raise
    except IndexRangeError:
        return None


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=10, deadline=None)
@given(data=st.data(), seed=SEEDS)
def test_any_config_is_right_for_any_shape(name: str, data: st.DataObject, seed: int) -> None:
    """Whatever shape it was chosen for; no lane that counts leaves its array."""
    kernel = EVERY[name]
    extents = data.draw(extents_of(kernel))
    values = arguments_of(kernel, extents)
    expected = expected_of(kernel, values)
    returned, got = run(code_for(kernel, extents, seed), Workload.of(kernel, extents, "float64"), values)
    if expected is None:
        assert returned < 0
    else:
        assert returned == 0
        assert_equal(got, expected)


@settings(max_examples=100, deadline=None)
@given(cases(), SEEDS)
def test_any_config_of_random_kernels_is_right(case: Case, seed: int) -> None:
    values = {name: np.asarray(value) for name, value in case.arguments.items()}
    expected = evaluate(case.kernel, values)["out"]
    returned, got = run(
        code_for(case.kernel, case.extents, seed), Workload.of(case.kernel, case.extents, "float64"), values
    )
    assert returned == 0
    with np.errstate(invalid="ignore"):
        close = np.abs(got["out"] - expected) <= 1e-9 * np.abs(expected).max(initial=1e-300)
    assert (close | (got["out"] == expected) | (np.isnan(got["out"]) & np.isnan(expected))).all()


@pytest.mark.parametrize(("name", "lanes"), [("running", 5), ("coupled", 3), ("backwards", 6), ("running vjp:x", 5)])
def test_recurrences_of_many_steps_are_right(name: str, lanes: int) -> None:
    """Around the ends of the blocks of steps that are transposed at once."""
    kernel = EVERY[name]
    for seed, steps in enumerate((63, 64, 65, 127, 128, 129)):
        extents = {"n": lanes, "t": steps}
        values = arguments_of(kernel, extents)
        returned, got = run(code_for(kernel, extents, seed), Workload.of(kernel, extents, "float64"), values)
        assert returned == 0
        assert_equal(got, evaluate(kernel, values))


@pytest.mark.parametrize("name", ["ranked", "windows", "triangle", "surviving", "softmax", "column_sum", "multiplied"])
@settings(max_examples=8, deadline=None)
@given(special=st.sampled_from([(np.nan,), (np.inf, -np.inf), (-np.inf,), (0.0, -0.0, 1.0)]), seed=SEEDS)
def test_numbers_that_are_not_finite_go_through_vectors(name: str, special: tuple[float, ...], seed: int) -> None:
    """Rows of NaN among them, and rows that are all -inf, as masked scores are."""
    kernel = EVERY[name]
    extents = sized(kernel, (6, 7, 5))
    rng, values = np.random.default_rng(seed), arguments_of(kernel, extents)
    for value in values.values():
        if value.dtype.kind == "f" and value.ndim:
            some = rng.random(value.shape) < 0.4
            value[some] = rng.choice(special, some.sum())
            value[0] = special[0]
    returned, got = run(code_for(kernel, extents, seed), Workload.of(kernel, extents, "float64"), values)
    assert returned == 0
    with np.errstate(all="ignore"):
        assert_equal(got, evaluate(kernel, values))


@pytest.mark.parametrize("lanes", [2, 4])
def test_what_holds_inside_is_not_taken_for_the_ends(lanes: int) -> None:
    """A value that is the same for all vectors but those that are padded."""
    kernel, extents = EVERY["faded"], {"h": 2, "k": 7}
    workload, values = Workload.of(kernel, extents, "float64"), arguments_of(kernel, extents)
    config = LOOPS.default(workload, SMALL) | {"vector": "k", "lanes": lanes, "copies": 1, "edges": "peel"}
    returned, got = run(module_text(workload, config, LOOPS.schedule(workload, config, SMALL)), workload, values)
    assert returned == 0
    assert_equal(got, evaluate(kernel, values))


def test_code_for_other_structural_extents_is_refused() -> None:
    """Before anything is written."""
    kernel = depthwise_conv2d.definition
    made = {"n": 1, "c": 2, "h": 9, "w": 8, "r": 3, "s": 3}
    workload = Workload.of(kernel, made, "float64")
    for name, size in structural_extents(workload).items():
        other = made | {name: size - 1}
        config = LOOPS.default(workload, SMALL)
        text = module_text(workload, config, LOOPS.schedule(workload, config, SMALL))
        returned, got = run(text, Workload.of(kernel, other, "float64"), arguments_of(kernel, other))
        assert returned < 0
        assert np.isnan(got["out"]).all()
    assert structural_extents(workload) == {"r": 3, "s": 3}


def test_only_the_ends_of_rows_are_masked() -> None:
    kernel = depthwise_conv2d.specialized(padding=1).definition
    workload = Workload.of(kernel, {"n": 1, "c": 2, "h": 9, "w": 40, "r": 3, "s": 3})
    config = LOOPS.default(workload, SMALL) | {"edges": "peel", "jam": 1}
    text = module_text(workload, config, LOOPS.schedule(workload, config, SMALL))
    inner, ends = text.split("if 1 <= q_vector <= q_outer:")[1].split("else:")[:2]
    assert (inner.count("load("), "load_" in inner) == (9, False)
    assert ends.count("load_between(") == 9


@pytest.mark.parametrize("options", [{"padding": 1}, {"padding": 2, "dilation": 2}, {"padding": 3, "stride": 2}, {}])
@pytest.mark.parametrize("seed", range(4))
def test_rows_at_once_are_right_for_any_number_of_rows(options: dict[str, int], seed: int) -> None:
    """Of which some are inside the image with all of their windows, or none."""
    kernel = depthwise_conv2d.specialized(**options).definition
    made = Workload.of(kernel, {"n": 1, "c": 2, "h": 20, "w": 19, "r": 3, "s": 3}, "float64")
    (config,) = LOOPS.space(made, SMALL).sample(np.random.default_rng(seed), 1)
    config = config | {"vector": "q", "edges": "peel", "copies": 1, "jam": (2, 4)[seed % 2]}
    text = module_text(made, config, LOOPS.schedule(made, config, SMALL))
    for h, w in ((5, 11), (6, 8), (9, 5), (10, 17), (17, 6)):
        extents = {"n": 2, "c": 2, "h": h, "w": w, "r": 3, "s": 3}
        values = arguments_of(kernel, extents)
        returned, got = run(text, Workload.of(kernel, extents, "float64"), values)
        assert returned == 0
        assert_equal(got, evaluate(kernel, values))


def test_rows_at_once_read_what_their_windows_share_once() -> None:
    """Without a test whether they are inside the image."""
    kernel = depthwise_conv2d.specialized(padding=1).definition
    workload = Workload.of(kernel, {"n": 1, "c": 2, "h": 20, "w": 40, "r": 3, "s": 3})
    config = LOOPS.default(workload, SMALL) | {"jam": 4}
    text = module_text(workload, config, LOOPS.schedule(workload, config, SMALL))
    inner = text.split("if 1 <= q_vector <= q_outer:")[1].split("else:")[0]
    assert (inner.count("load("), inner.count(" * w_"), "if" in inner) == (18, 36, False)


# Compiled


COMPILED = (
    "softmax", "softmax vjp:x", "gated", "column_sum", "outer", "multiplied", "gathered_around", "scattered", "ranked",
    "flipped", "every_second", "correlated_2d", "windows", "upsampled_2_1_1", "forces", "coupled", "running vjp:x",
    "surviving", "costly_shift", "triangle", "summed_rows", "summed_twice",
    "by_rows_or_columns", "largest_3_2",
)  # fmt: skip
"""Of every family, and of every way to reach memory."""
SPREAD = ("softmax", "gated", "column_sum", "coupled", "gathered_around", "scattered")
"""Of which inputs are laid out in several ways."""
TRIED = ((13, 17, 5, 11), (1, 1, 1, 1), (16, 33, 64, 8), (7, 130, 3, 2))


@cache
def compiled(name: str, dtype: str, threads: int, directory: Path) -> tuple[Compiled, Config]:
    """Code of some config, drawn by the name, for vectors of this machine."""
    kernel, machine = EVERY[name], detect()
    workload = Workload.of(kernel, sized(kernel, TRIED[0]), dtype, threads)
    seed = zlib.crc32(f"{name} {dtype} {threads}".encode())
    (config,) = LOOPS.space(workload, machine).sample(np.random.default_rng(seed), 1)
    if threads > 1:
        config = config | {"parallel": LOOPS.space(workload, machine).knobs[0].values[-1]}
    text = module_text(workload, config, LOOPS.schedule(workload, config, machine))
    stem = f"{''.join(filter(str.isalnum, name))}_{dtype}_{threads}"
    return load(write(Source(text, "", stem), directory)), config


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


def compute(module: Compiled, kernel: Kernel, values: Arguments, extents: dict[str, int], dtype: str) -> Results | None:
    """The results, between guards that nothing may write; None where an argument must be copied first."""
    shapes = {output.name: kernel.shape_of(output.name, extents) for output in kernel.outputs}
    outputs = [guarded(o.name, shapes[o.name], "int64" if o.integer else dtype) for o in kernel.outputs]
    before = {name: value.copy() for name, value in values.items()}
    scratch = scratch_arguments(module.scratch, dtype)
    code = module.call(*(values[spec.name] for spec in kernel.inputs), *(out.array for out in outputs), *scratch)
    for output in outputs:
        output.check()
    assert all(np.array_equal(values[name], before[name], equal_nan=True) for name in values)
    assert 0 <= code <= len(kernel.inputs)
    return None if code else {output.name: output.array for output in outputs}


def check_compiled(name: str, dtype: str, threads: int, directory: Path) -> None:
    kernel = EVERY[name]
    module, config = compiled(name, dtype, threads, directory)
    own = structural_extents(Workload.of(kernel, sized(kernel, TRIED[0]), dtype))
    for sizes in TRIED:
        extents = sized(kernel, sizes, own)
        if structural_extents(Workload.of(kernel, extents, dtype)) != own:
            continue
        values = arguments_of(kernel, extents, dtype)
        got, expected = compute(module, kernel, values, extents, dtype), evaluate(kernel, values)
        assert got is not None, config
        if dtype == "float64":
            assert_equal(got, expected)
            continue
        bounds = error_bound(kernel, values, dtype)
        for output, right in expected.items():
            check_values(got[output], right, np.asarray(bounds[output]), f"{output} {config}")


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_vectors_are_right(name: str, directory: Path) -> None:
    """In float64 where the code is also that of another test."""
    check_compiled(name, "float64" if name in SPREAD else "float32", 1, directory)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "softmax",
        "gated",
        "gated vjp:beta",
        "column_sum",
        "summed_rows",
        "summed_twice",
        "scattered",
        "correlated_2d",
        "coupled",
    ],
)
def test_compiled_slices_of_two_threads_are_right(name: str, directory: Path) -> None:
    """One of each family."""
    check_compiled(name, "float32", 2, directory)


@pytest.mark.parametrize("name", SPREAD)
def test_inputs_may_lie_in_memory_in_any_way(name: str, directory: Path) -> None:
    """Spread out, turned round, between two lines of the cache; what cannot be walked is refused, nothing else."""
    kernel = EVERY[name]
    module, config = compiled(name, "float64", 1, directory)
    extents = sized(kernel, TRIED[0])
    values = arguments_of(kernel, extents)
    expected, taken = evaluate(kernel, values), 0
    for laid_out in (_rows_apart, _rows_turned, _unaligned, _columns_apart, _columns_turned):
        given = {key: laid_out(value) if value.ndim else value for key, value in values.items()}
        assert all(np.array_equal(given[key], value) for key, value in values.items())
        got = compute(module, kernel, given, extents, "float64")
        if got is not None:
            assert_equal(got, expected)
            taken += 1
        else:  # only where elements of a row are not neighbours
            assert laid_out in (_columns_apart, _columns_turned) or any(v.ndim == 1 for v in values.values()), config
    assert taken


def _rows_apart(value: Array) -> Array:
    return np.repeat(value, 3, axis=0)[::3]


def _rows_turned(value: Array) -> Array:
    return np.ascontiguousarray(value[::-1])[::-1]


def _unaligned(value: Array) -> Array:
    """The first element 8 bytes after a line of the cache."""
    memory = np.empty(value.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + 8
    found: Array = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    found[...] = value
    return found


def _columns_apart(value: Array) -> Array:
    return np.repeat(value, 2, axis=-1)[..., ::2]


def _columns_turned(value: Array) -> Array:
    return np.ascontiguousarray(value[..., ::-1])[..., ::-1]
