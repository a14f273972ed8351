"""Grouped dimensions: what a caller has as one dimension and a kernel as the product of several extents.

A kernel computes on split arrays, of one dimension an extent. Splitting is a view of the same memory wherever strides
allow; merging is never needed, since results are made as the caller has them and split to be filled.
"""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from autotune.lang import Kernel

Call = Callable[..., int]
Splitting = Callable[..., Call]

# Written out for the arguments of a kernel: a loop over them costs as much as entering the machine code.
_TEXT = """
def splitting(call, {shapes}):
    def split_call({arguments}, *rest):
        {steps}
        return call({split}, *rest)
    return split_call
"""
_OUTPUT = """split_{place} = argument_{place}.reshape(shape_{place})
        if not argument_{place}.flags.c_contiguous and argument_{place}.size:
            if not share(split_{place}, argument_{place}):
                return {place} + 1"""


def grouped_arguments(kernel: Kernel) -> tuple[tuple[int, str], ...]:
    """Positions and names of the inputs and outputs that the caller has with merged dimensions."""
    specs = enumerate((*kernel.inputs, *kernel.outputs))
    return tuple((place, spec.name) for place, spec in specs if prod(spec.groups) != 1)


def splitting_of(kernel: Kernel) -> Splitting | None:
    """A function of a call of split arrays, and their shapes in the order of `grouped_arguments`; None without any.

    It gives the call of merged arrays. A result whose strides do not allow a view is refused, as strides are: its
    number (from 1) is returned.
    """
    places = tuple(place for place, _ in grouped_arguments(kernel))
    return _written(places, len(kernel.inputs)) if places else None


@lru_cache(maxsize=256)
def _written(places: tuple[int, ...], inputs: int) -> Splitting:
    outputs = [place for place in places if place >= inputs]
    split = [_split(place, inputs) if place in places else f"argument_{place}" for place in range(max(places) + 1)]
    text = _TEXT.format(
        shapes=", ".join(f"shape_{place}" for place in places),
        arguments=", ".join(f"argument_{place}" for place in range(max(places) + 1)),
        steps="\n        ".join(_OUTPUT.format(place=place) for place in outputs) or "pass",
        split=", ".join(split),
    )
    scope: dict[str, Any] = {"share": np.may_share_memory}
    exec(compile(text, "<splitting>", "exec"), scope)
    made: Splitting = scope["splitting"]
    return made


def _split(place: int, inputs: int) -> str:
    return f"split_{place}" if place >= inputs else f"argument_{place}.reshape(shape_{place})"
