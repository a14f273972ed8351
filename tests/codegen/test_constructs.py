"""Code of every construct against the float64 reference, compiled; what it looks like, and what it checks."""

import re
from functools import cache
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

import autotune.lang as at
from autotune.codegen import Compiled, generate, load, scratch_arguments, write
from autotune.errors import ShapeError
from autotune.lang import Integers, Kernel, Tensor, define
from autotune.lang.reference import Results, error_bound, evaluate
from autotune.machine import detect
from autotune.measure.verification import guarded
from autotune.schedule import Workload
from autotune.schedule.structure import structural_extents
from autotune.templates import template_for
from tests.codegen.arguments import Arguments, arguments_of, assert_equal
from tests.codegen.emulation import emulate, plain_text
from tests.constructs import CONSTRUCTS

LARGER = (13, 17, 5, 11, 8)


def sized(kernel: Kernel, sizes: tuple[int, ...]) -> dict[str, int]:
    return {name: sizes[position % len(sizes)] for position, name in enumerate(kernel.extent_names)}


@cache
def compiled(name: str, dtype: str, directory: Path) -> Compiled:
    kernel = CONSTRUCTS[name]
    workload = Workload.of(kernel, sized(kernel, LARGER), dtype)
    template, machine = template_for(workload), detect()
    return load(write(generate(workload, template.default(workload, machine), machine), directory))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


def compute(module: Compiled, kernel: Kernel, values: Arguments, extents: dict[str, int], dtype: str) -> Results:
    """The results, between guards that nothing may write; inputs must be as they were."""
    outputs = [
        guarded(output.name, kernel.shape_of(output.name, extents), "int64" if output.integer else dtype)
        for output in kernel.outputs
    ]
    before = {name: value.copy() for name, value in values.items()}
    scratch = scratch_arguments(module.scratch, dtype)
    code = module.call(*(values[spec.name] for spec in kernel.inputs), *(out.array for out in outputs), *scratch)
    assert code == 0
    for output in outputs:
        output.check()
    assert all(np.array_equal(value, before[name], equal_nan=True) for name, value in values.items())
    return {output.name: output.array for output in outputs}


def check_compiled(name: str, dtype: str, directory: Path) -> None:
    kernel, module = CONSTRUCTS[name], compiled(name, dtype, directory)
    own = structural_extents(Workload.of(kernel, sized(kernel, LARGER), dtype))
    for sizes in (LARGER, (3, 2, 4), (1,), (0,), (2, 0), (0, 3)):
        extents = sized(kernel, sizes) | own  # of which the code has constants
        if 0 in sizes and hasattr(module.module, "tile_operations"):
            continue  # tiled stages are not called for nothing
        try:
            values = arguments_of(kernel, extents, dtype)
            expected = evaluate(kernel, values)
        except (ShapeError, IndexError):  # too small for the kernel
            continue
        got = compute(module, kernel, values, extents, dtype)
        if dtype == "float64":
            assert_equal(got, expected)
            continue
        bounds = error_bound(kernel, values, dtype)
        for output, right in expected.items():
            allowed = np.nan_to_num(np.maximum(bounds[output], np.finfo(dtype).tiny), nan=np.inf)
            same = (got[output] == right) | (np.isnan(got[output]) & np.isnan(right))
            assert (same | (np.abs(got[output] - right) <= allowed)).all(), (output, extents)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), list(zip(CONSTRUCTS, cycle(["float64", "float32"]), strict=False)))
def test_compiled_code_is_right(name: str, dtype: str, directory: Path) -> None:
    """In one of the dtypes, as the text is the same but for its constants; it is emulated in float64."""
    check_compiled(name, dtype, directory)


@pytest.mark.parametrize("name", [name for name in CONSTRUCTS if name.startswith("upsampled")])
def test_no_inner_loop_divides(name: str) -> None:
    """Of a gradient of a strided access: quotients are residue classes, ranges are bounds of loops."""
    kernel = CONSTRUCTS[name]
    text = plain_text(Workload.of(kernel, sized(kernel, (9, 8, 3, 5, 4, 3)), "float64"))
    body = text[text.index("pointer(") :]
    deepest = max(len(line) - len(line.lstrip()) for line in body.splitlines())
    inner = [line for line in body.splitlines() if len(line) - len(line.lstrip()) == deepest]
    assert inner
    assert not any(re.search(r"%|//| if ", line) for line in inner)
    assert name == "upsampled_2d_5_1" or "%" not in body  # where the classes of both axes would be 25 copies


def test_a_hole_is_written() -> None:
    """Of a stride above the window, most elements get no term."""
    kernel = CONSTRUCTS["upsampled_5_0_1"]
    extents = {"h": 9, "p": 2, "r": 2}
    code, got = emulate(kernel, arguments_of(kernel, extents), extents)
    assert code == 0
    assert np.flatnonzero(got["out"] == 0.0).tolist() == [2, 3, 4, 7, 8]


# Indices out of range


def looked_up(table: Tensor["v", "d"], idx: Integers["t"], place: Tensor["t"]):
    (t,), (_, d) = at.axes(idx), at.axes(table)
    row = at.let[at.axis("r", "v"), d](at.exp(table[at.axis("r", "v"), d]))
    return at.output[t, d](table[idx[t] + 1, d] + row[at.floor(place[t]), d])


LOOKED_UP = define(looked_up)
FITTING = {"table": np.arange(12.0).reshape(4, 3), "idx": np.array([2, 0]), "place": np.array([3.5, 0.0])}


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        ({"idx": np.array([0, 3])}, "index idx[t] + 1 into dimension 1 of table (extent v)"),
        ({"idx": np.array([-2, 0])}, "index idx[t] + 1 into dimension 1 of table (extent v)"),
        ({"idx": np.array([2**62, 0])}, "index idx[t] + 1 into dimension 1 of table (extent v)"),
        ({"place": np.array([0.0, 4.0])}, "index floor(place[t]) into"),
        ({"place": np.array([-0.5, 0.0])}, "index floor(place[t]) into"),
        ({"place": np.array([np.nan, 0.0])}, "index floor(place[t]) into"),
        ({"place": np.array([np.inf, 0.0])}, "index floor(place[t]) into"),
        ({"place": np.array([1e300, 0.0])}, "index floor(place[t]) into"),
    ],
)
def test_a_failed_check_is_named(wrong: Arguments, check: str) -> None:
    extents = {"v": 4, "d": 3, "t": 2}
    workload = Workload.of(LOOKED_UP, extents, "float64")
    code, _ = emulate(LOOKED_UP, FITTING | wrong, extents)
    checks = re.findall(r"^    '(.*)',$", plain_text(workload), flags=re.MULTILINE)
    assert code < 0
    assert checks[-code - 1].startswith(check)


def test_compiled_checks_touch_nothing_outside(tmp_path: Path) -> None:
    extents = {"v": 4, "d": 3, "t": 2}
    workload = Workload.of(LOOKED_UP, extents, "float64")
    template, machine = template_for(workload), detect()
    module = load(write(generate(workload, template.default(workload, machine), machine), tmp_path))
    assert len(module.module.CHECKS) == 2
    for wrong in ({}, {"idx": np.array([0, 10**12])}, {"place": np.array([0.0, np.nan])}):
        values, out = FITTING | wrong, guarded("out", (2, 3), "float64")
        code = module.call(*values.values(), out.array, *scratch_arguments(module.scratch, "float64"))
        assert (code < 0) == bool(wrong)
        out.check()


def test_a_strict_scatter_checks_and_another_leaves_out() -> None:
    extents = {"t": 3, "k": 2, "v": 2}
    values = {"idx": np.array([1, 5, 0]), "y": np.ones((3, 2)), "z": np.zeros(2)}
    strict, lax = CONSTRUCTS["scattered_strictly"], CONSTRUCTS["scattered"]
    assert emulate(strict, values, extents)[0] == -1
    code, got = emulate(lax, values, extents)
    assert code == 0
    assert got["out"] == pytest.approx(np.full((2, 2), np.e))


def test_arguments_of_any_strides_are_taken_or_refused(directory: Path) -> None:
    kernel = CONSTRUCTS["counted"]
    module = compiled("counted", "float64", directory)
    extents = sized(kernel, LARGER)
    n = extents["n"]
    values = arguments_of(kernel, extents)
    spread = {name: np.repeat(value, 2)[::2] for name, value in values.items()}
    room = [np.empty(n, np.int64 if output.integer else float) for output in kernel.outputs]
    refused = []
    while code := module.call(*spread.values(), *room, *scratch_arguments(module.scratch, "float64")):
        refused.append(list(spread)[code - 1])
        spread[refused[-1]] = values[refused[-1]].copy()
    assert len(set(refused)) == len(refused)
    assert_equal({output.name: got for output, got in zip(kernel.outputs, room, strict=True)}, evaluate(kernel, values))
    outputs = [np.empty(2 * n, np.int64 if output.integer else float) for output in kernel.outputs]
    outputs[1:] = [output[:n] for output in outputs[1:]]
    outputs[0] = outputs[0][::2]
    scratch = scratch_arguments(module.scratch, "float64")
    assert module.call(*values.values(), *outputs, *scratch) == len(kernel.inputs) + 1


@pytest.mark.parametrize("name", ["ranked", "windows", "triangle", "surviving"])
def test_numbers_that_are_not_finite_go_through_as_in_numpy(name: str, directory: Path) -> None:
    """NaN is the largest and the smallest, of equal ones the first is taken, infinities stay."""
    kernel, module = CONSTRUCTS[name], compiled(name, "float64", directory)
    extents = sized(kernel, (6, 5, 4))
    rng = np.random.default_rng(1)
    for special in ([np.nan], [np.inf, -np.inf], [0.0, -0.0, 1.0], [np.nan, np.inf, -np.inf, 2.0]):
        values = arguments_of(kernel, extents)
        for value in values.values():
            if value.dtype.kind == "f":
                some = rng.random(value.shape) < 0.4
                value[some] = rng.choice(special, some.sum())
        assert_equal(compute(module, kernel, values, extents, "float64"), evaluate(kernel, values))
