"""Code generation: from a schedule to readable Numba source, and from source to a compiled, cached function."""

from autotune.codegen.module import Compiled, allocate_scratch, load, scratch_arguments, write
from autotune.codegen.source import Source, generate, generator_version

__all__ = [
    "Compiled",
    "Source",
    "allocate_scratch",
    "generate",
    "generator_version",
    "load",
    "scratch_arguments",
    "write",
]
