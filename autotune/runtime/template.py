"""A user's own template as a kernel."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from autotune.errors import ConfigError, DefinitionError
from autotune.lang import Kernel
from autotune.lang.by_function import computed_by
from autotune.lang.origin import Origin, text_digest
from autotune.lang.validate import naming
from autotune.runtime.kernel import TunedKernel
from autotune.schedule import Config, Knob
from autotune.schedule.space import Value
from autotune.templates import FunctionTemplate, TemplatedKernel


def template(
    reference: TunedKernel | Callable[..., Any],
    /,
    *,
    knobs: Mapping[str, Sequence[Value]] | Sequence[Knob],
    constraints: Mapping[str, Callable[..., Any]] | None = None,
    default: Config | Callable[..., Config] | None = None,
    inputs: Callable[..., Mapping[str, ArrayLike]] | None = None,
    terms: tuple[str, ...] | None = None,
) -> Callable[[Callable[..., Any]], TunedKernel]:
    """Decorator: a Numba function of your own with knobs, tuned, remembered and looked up like any other kernel.

    The decorated function takes the knobs by name, and `dtype` ("float32") and `threads` if it has such parameters. It
    returns a function compiled by `numba.njit` that takes the inputs and then the outputs, all of them arrays in C
    order or numbers, and fills the outputs for inputs of any shape.

    `reference` says what is computed: a kernel in index notation, whose gradients then come with it, or a function of
    float64 arrays that is annotated as a kernel is, its result too (`-> at.Tensor["rows"]`). Every candidate is checked
    against it, within a bound that knows how rounding goes through it. Of a function that is measured; `terms` then
    names the extents whose product is how many numbers a result adds up, if these are not just those it lacks.

    `knobs` maps names to values, in increasing order where they are numbers; `at.Knob` says more. `constraints` maps
    what must hold, in words, to a function of some of the knobs and extents. `default` is the config to run untuned, or
    a function of extents that gives it, else the first valid one. `inputs`, a function of a random generator and
    extents, makes the arguments to measure with, by name, where not any numbers will do.

    Raises DefinitionError for what does not fit together, and for a function that is not at the top level of a file:
    the processes that build and measure candidates import it from there.
    """

    def decorate(function: Callable[..., Any]) -> TunedKernel:
        name = function.__name__
        with naming(name):
            definition = _defined(reference, terms)
            origin, digest = Origin.of(function), text_digest(function)
        try:
            made = FunctionTemplate(
                name=name,
                function=function,
                knobs=_knobs(knobs),
                constraints=dict(constraints or {}),
                extents=definition.extent_names,
                preferred=default,
                draw=inputs,
                origin=origin,
                digest=digest,
            )
        except ConfigError as error:
            message = f"template {name}: {error}"
            raise DefinitionError(message) from error
        kernel = TemplatedKernel(
            name, definition.inputs, definition.outputs, doc=function.__doc__ or definition.doc,
            options=definition.options, template=made,
        )  # fmt: skip
        found = TunedKernel(kernel)
        found.__module__, found.__qualname__ = function.__module__, function.__qualname__
        return found

    return decorate


def _defined(reference: Any, terms: tuple[str, ...] | None) -> Kernel:
    """The kernel that a reference defines, under a name that nobody sees."""
    if isinstance(reference, TunedKernel):
        if terms is not None:
            message = "terms are for a reference that is a function of arrays; index notation says what is added up"
            raise DefinitionError(message)
        return reference.definition
    if not callable(reference):
        message = f"the reference must be a kernel or a function of arrays, not {reference!r}"
        raise DefinitionError(message)
    inputs, outputs = computed_by(reference, terms)
    return Kernel(reference.__name__, inputs, outputs, doc=reference.__doc__ or "")


def _knobs(given: Mapping[str, Sequence[Value]] | Sequence[Knob]) -> tuple[Knob, ...]:
    if not isinstance(given, Mapping):
        return tuple(given)
    return tuple(
        Knob(name, tuple(values), ordered=not any(isinstance(value, str) for value in values))
        for name, values in given.items()
    )
