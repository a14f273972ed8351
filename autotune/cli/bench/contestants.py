"""Who takes part: the tuned kernel, the same kernel untuned, and other libraries. Runs in the child."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from autotune.measure.timing import Call
from autotune.runtime import Origin, TunedKernel
from autotune.schedule import Workload
from autotune.settings import options

Array = NDArray[Any]
OURS, DEFAULT, ONE_THREAD, ALONE = "autotune", "default", "autotune, one thread", "torch, backward alone"
# The factors of each direction's product; T is for the transposed matrix.
FACTORS = {"forward": ("a", "b"), "vjp:a": ("out_bar", "bT"), "vjp:b": ("aT", "out_bar")}


def inputs_of(workload: Workload, seed: int = 0) -> dict[str, Array]:
    """Standard normal matrices by name."""
    rng = np.random.default_rng(seed)
    names = [spec.name for spec in workload.kernel.inputs]
    return {name: rng.standard_normal(workload.shapes[name]).astype(workload.dtype) for name in names}


def tuned(workload: Workload, inputs: Mapping[str, Any]) -> tuple[Call, Origin]:
    """The public call, and where its schedule comes from."""
    kernel = TunedKernel(workload.kernel)
    choice = kernel.plan(*inputs.values()).choice
    return partial(kernel, *inputs.values()), choice.origin if choice else Origin.DEFAULT


def untuned(workload: Workload, inputs: Mapping[str, Any]) -> Call:
    """The public call of somebody who has neither a database nor winners that ship with the package."""
    kernel = TunedKernel(workload.kernel)
    with mock.patch.dict(os.environ, AUTOTUNE_DB=str(Path(os.devnull) / "none"), AUTOTUNE_SHIPPED="0"):
        kernel.plan(*inputs.values())  # which the calls find
    return partial(kernel, *inputs.values())


def on_one_thread(workload: Workload, inputs: Mapping[str, Any]) -> Call:
    """The public call of the tuned kernel on one thread, beside that of a workload on several."""
    kernel = options(threads=1)(TunedKernel(workload.kernel))
    return partial(kernel, *inputs.values())


def with_numpy(workload: Workload, inputs: Mapping[str, Array]) -> Call:
    """NumPy's product; its wheels bring OpenBLAS."""
    left, right = _factors(workload, inputs, lambda matrix: np.swapaxes(matrix, -1, -2))
    return partial(np.matmul, left, right)


def with_torch(workload: Workload, inputs: Mapping[str, Array]) -> Call:
    """PyTorch's product, without recording gradients; its wheels for x86 bring MKL and oneDNN."""
    import torch

    torch.set_num_threads(workload.threads)
    torch.set_grad_enabled(False)
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    left, right = _factors(workload, tensors, lambda matrix: matrix.transpose(-1, -2))
    return partial(torch.mm if left.ndim == 2 else torch.bmm, left, right)


PEERS: dict[str, Callable[[Workload, Mapping[str, Array]], Call]] = {"numpy": with_numpy, "torch": with_torch}


def _factors(workload: Workload, named: Mapping[str, Any], transpose: Callable[[Any], Any]) -> list[Any]:
    words = FACTORS[workload.kernel.direction]
    return [transpose(named[word[:-1]]) if word.endswith("T") else named[word] for word in words]
