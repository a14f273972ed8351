"""Arguments of any kernel, and what must come out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.lang import Kernel, ScalarSpec
from autotune.lang.reference import Results

Array = NDArray[Any]
Arguments = dict[str, Array]


def arguments_of(kernel: Kernel, extents: Mapping[str, int], dtype: str = "float64", seed: int = 0) -> Arguments:
    """Normal numbers, scalars near 1, whole numbers that may be indices of the extents n and v."""
    rng = np.random.default_rng(seed)
    found: Arguments = {}
    for spec in kernel.inputs:
        shape = kernel.shape_of(spec.name, extents)
        if isinstance(spec, ScalarSpec):
            found[spec.name] = np.dtype(dtype).type(rng.uniform(0.5, 1.5))
        elif spec.integer:
            found[spec.name] = rng.integers(0, max(1, extents.get("v", extents.get("n", 1))), shape)
        else:
            found[spec.name] = np.asarray(rng.standard_normal(shape)).astype(dtype)
    return found


def assert_equal(got: Mapping[str, Array], expected: Results) -> None:
    """Whole numbers are the same, others to rounding of the largest; NaN and infinity stand in the same places."""
    for name, right in expected.items():
        found = got[name]
        assert found.shape == right.shape
        if right.dtype.kind == "i":
            assert (found == right).all(), name
            continue
        finite = np.isfinite(right)
        assert np.array_equal(found[~finite], right[~finite], equal_nan=True), name
        largest = np.abs(right[finite]).max(initial=0.0)
        assert (np.abs(found[finite] - right[finite]) <= 1e-12 * largest).all(), name
