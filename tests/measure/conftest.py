"""A small workload, and candidates written by hand."""
# "m" names an extent, not a type
# mypy: disable-error-code="name-defined"

from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import psutil
import pytest

from autotune import lang as at
from autotune.measure import Candidate
from autotune.schedule import Workload

MakeCandidate = Callable[..., Candidate]
# A module as code generation writes it, but for the kernel, which is plain Python dressed as a compiled function.
MODULE = """\
import ctypes, os, signal, time
from types import SimpleNamespace

import numpy as np
from numpy.lib.stride_tricks import as_strided

SCRATCH = 16
{before}


def compute({arguments}, scratch):
{body}


kernel = SimpleNamespace(
    overloads={{"signature": SimpleNamespace(entry_point=compute)}}, stats=SimpleNamespace(cache_hits=1)
)
"""


@pytest.fixture(scope="session")
def workload() -> Workload:
    """out[i, j] = scale · Σ_k a[i, k]·b[k, j] with unequal extents, none of them a power of two."""

    def scaled_matmul(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"], scale: at.Scalar) -> Any:
        i, k = at.axes(a)
        _, j = at.axes(b)
        return at.output[i, j](scale * at.sum(a[i, k] * b[k, j], over=k))

    return Workload.of(at.define(scaled_matmul), {"m": 17, "k": 9, "n": 5}, "float32", 1)


@pytest.fixture
def candidate(workload: Workload, tmp_path: Path) -> MakeCandidate:
    """Writes a candidate of a workload whose function has this body; `before` comes before the function."""

    def make(body: str, *, name: str = "candidate", before: str = "", of: Workload = workload) -> Candidate:
        path = tmp_path / f"{name}.py"
        kernel = of.kernel
        arguments = ", ".join(spec.name for spec in (*kernel.inputs, *kernel.outputs))
        path.write_text(MODULE.format(before=before, arguments=arguments, body=indent(body, "    ")))
        return Candidate(workload=of, config={"name": name}, path=path, source=f"digest of {name}")

    return make


@pytest.fixture(scope="session")
def gone() -> Callable[[int], bool]:
    """Whether a process has ended; waits some seconds for it."""

    def wait(pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            process.wait(timeout=10)
        except psutil.NoSuchProcess:
            return True
        except psutil.TimeoutExpired:
            return bool(process.status() == psutil.STATUS_ZOMBIE)
        return True

    return wait
