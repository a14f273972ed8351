"""Grouped dimensions: what a caller has as one dimension and a kernel as the product of several extents.

A kernel computes on split arrays, of one dimension an extent. Splitting a dimension is a view of the same memory
whatever the strides are; merging is never needed, since results are made as the caller has them and split to be filled.
"""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

from autotune.lang import Kernel

Call = Callable[..., int]
Splitting = Callable[..., Call]

# Written out for the arguments of a kernel: a loop over them, or *arguments, would cost as much as a view does.
_TEXT = """
def splitting(call, {shapes}):
    def split_call({arguments}):
        return call({split})
    return split_call
"""


def grouped_arguments(kernel: Kernel) -> tuple[tuple[int, str], ...]:
    """Positions and names of the inputs and outputs that the caller has with merged dimensions."""
    specs = enumerate((*kernel.inputs, *kernel.outputs))
    return tuple((place, spec.name) for place, spec in specs if prod(spec.groups) != 1)


def splitting_of(kernel: Kernel, *, scratch: bool) -> Splitting | None:
    """A function of a call of split arrays, and their shapes in the order of `grouped_arguments`; None without any.

    It gives the call of merged arrays, which takes `scratch` after the outputs where there is some.
    """
    places = tuple(place for place, _ in grouped_arguments(kernel))
    return _written(places, len(kernel.inputs) + len(kernel.outputs) + scratch) if places else None


@lru_cache(maxsize=256)
def _written(places: tuple[int, ...], count: int) -> Splitting:
    arguments = [f"argument_{place}" for place in range(count)]
    split = [f"{name}.reshape(shape_{place})" if place in places else name for place, name in enumerate(arguments)]
    text = _TEXT.format(
        shapes=", ".join(f"shape_{place}" for place in places), arguments=", ".join(arguments), split=", ".join(split)
    )
    scope: dict[str, Any] = {}
    exec(compile(text, "<splitting>", "exec"), scope)
    made: Splitting = scope["splitting"]
    return made
