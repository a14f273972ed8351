"""What is written out for the shapes of one kernel says the same as its definition."""

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import autotune as at
from autotune import library
from autotune.errors import ShapeError
from autotune.lang import Kernel, ScalarSpec
from autotune.runtime.fast_path import key_of
from autotune.runtime.grouping import grouped_arguments
from autotune.runtime.new_shapes import write_sizes
from autotune.runtime.plan import results_of
from autotune.schedule import Workload
from autotune.schedule.structure import LARGEST_WINDOW, deciding_extents

KERNELS = [
    library.matmul, library.softmax, library.conv2d, library.conv2d.specialized(stride=2, padding=1, dilation=2),
    library.max_pool2d, library.attention,
]  # fmt: skip


@at.kernel
def shifted(x: at.Tensor["n"], y: at.Tensor["m"]):
    (j,) = at.axes(y)
    return at.output[j](x[2 * j + 1] + y[j])


@at.kernel
def halves(x: at.Tensor["n"]):
    i = at.axis("i", at.extent(at.axes(x)[0]) / 2)
    return at.output[i](x[i] - x[i + at.extent(i)])


CASES = [
    *((kernel, direction) for kernel in KERNELS for direction in ("forward", "vjp", "jvp")),
    *((kernel, "forward") for kernel in (shifted, halves)),
]


@pytest.mark.parametrize(("kernel", "direction"), CASES, ids=str)
def test_sizes_are_those_of_the_definition(kernel: at.TunedKernel, direction: str) -> None:
    first = next(each for each in kernel.directions if each.startswith(direction))
    definition = kernel.dispatch(first).kernel
    sizes, rng, known = write_sizes(definition), np.random.default_rng(0), 0
    assert sizes is not None
    for _ in range(200):
        inputs = _inputs(definition, rng)
        wanted, found = _wanted(definition, inputs), sizes(key_of(definition, inputs))
        assert found == wanted
        known += wanted is not None
    assert known > 5


def _inputs(kernel: Kernel, rng: np.random.Generator) -> list[Any]:
    """Arrays whose shapes fit together as often as not."""
    largest = int(rng.choice([3, 12, 24]))
    extents = {name: int(rng.integers(0 if rng.random() < 0.02 else 1, largest)) for name in kernel.extent_names}
    with suppress(ShapeError, KeyError):
        extents |= kernel.complete({name: size for name, size in extents.items() if name not in kernel.sizes})
    if rng.random() < 0.1:
        extents[rng.choice(list(extents))] += 1
    shapes = {spec.name: [extents[name] for name in spec.extents] for spec in kernel.inputs}
    merged = {
        spec.name: tuple(np.multiply.reduceat(shape, np.cumsum((0, *spec.groups[:-1])))) if shape else ()
        for spec, shape in zip(kernel.inputs, shapes.values(), strict=True)
    }
    return [1.0 if isinstance(spec, ScalarSpec) else np.empty(merged[spec.name]) for spec in kernel.inputs]


def _wanted(kernel: Kernel, inputs: list[Any]) -> tuple[Any, ...] | None:
    """The same by way of the definition."""
    try:
        extents = kernel.infer_extents(
            {spec.name: np.shape(value) for spec, value in zip(kernel.inputs, inputs, strict=True)}
        )
        workload = Workload.of(kernel, extents)
    except ShapeError:
        return None
    if 0 in workload.sizes.values():
        return None
    results = tuple(result.shape for result in results_of(workload))
    split = tuple(workload.shapes[name] for _, name in grouped_arguments(kernel))
    deciding = deciding_extents(kernel)
    kind = tuple(min(extents[name], LARGEST_WINDOW + 1) for name in kernel.extent_names if name in deciding)
    return (
        tuple(extents[name] for name in kernel.extent_names), tuple(workload.sizes.values()), kind,
        results[0] if len(results) == 1 else results, max(int(np.prod(shape)) for shape in results), split,
        tuple(value.shape for value in inputs if isinstance(value, np.ndarray)),
    )  # fmt: skip


def test_other_ranks_and_quotients_of_nothing_are_left_to_where_shapes_are_checked() -> None:
    sizes = write_sizes(library.conv2d.definition)
    assert sizes is not None
    with pytest.raises(ValueError, match="unpack"):
        sizes(((1, 2, 3), (1, 2, 3, 3)))
    assert sizes(((1, 2, 9, 9), (1, 0, 3, 3))) is None


def test_every_kernel_of_the_library_has_them() -> None:
    kernels = [getattr(library, name) for name in library.__all__]
    assert all(write_sizes(kernel.definition) is not None for kernel in kernels)
