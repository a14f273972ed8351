"""Members of an ensemble side by side: each on one thread, so that it is the same however many run at once."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(function: Callable[[T], R], each: Iterable[T]) -> list[R]:
    """What a function gives for each, in their order; for one that spends its time outside of the interpreter."""
    with ThreadPoolExecutor() as threads:
        return list(threads.map(function, each))
