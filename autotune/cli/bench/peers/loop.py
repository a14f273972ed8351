"""How every plain loop is compiled."""

from collections.abc import Callable
from typing import Any

import numba


def loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's own vectorizer and threads, and arithmetic as fast as it may be; the machine code is kept on disk."""
    compiled: Callable[..., Any] = numba.njit(parallel=True, fastmath=True, cache=True)(function)
    return compiled


def serial_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same on one thread, for what has no loop whose passes could run at the same time."""
    compiled: Callable[..., Any] = numba.njit(fastmath=True, cache=True)(function)
    return compiled
