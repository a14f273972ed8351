"""Derivatives of kernels as functions of arrays, with JAX's names and order of arguments."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np

from autotune.autodiff import gradient_inputs
from autotune.errors import ShapeError
from autotune.lang import Kernel, ScalarSpec
from autotune.lang.specs import Input
from autotune.runtime.family import Option
from autotune.runtime.kernel import TunedKernel
from autotune.runtime.plan import Array

Gradients: TypeAlias = tuple[Array | None, ...]


def vjp(function: TunedKernel, /, *arguments: Any, **options: Option) -> tuple[Any, Callable[[Any], Gradients]]:
    """The result and its pullback, as `jax.vjp`.

    The pullback takes the cotangent of the result, an array of its shape and dtype, or a tuple of one for each of
    several outputs; None stands for zeros, and what stands for an integer output is ignored. It returns one gradient an
    input, in order, and None for an integer input, where JAX has float0.
    """
    kernel = function.specialized(**options)
    definition = kernel.definition
    result = kernel(*arguments)
    given = _by_name(definition.inputs, arguments)
    differentiable = gradient_inputs(definition)

    def pullback(cotangent: Any) -> Gradients:
        cotangents = _cotangents(definition, cotangent, result)
        return tuple(
            _gradient(kernel, spec.name, given, cotangents) if spec.name in differentiable else None
            for spec in definition.inputs
        )

    return result, pullback


def jvp(
    function: TunedKernel, primals: Sequence[Any], tangents: Sequence[Any], /, **options: Option
) -> tuple[Any, Any]:
    """The result and its derivative along `tangents`, as `jax.jvp`: Σ ∂result/∂input · tangent over the inputs.

    There is one tangent an input, of its shape and dtype; None stands for zeros, and what stands for an integer input
    is ignored. Both are tuples for several outputs; the derivative of an integer output is None.
    """
    kernel = function.specialized(**options)
    definition = kernel.definition
    for what, values in (("primals", primals), ("tangents", tangents)):
        if len(values) != len(definition.inputs):
            inputs = ", ".join(map(str, definition.inputs))
            message = f"{definition.name}: {len(values)} {what} for the {len(definition.inputs)} inputs {inputs}"
            raise ShapeError(message)
    given = _by_name(definition.inputs, primals)
    dispatch = kernel.dispatch("jvp")
    own = [spec.name for spec in dispatch.kernel.inputs if spec.name not in given]
    found = dispatch.results(
        given
        | {
            name: _zeros(spec, primal) if tangent is None else tangent
            for spec, primal, tangent in zip(definition.inputs, primals, tangents, strict=True)
            if (name := _derived(spec.name, "dot", own)) is not None
        }
    )
    outputs = [output.name for output in definition.outputs]
    own = [name for name in found if name not in outputs]
    derivatives = [found.get(_derived(name, "dot", own) or "") for name in outputs]
    return _one_or_all([found[name] for name in outputs]), _one_or_all(derivatives)


def jacobian(function: TunedKernel, /, *arguments: Any, wrt: str, **options: Option) -> Any:
    """The derivatives of the result by every element of the input called `wrt`, computed in forward mode.

    An array of the result's shape where `wrt` is a scalar, else of the result's shape followed by that of `wrt`, which
    should have few elements; a tuple for several outputs, with None for an integer one.
    """
    kernel = function.specialized(**options)
    definition = kernel.definition
    found = kernel.dispatch(f"jacobian:{wrt}").results(_by_name(definition.inputs, arguments))
    outputs = [output.name for output in definition.outputs]
    own = [name for name in found if name not in outputs]
    return _one_or_all([found.get(_derived(name, f"by_{wrt}", own) or "") for name in outputs])


def _gradient(kernel: TunedKernel, wrt: str, given: dict[str, Any], cotangents: dict[str, Any]) -> Array:
    dispatch = kernel.dispatch(f"vjp:{wrt}")
    own = [spec.name for spec in dispatch.kernel.inputs if spec.name not in given]
    bars = {_derived(name, "bar", own): cotangent for name, cotangent in cotangents.items()}
    (gradient,) = dispatch.results(given | {name: bar for name, bar in bars.items() if name is not None}).values()
    return gradient


def _cotangents(kernel: Kernel, cotangent: Any, result: Any) -> dict[str, Any]:
    """The cotangent of each floating output; raises ShapeError where their number is wrong."""
    several = len(kernel.outputs) > 1
    if several and not (isinstance(cotangent, tuple | list) and len(cotangent) == len(kernel.outputs)):
        names = ", ".join(output.name for output in kernel.outputs)
        got = f"{len(cotangent)}" if isinstance(cotangent, tuple | list) else type(cotangent).__name__
        message = (
            f"{kernel.name}: the pullback takes {len(kernel.outputs)} cotangents as a tuple, of {names}, not {got}"
        )
        raise ShapeError(message)
    each = zip(kernel.outputs, cotangent if several else (cotangent,), result if several else (result,), strict=True)
    return {
        output.name: np.zeros_like(value) if bar is None else bar for output, bar, value in each if not output.integer
    }


def _derived(name: str, kind: str, names: Collection[str]) -> str | None:
    """Of `names`, that of the cotangent or tangent of `name`: "a_bar", or "a_bar_bar" or "a_bar_2" if that is taken."""
    pattern = re.compile(rf"{name}(_{kind})+(_\d+)?")
    return min(filter(pattern.fullmatch, names), key=len, default=None)


def _zeros(spec: Input, primal: Any) -> Any:
    return 0.0 if isinstance(spec, ScalarSpec) else np.zeros_like(np.asarray(primal))


def _by_name(inputs: Sequence[Input], values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip([spec.name for spec in inputs], values, strict=True))


def _one_or_all(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)
