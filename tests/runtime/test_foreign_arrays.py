"""Arrays of others as inputs and as `out`: DLPack, the array interface, read-only memory; without a copy."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import autotune as at
from autotune.errors import AutotuneError, DeviceError, DtypeError, ShapeError
from autotune.runtime.arguments import as_array
from tests.runtime.test_arguments import moments

pytestmark = pytest.mark.usefixtures("_interpreted")


class Dlpack:
    """An array that only DLPack says anything of."""

    def __init__(self, array: np.ndarray, device: int = 1) -> None:
        self.array, self.device_type = array, device

    def __dlpack__(self, **options: Any) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device_type, 0


class Interface:
    """An array that only NumPy's array interface says anything of."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


@at.kernel
def scaled(x: at.Tensor["n"], factor: at.Scalar):
    (i,) = at.axes(x)
    return at.output[i](factor * x[i])


def of_torch(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)


@pytest.mark.parametrize("kind", [Dlpack, Interface, of_torch])
def test_inputs_are_read_where_they_are(kind: Any) -> None:
    x = np.arange(10.0)[::2]
    given = kind(x)
    assert as_array(given, "x", "scaled").ctypes.data == x.ctypes.data
    np.testing.assert_array_equal(scaled(given, 2.0), 2 * x)
    np.testing.assert_array_equal(scaled(given, np.float32(2)), 2 * x)


def test_arrays_of_jax_and_read_only_ones() -> None:
    np.testing.assert_array_equal(scaled(jnp.arange(3, dtype="float32"), 2.0), [0, 2, 4])
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    np.testing.assert_array_equal(scaled(fixed, 2.0), [0, 2, 4])
    np.testing.assert_array_equal(scaled(np.broadcast_to(1.5, 3), 2.0), [3, 3, 3])


@pytest.mark.parametrize("kind", [Interface, of_torch])
def test_results_are_written_where_they_belong(kind: Any) -> None:
    memory = np.zeros(8)
    out = kind(memory[::2])
    assert scaled(np.arange(4.0), 2.0, out=out) is out
    np.testing.assert_array_equal(memory, [0, 0, 2, 0, 4, 0, 6, 0])
    largest = torch.zeros(2, dtype=torch.int64)
    mean = np.zeros(2)
    found = moments(np.arange(6.0).reshape(2, 3), out=(mean, largest))
    assert found[0] is mean
    assert found[1] is largest
    assert largest.tolist() == [2, 2]


def test_what_is_elsewhere_or_no_array_is_refused() -> None:
    x = np.arange(3.0)
    with pytest.raises(DeviceError, match=r"scaled: x is on .*run on the CPU"):
        scaled(Dlpack(x, device=2), 1.0)
    with pytest.raises(DtypeError, match=r"scaled: x .*cannot be read as an array"):
        scaled(torch.ones(3).to_sparse(), 1.0)
    with pytest.raises(ShapeError, match=r"scaled: out is read-only"):
        scaled(x, 1.0, out=jnp.zeros(3, "float64") if jnp.zeros(1).dtype == "float64" else np.broadcast_to(0.0, 3))
    with pytest.raises(ShapeError, match=r"scaled: out must be a float64 array of shape \(3,\), not list"):
        scaled(x, 1.0, out=[0.0, 0.0, 0.0])
    with pytest.raises(AutotuneError, match=r"scaled: out requires a gradient"):
        scaled(x, 1.0, out=torch.zeros(3, dtype=torch.float64, requires_grad=True))
