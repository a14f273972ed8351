"""Extents from what a user gives: shapes of tensors as a call takes them, and extents by name."""

from collections.abc import Iterator, Mapping

from autotune.errors import ShapeError
from autotune.lang import Kernel, TensorSpec
from autotune.lang.shapes import Dimension, solve
from autotune.lang.specs import grouped


def extents_of(kernel: Kernel, given: Mapping[str, tuple[int, ...] | int]) -> dict[str, int]:
    """The extents of the inputs, and all that follow from them.

    Raises ShapeError for unknown, missing or unequal ones.
    """
    dimensions = [dimension for name, value in given.items() for dimension in _dimensions(kernel, name, value)]
    known = solve(kernel.name, dimensions)
    missing = [name for name in kernel.extent_names if name not in known]
    if missing:
        message = f"{kernel.name}: the extents {', '.join(missing)} are not given"
        raise ShapeError(message)
    return kernel.complete(known)


def _dimensions(kernel: Kernel, name: str, value: tuple[int, ...] | int) -> Iterator[Dimension]:
    """What one word of the user says: a shape as many dimensions as it has, an extent as one.

    A number is the shape of a tensor of one dimension too, where no extent has that name.
    """
    if isinstance(value, int) and (name in kernel.extent_names or name in kernel.sizes):
        yield Dimension((name,), value, f"{name}={value}")
        return
    spec = next((spec for spec in kernel.inputs if spec.name == name), None)
    shape = (value,) if isinstance(value, int) else value
    if isinstance(spec, TensorSpec) and (isinstance(value, tuple) or len(spec.groups) == 1):
        if len(shape) != len(spec.groups):
            message = f"{kernel.name}: {spec} has {len(spec.groups)} dimensions, not {value}"
            raise ShapeError(message)
        place = f"{name}={'x'.join(map(str, shape))}"
        for extents, size in zip(grouped(spec.extents, spec.groups), shape, strict=True):
            yield Dimension(extents, size, place)
    else:
        tensors = [str(spec) for spec in kernel.inputs if isinstance(spec, TensorSpec)]
        listing = ", ".join([*tensors, *kernel.extent_names])
        message = f"{kernel.name}: {name}={value!r} is neither a tensor's shape nor an extent; it has {listing}"
        raise ShapeError(message)
