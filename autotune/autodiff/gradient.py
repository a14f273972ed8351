"""Gradient kernels: the vector-Jacobian products of a kernel, as kernels of the same language."""

from difflib import get_close_matches

from autotune.autodiff.reverse import leaf_cotangents
from autotune.autodiff.simplify import total
from autotune.errors import DefinitionError, DifferentiationError
from autotune.lang import FORWARD, Axis, Expr, Kernel, Output, Read, TensorSpec
from autotune.lang.axes import own_axes
from autotune.lang.graph import subexpressions
from autotune.lang.specs import Input
from autotune.lang.traverse import rename
from autotune.lang.validate import names_read, needed_extents

_STEP = "vjp:"


def gradient_inputs(kernel: Kernel) -> tuple[str, ...]:
    """Names of the inputs that a gradient can be taken by: the floating ones, which all are yet."""
    return tuple(spec.name for spec in kernel.inputs)


def derive(kernel: Kernel, direction: str) -> Kernel:
    """The kernel of `direction`, relative to `kernel`.

    "forward" gives `kernel` itself, "vjp:a" its gradient by a, "vjp:a/vjp:b" the gradient by b of its gradient by a.
    Raises DifferentiationError for other directions.
    """
    if direction == FORWARD:
        return kernel
    for step in direction.split("/"):
        if not step.startswith(_STEP):
            known = ", ".join([FORWARD, *(_STEP + name for name in gradient_inputs(kernel))])
            message = f"kernel {kernel.name} has no direction {direction!r}; it has {known}"
            raise DifferentiationError(message)
        kernel = vjp(kernel, step.removeprefix(_STEP))
    return kernel


def vjp(kernel: Kernel, wrt: str) -> Kernel:
    """The gradient of Σ out·out_bar by the input `wrt`: the vector-Jacobian product with the cotangent out_bar.

    Its inputs are those of `kernel` that it reads, in their order, and the cotangent (<output>_bar, of the output's
    shape) last; an input that is not read is there only where nothing else tells the size of a dimension. Its output
    is <wrt>_bar, of the shape of `wrt`. Forward intermediates are recomputed. Raises DifferentiationError when `wrt`
    is no input or is reached through a function without derivative.
    """
    source = _source(kernel, wrt)
    gradient_name = _bar(wrt, kernel, ())
    cotangent = TensorSpec(_bar(kernel.output.name, kernel, (gradient_name,)), kernel.output.extents)
    axes = own_axes(source.extents, _reserved(kernel))
    leaves = leaf_cotangents(kernel.output, Read(cotangent.name, kernel.output.axes), wrt)
    gradient = Output(gradient_name, axes, total(_over(leaf, bar, axes) for leaf, bar in leaves.items()))
    return Kernel(
        kernel.name,
        (*_inputs(kernel, source, cotangent, gradient), cotangent),
        (gradient,),
        direction=_STEP + wrt if kernel.direction == FORWARD else f"{kernel.direction}/{_STEP}{wrt}",
        doc=f"Gradient of {kernel.signature()} by {wrt}.",
    )


def _source(kernel: Kernel, wrt: str) -> Input:
    names = gradient_inputs(kernel)
    if wrt not in names:
        near = get_close_matches(wrt, names)
        hint = f"did you mean {' or '.join(near)}?" if near else f"its inputs are {', '.join(names)}"
        message = f"kernel {kernel.name} has no input {wrt!r} to differentiate by; {hint}"
        raise DifferentiationError(message)
    return kernel.input(wrt)


def _bar(name: str, kernel: Kernel, taken: tuple[str, ...]) -> str:
    """The name of the cotangent of `name`, which no input of `kernel` and none of `taken` has."""
    bar = f"{name}_bar"
    used = {spec.name for spec in kernel.inputs}
    if kernel.direction == FORWARD and bar in used:
        message = f"kernel {kernel.name}: input {bar} has the name of the cotangent of {name}; rename it"
        raise DefinitionError(message)
    while bar in used or bar in taken:  # a gradient of a gradient of a gradient meets cotangents of earlier ones
        bar = f"{bar}_bar"
    return bar


def _reserved(kernel: Kernel) -> dict[str, str]:
    """The names of the kernel's axes and extents, each with the extent that an axis of that name ranges over."""
    used = {axis.name: axis.extent for node in subexpressions(kernel.output.expr) for axis in node.axes}
    outer = {axis.name: axis.extent for axis in kernel.output.axes}
    return {extent: extent for extent in kernel.extent_names} | used | outer


def _over(leaf: Expr, cotangent: Expr, axes: tuple[Axis, ...]) -> Expr:
    """`cotangent`, which is a tensor over the axes of `leaf`, over `axes` instead."""
    return rename(cotangent, dict(zip(leaf.axes, axes, strict=True)))


def _inputs(kernel: Kernel, source: Input, cotangent: TensorSpec, gradient: Output) -> tuple[Input, ...]:
    """The inputs that are read, and such as are needed for their shape; `source` before others for its shape."""
    read = names_read([gradient])
    chosen = {spec.name: spec for spec in (*kernel.inputs, cotangent) if spec.name in read | {cotangent.name}}
    for spec in (source, *kernel.inputs):
        known = {extent for other in chosen.values() for extent in other.extents}
        if needed_extents([gradient]) & set(spec.extents) - known:
            chosen[spec.name] = spec
    return tuple(spec for spec in kernel.inputs if spec.name in chosen)
