"""Kernels that a function of NumPy arrays defines, by its annotations on what it takes and on what it returns.

For example::

    def ranks(x: Tensor["rows", "cols"]) -> Integers["rows", "cols"]:
        return x.argsort(axis=1).argsort(axis=1)
"""

import inspect
import typing
from collections.abc import Callable
from typing import Any

from autotune.errors import DefinitionError
from autotune.lang.axes import own_axes
from autotune.lang.computed import Computed, Reference
from autotune.lang.define import TensorAnnotation, inputs_of
from autotune.lang.expressions import Expr, Parameter, Read
from autotune.lang.origin import text_digest
from autotune.lang.specs import Input, Output, TensorSpec


def computed_by(
    function: Callable[..., Any], terms: tuple[str, ...] | None = None
) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
    """Inputs and outputs of a kernel that `function` defines, from its annotations; see the module.

    Unless `terms` names extents, what a result adds up is taken to be what runs over the extents that no result has.
    Outputs are called out, or out_1, out_2, … Raises DefinitionError.
    """
    inputs = inputs_of(function)
    declared = _returned(function)
    results = tuple(own_axes(annotation.extents, {}) for annotation in declared)
    given = dict.fromkeys(extent for spec in inputs for extent in spec.extents)
    kept = {axis.extent for axes in results for axis in axes}
    for name in terms or ():
        if name not in given:
            message = f"terms names {name!r}, which is no extent of an input; they are {', '.join(given)}"
            raise DefinitionError(message)
    added = tuple(name for name in given if name not in kept) if terms is None else terms
    reference = Reference(function.__name__, function, text_digest(function), added)
    whole = tuple(annotation.integer for annotation in declared)
    first = Computed(reference, tuple(map(_operand, inputs)), results, whole)
    names = ["out"] if len(results) == 1 else [f"out_{number}" for number in range(1, len(results) + 1)]
    outputs = (
        Output(name, axes, first.result(which), whole[which], declared[which].groups)
        for which, (name, axes) in enumerate(zip(names, results, strict=True))
    )
    return inputs, tuple(outputs)


def _operand(spec: Input) -> Expr:
    if isinstance(spec, TensorSpec):
        return Read(spec.name, own_axes(spec.extents, {}), None, spec.integer)
    return Parameter(spec.name)


def _returned(function: Callable[..., Any]) -> tuple[TensorAnnotation, ...]:
    annotation = inspect.get_annotations(function, eval_str=True).get("return")
    several = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else (annotation,)
    found = tuple(each for each in several if isinstance(each, TensorAnnotation))
    if not found or len(found) != len(several):
        message = (
            f"the reference {function.__name__} must say what it returns: "
            f'-> Tensor["m", "n"] (the names of its extents), Integers[…], or tuple[…] of several'
        )
        raise DefinitionError(message)
    return found
