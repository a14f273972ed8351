"""From the shapes of arguments to extents, and the errors on the way."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from autotune.errors import ShapeError
from autotune.lang.specs import Input

Shape: TypeAlias = tuple[int, ...]


def infer_extents(kernel: str, inputs: Sequence[Input], shapes: Mapping[str, Shape]) -> dict[str, int]:
    """The extent of every dimension from the shape of every input; scalars may be left out.

    Raises ShapeError when a tensor is missing or unknown, has the wrong rank, or disagrees with another one.
    """
    _check_names(kernel, inputs, shapes)
    found: dict[str, tuple[int, str]] = {}
    for spec in inputs:
        shape = shapes.get(spec.name, ())
        _check_rank(kernel, spec, shape)
        for dimension, (extent, size) in enumerate(zip(spec.extents, shape, strict=True), start=1):
            place = f"{spec} (dimension {dimension} of shape {shape})"
            known, earlier = found.setdefault(extent, (size, place))
            if known != size:
                message = f"kernel {kernel}: extent {extent} is {known} in {earlier} but {size} in {place}"
                raise ShapeError(message)
    return {extent: size for extent, (size, _) in found.items()}


def _check_names(kernel: str, inputs: Sequence[Input], shapes: Mapping[str, Shape]) -> None:
    missing = [spec.name for spec in inputs if spec.extents and spec.name not in shapes]
    unknown = [name for name in shapes if name not in {spec.name for spec in inputs}]
    if missing or unknown:
        wrong = [*(f"{name} is missing" for name in missing), *(f"{name} is not an input" for name in unknown)]
        message = f"kernel {kernel}: {'; '.join(wrong)}; the inputs are {', '.join(map(str, inputs))}"
        raise ShapeError(message)


def _check_rank(kernel: str, spec: Input, shape: Shape) -> None:
    if len(shape) != len(spec.extents):
        message = f"kernel {kernel}: {spec} has {len(spec.extents)} dimensions, not the {len(shape)} of shape {shape}"
        raise ShapeError(message)
