"""Generated modules on disk: written once, compiled once, loaded by any later process."""

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.codegen import generated
from autotune.codegen.source import Source
from autotune.codegen.start import defer_blas_check
from autotune.machine.lines import LINE_BYTES, to_next_line
from autotune.settings import cache_directory


@dataclass(frozen=True)
class Compiled:
    """A compiled kernel.

    `call(*inputs, *outputs, *scratch)` is the machine code's own entry point: it checks neither dtypes nor ranks nor
    shapes, which is its caller's task. It returns 0, or the number of the first argument (from 1) whose strides the
    schedule cannot walk; then nothing has been written and the caller copies that argument to C order. `scratch` is the
    number of elements of scratch it needs; where that is 0 it takes no such argument, see `scratch_arguments`.
    """

    call: Callable[..., int]
    scratch: int
    path: Path
    module: ModuleType
    compiled_in: float | None
    """Seconds the compiler took; None where the machine code came from the cache on disk."""


def write(source: Source, directory: Path | None = None) -> Path:
    """Write the module unless it is there already, and return its path.

    The file appears whole or not at all. An existing file is kept, because Numba recompiles a file whose time has
    changed.
    """
    directory = directory or cache_directory() / "kernels"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{source.name}.py"
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=directory, suffix=".tmp", delete=False, encoding="utf-8") as file:
            file.write(source.text)
        Path(file.name).replace(path)
    return path


def load(path: Path) -> Compiled:
    """Import a generated module, which compiles it or loads what Numba has on disk."""
    defer_blas_check()
    specification = importlib.util.spec_from_file_location(f"{generated.__name__}.{path.stem}", path)
    if specification is None or specification.loader is None:
        message = f"{path} is not a Python file"
        raise ImportError(message)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    start = time.perf_counter()
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[specification.name]
        raise
    compiled_in = None if module.kernel.stats.cache_hits else time.perf_counter() - start
    return Compiled(entry_point(module.kernel), module.SCRATCH, path, module, compiled_in)


def entry_point(dispatcher: Any) -> Callable[..., int]:
    """The compiled function behind a dispatcher with one signature.

    Calling it directly saves the dispatcher's type resolution, 0.2 to 0.4 µs a call (Zen 3).
    """
    (overload,) = dispatcher.overloads.values()
    call: Callable[..., int] = overload.entry_point
    return call


def scratch_arguments(count: int, dtype: str) -> tuple[NDArray[Any], ...]:
    """What a kernel with `count` elements of scratch takes after its outputs: an array, or nothing for 0."""
    return (allocate_scratch(count, dtype),) if count else ()


def allocate_scratch(count: int, dtype: str) -> NDArray[Any]:
    """An uninitialised one-dimensional array of `count` elements whose first is on a cache line."""
    itemsize = np.dtype(dtype).itemsize
    memory = np.empty(count * itemsize + LINE_BYTES, np.uint8)
    start = to_next_line(memory)
    return memory[start : start + count * itemsize].view(dtype)
