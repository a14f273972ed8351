"""Derivatives of kernels as functions of arrays, with JAX's names and order of arguments."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np

from autotune.autodiff import gradient_inputs
from autotune.errors import ShapeError
from autotune.lang import Kernel, ScalarSpec
from autotune.lang.specs import Input
from autotune.runtime.arguments import bound, converted, dtype_of
from autotune.runtime.family import Option
from autotune.runtime.kernel import TunedKernel
from autotune.runtime.operation import Operation
from autotune.runtime.plan import Array

Gradients: TypeAlias = tuple[Array | None, ...]


def vjp(function: TunedKernel, /, *arguments: Any, **options: Option) -> tuple[Any, Callable[[Any], Gradients]]:
    """The result and its pullback, as `jax.vjp`.

    The pullback takes the cotangent of the result, an array of its shape and dtype, or a tuple of one for each of
    several outputs; None stands for zeros, and what stands for an integer output is ignored. It returns one gradient an
    input, in order, and None for an integer input, where JAX has float0.

    Gradients that share work are computed by one kernel ("vjp"). A result that is one number is computed together with
    them ("joint"), and the first call of the pullback multiplies them by the cotangent; further calls compute anew.
    """
    operation = Operation(function.specialized(**options))
    definition = operation.definition
    given = bound(definition.name, [spec.name for spec in definition.inputs], arguments, {})
    names = gradient_inputs(definition)
    positions = tuple(position for position, spec in enumerate(definition.inputs) if spec.name in names)
    result, waiting = _forward(operation, positions, given)

    def pullback(cotangent: Any) -> Gradients:
        cotangents = _cotangents(definition, cotangent, result)
        gradients: dict[int, Array] = {}
        if scaled := _scaled(waiting, cotangents[0], result):
            gradients = dict(zip(positions, scaled, strict=True))
        else:
            known = (*given, *cotangents)
            for gradient in operation.gradients(positions):
                found = gradient.operation.compute(*(known[source] for source in gradient.sources))
                several = found if isinstance(found, tuple) else (found,)
                gradients |= zip(gradient.positions, several, strict=True)
        return tuple(map(gradients.get, range(len(given))))

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


def _forward(
    operation: Operation, positions: tuple[int, ...], given: Sequence[Any]
) -> tuple[Any, list[Sequence[Array]]]:
    """The result, and where it is computed along with its gradients, those at the cotangent 1, for the first caller."""
    joint = operation.joint(positions)
    if joint is None:
        return operation.compute(*given), []
    inputs = converted(operation.definition, given)
    one = np.ones((), dtype_of(operation.definition, inputs))
    result, *gradients = joint.compute(*inputs, one)
    return result, [gradients]


def _scaled(waiting: list[Sequence[Array]], cotangent: Any, result: Any) -> Sequence[Array]:
    """The gradients that wait, times the cotangent; nothing where none do, or it is no such number as the result."""
    if not waiting:
        return ()
    bar = np.asarray(cotangent)
    if bar.shape or bar.dtype != result.dtype:
        return ()
    try:
        gradients = waiting.pop()
    except IndexError:  # another thread was faster
        return ()
    if bar != 1:
        for array in gradients:
            np.multiply(array, bar, out=array)
    return gradients


def _cotangents(kernel: Kernel, cotangent: Any, result: Any) -> list[Any]:
    """The cotangent of each output, of which those of integer ones are ignored.

    Raises ShapeError where their number is wrong.
    """
    several = len(kernel.outputs) > 1
    if several and not (isinstance(cotangent, tuple | list) and len(cotangent) == len(kernel.outputs)):
        names = ", ".join(output.name for output in kernel.outputs)
        got = f"{len(cotangent)}" if isinstance(cotangent, tuple | list) else type(cotangent).__name__
        message = (
            f"{kernel.name}: the pullback takes {len(kernel.outputs)} cotangents as a tuple, of {names}, not {got}"
        )
        raise ShapeError(message)
    pairs = zip(cotangent if several else (cotangent,), result if several else (result,), strict=True)
    return [np.zeros_like(value) if bar is None else bar for bar, value in pairs]


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
