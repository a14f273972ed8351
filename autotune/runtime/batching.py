"""Batches: a kernel for each index of a leading axis, as one kernel."""

from collections.abc import Sequence

from autotune.errors import DefinitionError
from autotune.lang.batching import batched
from autotune.runtime.kernel import TunedKernel


def vmap(kernel: TunedKernel, /, in_axes: int | Sequence[int | None] | None = 0) -> TunedKernel:
    """`kernel` for each index of a batch, as `jax.vmap`: inputs with `in_axes` 0 have one more dimension in front.

    `in_axes` is one for all inputs or one for each, None for an input that is the same for the whole batch. Every
    output has the dimension of the batch in front; a scalar with the axis 0 is an array of rank 1. The result is a
    kernel with its own definition, so it is tuned, differentiated and mapped again like any other, and the gradient by
    an input that is shared is summed over the batch. Raises DefinitionError for other axes, and for a kernel that is
    defined by a function of arrays.
    """
    inputs = kernel.definition.inputs
    axes = tuple(in_axes) if isinstance(in_axes, Sequence) else (in_axes,) * len(inputs)
    name = kernel.definition.name
    if len(axes) != len(inputs):
        listed = ", ".join(map(str, inputs))
        message = (
            f"kernel {name}: in_axes has {len(axes)} axes for the {len(inputs)} inputs {listed}; give one for each"
        )
        raise DefinitionError(message)
    for spec, axis in zip(inputs, axes, strict=True):
        if axis not in (0, None):
            message = (
                f"kernel {name}: in_axes of {spec} is {axis!r}; a batch is axis 0, or None; np.moveaxis brings it there"
            )
            raise DefinitionError(message)
    return TunedKernel(
        batched(kernel.definition, [spec.name for spec, axis in zip(inputs, axes, strict=True) if axis == 0])
    )
