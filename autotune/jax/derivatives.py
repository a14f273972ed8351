"""Operations with rules of differentiation that JAX uses, in either mode. They take arrays and give tuples of them."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from autotune.jax.calls import call_of
from autotune.runtime.operation import Operation

Function = Callable[..., tuple[Any, ...]]


@cache
def reverse(operation: Operation) -> Function:
    """With a `custom_vjp`, whose backward is made of such functions."""
    function = jax.custom_vjp(call_of(operation))

    def primal(*inputs: Any) -> tuple[Any, Any]:
        values = [each.value for each in inputs]
        pairs = enumerate(zip(inputs, operation.differentiable, strict=True))
        needed = tuple(position for position, (each, known) in pairs if each.perturbed and known)
        # What is None is a matter of structure, which is known when the backward is traced; values are not.
        joint = operation.joint(needed)
        if joint is not None:
            one = jnp.ones((), values[needed[0]].dtype)
            result, *gradients = reverse(joint)(*values, one)
            found = dict(zip(needed, gradients, strict=True))
            return (result,), (None, tuple(map(found.get, range(len(values)))))
        read = {source for gradient in operation.gradients(needed) for source in gradient.sources}
        kept = tuple(value if position in read else None for position, value in enumerate(values))
        wanted = tuple(() if position in needed else None for position in range(len(values)))
        return function(*values), (kept, wanted)

    def backward(residuals: Any, cotangents: Sequence[Any]) -> tuple[Any, ...]:
        kept, wanted = residuals
        given = list(map(_cotangent, cotangents))
        if kept is None:  # `wanted` are the gradients of a number, at the cotangent 1
            return tuple(None if gradient is None else gradient * given[0] for gradient in wanted)
        known, gradients = [*kept, *given], [None] * len(wanted)
        needed = tuple(position for position, each in enumerate(wanted) if each is not None)
        for gradient in operation.gradients(needed):
            found = reverse(gradient.operation)(*(known[source] for source in gradient.sources))
            for position, value in zip(gradient.positions, found, strict=True):
                gradients[position] = value
        return tuple(gradients)

    function.defvjp(primal, backward, symbolic_zeros=True)
    made: Function = jax.jit(function)
    return made


@cache
def forward(operation: Operation) -> Function:
    """With a `custom_jvp`, whose tangents are computed by such a function."""
    function = jax.custom_jvp(call_of(operation))

    @function.defjvp
    def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        tangent = operation.tangent()
        moving = [each for each, known in zip(tangents, operation.differentiable, strict=True) if known]
        found = forward(tangent)(*primals, *moving)
        outputs = operation.definition.outputs
        dots = iter(found[len(outputs) :])
        # Not the values that stand beside the tangents: `jacfwd` has many tangents, and wants the values once.
        values = function(*primals)
        each = zip(outputs, values, strict=True)
        return values, tuple(
            np.zeros(value.shape, jax.dtypes.float0) if output.integer else next(dots) for output, value in each
        )

    made: Function = jax.jit(function)
    return made


def _cotangent(value: Any) -> Any:
    """Zeros that only stand for some as an array; of whole numbers nobody reads any."""
    if not isinstance(value, jax.custom_derivatives.SymbolicZero):
        return value
    return None if value.dtype == jax.dtypes.float0 else jnp.zeros(value.shape, value.dtype)
