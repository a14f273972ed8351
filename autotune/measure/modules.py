"""TEMPORARY until autotune.codegen has load."""

import importlib.util
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Compiled:
    """A compiled kernel."""

    call: Any
    scratch: int
    path: Path


def load(path: Path) -> Compiled:
    """The compiled kernel of a generated module; raises whatever its import raises."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Compiled(module.kernel, module.SCRATCH, path)


def allocate_scratch(count: int, dtype: str) -> Any:
    """Temporary."""
    import numpy as np

    return np.empty(count, dtype)


def build(path: Path) -> float:
    """Compile the module, which fills the cache on disk that others load it from; gives the seconds it took."""
    start = time.perf_counter()
    load(path)
    return time.perf_counter() - start
