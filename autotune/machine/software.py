"""Versions of everything that decides what a config turns into."""

import platform
from functools import cache
from importlib import metadata

from autotune.__about__ import __version__


def versions() -> dict[str, str]:
    """Versions of this package, Python, Numba, llvmlite and NumPy, read from their metadata without importing them."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    packages = tuple((name, metadata.version(name)) for name in ("numba", "llvmlite", "numpy"))
    return (("autotune", __version__), ("python", platform.python_version()), *packages)
