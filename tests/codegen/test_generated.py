"""Generated code against the float64 reference: every kind of contraction, every direction, sampled configs."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from autotune.autodiff import derive, gradient_inputs
from autotune.codegen import generate, load, scratch_arguments, write
from autotune.lang import Kernel, ScalarSpec
from autotune.lang.reference import error_bound, evaluate
from autotune.machine import detect
from autotune.schedule import Config, Workload
from autotune.templates import template_for
from tests.kernels import KERNELS

MACHINE = detect()
WIDE = pytest.mark.skipif(MACHINE.vector_bytes < 64, reason="needs vectors of 64 bytes")
DIRECTIONS = [
    (name, direction)
    for name, kernel in KERNELS.items()
    for direction in ("forward", *(f"vjp:{wrt}" for wrt in gradient_inputs(kernel)))
]
SIZES = ((3, 5, 7, 4, 6), (1, 1, 1, 1, 1), (13, 33, 17, 9, 40), (70, 19, 64, 5, 130))


def arguments(kernel: Kernel, extents: dict[str, int], dtype: str, seed: int) -> dict[str, np.ndarray | float]:
    rng = np.random.default_rng(seed)
    return {
        spec.name: float(rng.standard_normal())
        if isinstance(spec, ScalarSpec)
        else rng.standard_normal(kernel.shape_of(spec.name, extents)).astype(dtype)
        for spec in kernel.inputs
    }


def sized(kernel: Kernel, sizes: tuple[int, ...]) -> dict[str, int]:
    return {name: sizes[position % len(sizes)] for position, name in enumerate(kernel.extent_names)}


def compute(compiled, kernel: Kernel, values: dict, extents: dict[str, int], dtype: str) -> np.ndarray:
    (output,) = kernel.outputs
    out = np.full(kernel.shape_of(output.name, extents), np.nan, dtype)
    compiled.call(*(values[spec.name] for spec in kernel.inputs), out, *scratch_arguments(compiled.scratch, dtype))
    return out


def check(kernel: Kernel, config: Config | None, dtype: str, threads: int, tmp_path: Path, seed: int) -> None:
    """One compiled schedule, tuned for the last size, is right at all of them."""
    workload = Workload.of(kernel, sized(kernel, SIZES[-1]), dtype, threads)
    template = template_for(workload)
    config = config or template.space(workload, MACHINE).sample(np.random.default_rng(seed), 1)[0]
    compiled = load(write(generate(workload, config, MACHINE), tmp_path))
    for sizes in SIZES:
        extents = sized(kernel, sizes)
        values = arguments(kernel, extents, dtype, seed)
        (expected,) = evaluate(kernel, values).values()
        error = np.abs(compute(compiled, kernel, values, extents, dtype) - expected)
        if dtype == "float64":
            assert error.max(initial=0) <= 1e-12 * np.abs(expected).max(initial=1e-300), (config, extents)
        else:
            (bound,) = error_bound(kernel, values, dtype).values()
            assert (error <= bound).all(), (config, extents)


@pytest.mark.parametrize("name", KERNELS)
def test_default_schedule_is_right(name: str, tmp_path: Path) -> None:
    """That of gradients, the tests of the library and of run time see to."""
    kernel = KERNELS[name]
    workload = Workload.of(kernel, sized(kernel, SIZES[-1]), "float64")
    check(kernel, template_for(workload).default(workload, MACHINE), "float64", 1, tmp_path, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "direction"), DIRECTIONS)
def test_sampled_config_is_right(name: str, direction: str, tmp_path: Path) -> None:
    """In one of the dtypes."""
    dtype = ("float32", "float64")[zlib.crc32(f"{name} {direction}".encode()) % 2]
    seed = zlib.crc32(f"{name} {direction} {dtype}".encode())
    check(derive(KERNELS[name], direction), None, dtype, 1, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_sampled_matmul_config_is_right(seed: int, tmp_path: Path) -> None:
    direction = ("forward", "vjp:a", "vjp:b")[seed % 3]
    check(derive(KERNELS["matmul"], direction), None, "float64", 1, tmp_path, seed)


@pytest.mark.parametrize(
    ("name", "grid"), [("matmul", "2x1"), ("matmul", "1x2"), ("batched", "batch"), ("linear", "2x1")]
)
def test_shared_among_threads(name: str, grid: str, tmp_path: Path) -> None:
    kernel = KERNELS[name]
    workload = Workload.of(kernel, sized(kernel, SIZES[-1]), "float64", 2)
    config = template_for(workload).default(workload, MACHINE) | {"parallel": grid}
    check(kernel, config, "float64", 2, tmp_path, 0)


@pytest.mark.parametrize(
    ("name", "dtype", "lanes"),
    [("matmul", "float32", 8), pytest.param("saturated", "float64", 8, marks=WIDE)],
)
def test_tiles_of_few_columns(name: str, dtype: str, lanes: int, tmp_path: Path) -> None:
    """What a row of one vector leaves over, read in place, in one block of the depth and in several."""
    kernel = KERNELS[name]
    workload = Workload.of(kernel, sized(kernel, SIZES[-1]), dtype, 1)
    template = template_for(workload)
    config = template.default(workload, MACHINE) | {"rows": 5, "vectors": 1, "lanes": lanes, "depth_block": 32}
    config |= {"pack_left": False, "pack_right": False, "column_block": 32}
    text = generate(workload, config, MACHINE)
    assert "columns <= 2" in text.text
    compiled = load(write(text, tmp_path))
    for columns in (1, 2, 3, 8, 9, 10, 11, 33):
        extents = sized(kernel, (7, 70, columns))
        values = arguments(kernel, extents, dtype, columns)
        (expected,) = evaluate(kernel, values).values()
        found = compute(compiled, kernel, values, extents, dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-4 if dtype == "float32" else 1e-11, atol=1e-4)
