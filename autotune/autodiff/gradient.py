"""Derived kernels: the vector-Jacobian and Jacobian-vector products of a kernel, as kernels of the same language."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from autotune.autodiff.forward import Tangents, push_forward
from autotune.autodiff.residuals import check_residuals, found_in, reading, residual_outputs
from autotune.autodiff.reverse import Seed, element_cotangent, leaf_cotangents
from autotune.autodiff.simplify import ONE, ZERO, product
from autotune.errors import DefinitionError, DifferentiationError
from autotune.lang import (
    FORWARD,
    Axis,
    Expr,
    Kernel,
    Output,
    Parameter,
    Position,
    Read,
    ScalarSpec,
    TensorSpec,
    equal,
)
from autotune.lang.axes import fresh_name, own_axes
from autotune.lang.indexing import index_expr
from autotune.lang.shapes import unknown_extents
from autotune.lang.specs import Input
from autotune.lang.traverse import fresh_axis
from autotune.lang.validate import all_axes, names_read, needed_extents

_STEP = re.compile(r"(?P<mode>forward|vjp|jvp|joint|jacobian)(:(?P<wrt>\w+(\+\w+)*))?(\((?P<residuals>\w+(,\w+)*)\))?")


def gradient_inputs(kernel: Kernel) -> tuple[str, ...]:
    """Names of the inputs that a gradient can be taken by: the floating ones, unless there is nothing to derive."""
    if kernel.opaque:
        return ()
    return tuple(spec.name for spec in kernel.inputs if _floating(spec))


def directions(kernel: Kernel) -> tuple[str, ...]:
    """ "forward", "vjp:x" for each floating input x, and "jvp" where there is one."""
    names = gradient_inputs(kernel)
    return (FORWARD, *(f"vjp:{name}" for name in names), *(["jvp"] if names else []))


def derive(kernel: Kernel, direction: str) -> Kernel:
    """The kernel of `direction`, relative to `kernel`.

    "forward" gives `kernel` itself, "vjp:a" its gradient by a, "vjp:a(r3)" the same where it reads the residual r3
    instead of computing it again, "forward(r3)" the forward kernel that writes r3 as well, "jvp" the tangents of the
    outputs given those of all inputs, "jacobian:s" the derivatives by s, "vjp:a/vjp:b" the gradient by b of the
    gradient by a. Raises DifferentiationError for other directions.
    """
    if direction == FORWARD:
        return kernel
    for step in direction.split("/"):
        kernel = _step(kernel, step, direction)
    return kernel


def _step(kernel: Kernel, step: str, direction: str) -> Kernel:
    if kernel.opaque:
        message = (
            f"kernel {kernel.name} is defined by a function of arrays, which has no derivative to derive, "
            f"so it has no direction {direction!r}; define it in index notation to have gradients"
        )
        raise DifferentiationError(message)
    match = _STEP.fullmatch(step)
    mode, wrt, residuals = match.group("mode", "wrt", "residuals") if match else (None, None, None)
    names = tuple(residuals.split(",")) if residuals else ()
    by = wrt.split("+") if wrt else None
    match mode, wrt, names:
        case "vjp", _, _:
            return vjp(kernel, by, residuals=names)
        case "joint", _, ():
            return joint(kernel, by)
        case "forward", None, (_, *_):
            return with_residuals(kernel, names)
        case "jvp", None, ():
            return jvp(kernel)
        case "jacobian", str(), ():
            return jacobian(kernel, wrt)
        case _:
            known = ", ".join([*directions(kernel), *(f"jacobian:{name}" for name in gradient_inputs(kernel))])
            message = f"kernel {kernel.name} has no direction {direction!r}; it has {known}"
            raise DifferentiationError(message)


def vjp(kernel: Kernel, wrt: str | Sequence[str] | None = None, *, residuals: Sequence[str] = ()) -> Kernel:
    """The gradient of Σ out·out_bar by the input `wrt`: the vector-Jacobian product with the cotangents of the outputs.

    By several inputs, by all floating ones unless given, it is one kernel with as many outputs, whose common
    intermediates are computed once. Its inputs are those of `kernel` that it reads, in their order, then the
    `residuals`, forward intermediates that it reads instead of computing them again (`residual_candidates` lists them),
    then the cotangents (<output>_bar, of the output's shape) of floating outputs. An input that is not read is there
    only where nothing else tells the size of a dimension. Its outputs are <wrt>_bar, of the shape of `wrt`. Raises
    DifferentiationError when `wrt` is no floating input or is reached through a function without derivative.
    """
    names = _wrt(kernel, wrt)
    check_residuals(kernel, residuals)
    bars, gradients = _gradients(kernel, names, residuals)
    saved = residual_outputs(kernel, residuals)
    read = [TensorSpec(output.name, output.extents, output.integer) for output in saved]
    return Kernel(
        kernel.name,
        _inputs(kernel, [kernel.input(name) for name in names], (*read, *bars), gradients),
        gradients,
        direction=_direction(kernel, pullback_step(kernel, names) + (f"({','.join(residuals)})" if residuals else "")),
        doc=f"Gradient of {kernel.signature()} by {', '.join(names)}.",
        options=kernel.options,
    )


def joint(kernel: Kernel, wrt: str | Sequence[str] | None = None) -> Kernel:
    """The outputs and the gradients by the inputs `wrt`, all floating ones unless given, in one kernel.

    Its inputs are those of `kernel`, then the cotangents of floating outputs, as those of `vjp`; its outputs those of
    `kernel`, then <wrt>_bar of each. Raises as `vjp` does.
    """
    names = _wrt(kernel, wrt)
    bars, gradients = _gradients(kernel, names, taken=[output.name for output in kernel.outputs])
    return Kernel(
        kernel.name,
        (*kernel.inputs, *bars),
        (*kernel.outputs, *gradients),
        direction=_direction(kernel, joint_step(kernel, names)),
        doc=f"Values of {kernel.signature()} and their gradients by {', '.join(names)}.",
        options=kernel.options,
    )


def _gradients(
    kernel: Kernel, names: Sequence[str], residuals: Sequence[str] = (), *, taken: Sequence[str] = ()
) -> tuple[tuple[TensorSpec, ...], tuple[Output, ...]]:
    """The cotangents of the floating outputs, and the gradients that they give by the inputs of these `names`.

    None of the gradients is called as one of `taken`.
    """
    outputs = [output for output in kernel.outputs if not output.integer]
    called: dict[str, str] = {}
    for name in names:
        called[name] = _derived_name(name, "bar", kernel, (*taken, *called.values()))
    bars: list[TensorSpec] = []
    for output in outputs:
        bar = _derived_name(output.name, "bar", kernel, (*called.values(), *(spec.name for spec in bars)))
        bars.append(TensorSpec(bar, output.extents, groups=output.groups))
    preferred = frozenset(axis for output in outputs for axis in output.axes)
    reserved = _reserved(kernel)
    gradients = []
    for name in names:
        source = kernel.input(name)
        leaves = {
            leaf: reading(kernel, residuals, cotangent)
            for leaf, cotangent in _leaf_cotangents(kernel, name, [spec.name for spec in bars]).items()
        }
        axes = own_axes(source.extents, reserved)
        groups = source.groups if isinstance(source, TensorSpec) else ()
        gradients.append(Output(called[name], axes, element_cotangent(leaves, axes, preferred), groups=groups))
    return tuple(bars), tuple(gradients)


def residual_candidates(kernel: Kernel, wrt: str) -> dict[str, Expr]:
    """The intermediates of `kernel` that its gradient by `wrt` needs, by the names to ask for them.

    `vjp(kernel, wrt, residuals=names)` reads those instead of computing them again, `with_residuals` writes them.
    """
    _source(kernel, wrt)
    bars = [f"{output.name}_bar" for output in kernel.outputs if not output.integer]
    return found_in(kernel, tuple(_leaf_cotangents(kernel, wrt, bars).values()))


def with_residuals(kernel: Kernel, residuals: Sequence[str]) -> Kernel:
    """The kernel with some of its intermediates as further outputs, for gradients that read them."""
    check_residuals(kernel, residuals)
    written = {output.name for output in kernel.outputs}
    saved = residual_outputs(kernel, [name for name in residuals if name not in written])
    return Kernel(  # not `replace`: a subclass may say more of `kernel` than is true of this one
        kernel.name,
        kernel.inputs,
        (*kernel.outputs, *saved),
        direction=_direction(kernel, f"forward({','.join(residuals)})"),
        doc=kernel.doc,
        options=kernel.options,
    )


def jvp(kernel: Kernel) -> Kernel:
    """The outputs and, for tangents of all floating inputs, those of the outputs: the Jacobian-vector product.

    Its inputs are those of `kernel` that it reads, then the tangents <input>_dot; its outputs those of `kernel`, then
    the tangent <output>_dot of each floating one. Raises DifferentiationError where there is no floating input.
    """
    names = gradient_inputs(kernel)
    if not names:
        message = f"kernel {kernel.name} has no floating input to differentiate by"
        raise DifferentiationError(message)
    dots: dict[str, str] = {}
    for name in names:
        dots[name] = _derived_name(name, "dot", kernel, tuple(dots.values()))

    def leaf(node: Read | Parameter) -> Expr:
        match node:
            case Parameter(name):
                return Parameter(dots[name])
            case Read(tensor, indices, pad) if tensor in dots:
                return Read(dots[tensor], indices, None if pad is None else 0.0)
            case _:
                return ZERO

    found = push_forward([output.expr for output in kernel.outputs], leaf)
    tangents = tuple(replace(spec, name=dots[spec.name]) for spec in kernel.inputs if spec.name in dots)
    taken = tuple(spec.name for spec in (*kernel.inputs, *tangents, *kernel.outputs))
    outputs = _with_tangents(kernel, found, lambda output: fresh_name(f"{output.name}_dot", taken))
    return Kernel(
        kernel.name,
        (*kernel.inputs, *tangents),
        outputs,
        direction=_direction(kernel, "jvp"),
        doc=f"Values and tangents of {kernel.signature()}.",
        options=kernel.options,
    )


def jacobian(kernel: Kernel, wrt: str) -> Kernel:
    """The outputs and their derivatives by every element of the input `wrt`, in forward mode: for few of them.

    Its outputs are those of `kernel`, then <output>_by_<wrt> for each floating one, over its dimensions and those of
    `wrt`. Raises DifferentiationError when `wrt` is no floating input.
    """
    source = _source(kernel, wrt)
    names = {axis.name for axis in all_axes(kernel.outputs)} | set(kernel.extent_names)
    axes = tuple(fresh_axis(Axis(extent, extent), names) for extent in source.extents)

    def leaf(node: Read | Parameter) -> Expr:
        match node:
            case Parameter(name):
                return ONE if name == wrt else ZERO
            case Read(tensor, indices) if tensor == wrt:
                return product(
                    equal(index_expr(index), Position(axis)) for index, axis in zip(indices, axes, strict=True)
                )
            case _:
                return ZERO

    found = push_forward([output.expr for output in kernel.outputs], leaf)
    taken = tuple(spec.name for spec in (*kernel.inputs, *kernel.outputs))
    groups = source.groups if isinstance(source, TensorSpec) else ()
    outputs = _with_tangents(kernel, found, lambda output: fresh_name(f"{output.name}_by_{wrt}", taken), axes, groups)
    return Kernel(
        kernel.name,
        kernel.inputs,
        outputs,
        direction=_direction(kernel, f"jacobian:{wrt}"),
        doc=f"Values of {kernel.signature()} and their derivatives by {wrt}.",
        options=kernel.options,
    )


def _leaf_cotangents(kernel: Kernel, wrt: str, bars: Sequence[str]) -> dict[Expr, Expr]:
    """The cotangent of every read of `wrt`, given the names of those of the floating outputs."""
    outputs = [output for output in kernel.outputs if not output.integer]
    seeds = [
        Seed(output.expr, output.axes, Read(name, output.axes)) for output, name in zip(outputs, bars, strict=True)
    ]
    return leaf_cotangents(seeds, wrt)


def _floating(spec: Input) -> bool:
    return isinstance(spec, ScalarSpec) or not spec.integer


def pullback_step(kernel: Kernel, names: Sequence[str]) -> str:
    """The direction of the gradients by these inputs: "vjp:a", "vjp:a+b", and "vjp" where several are all."""
    return f"vjp:{'+'.join(names)}" if len(names) == 1 or tuple(names) != gradient_inputs(kernel) else "vjp"


def joint_step(kernel: Kernel, names: Sequence[str]) -> str:
    """The direction of the outputs and the gradients by these inputs: "joint:a+b", and "joint" where these are all."""
    return "joint" if tuple(names) == gradient_inputs(kernel) else f"joint:{'+'.join(names)}"


def _wrt(kernel: Kernel, wrt: str | Sequence[str] | None) -> tuple[str, ...]:
    """The inputs to differentiate by, in the kernel's order, each once."""
    chosen = gradient_inputs(kernel) if wrt is None else (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in chosen:
        _source(kernel, name)
    return tuple(spec.name for spec in kernel.inputs if spec.name in chosen)


def _source(kernel: Kernel, wrt: str) -> Input:
    names = gradient_inputs(kernel)
    if wrt in names:
        return kernel.input(wrt)
    if wrt in (spec.name for spec in kernel.inputs):
        message = (
            f"kernel {kernel.name}: input {wrt} holds whole numbers, which have no gradient; "
            f"differentiate by {' or '.join(names) or 'another kernel'}"
        )
        raise DifferentiationError(message)
    near = get_close_matches(wrt, names)
    hint = f"did you mean {' or '.join(near)}?" if near else f"its inputs are {', '.join(names)}"
    message = f"kernel {kernel.name} has no input {wrt!r} to differentiate by; {hint}"
    raise DifferentiationError(message)


def _direction(kernel: Kernel, step: str) -> str:
    return step if kernel.direction == FORWARD else f"{kernel.direction}/{step}"


def _derived_name(name: str, kind: str, kernel: Kernel, taken: Sequence[str]) -> str:
    """The name of the cotangent ("bar") or tangent ("dot") of `name`, which no input has and none of `taken` is."""
    derived = f"{name}_{kind}"
    used = {spec.name for spec in kernel.inputs}
    if kernel.direction == FORWARD and derived in used:
        what = "cotangent" if kind == "bar" else "tangent"
        message = f"kernel {kernel.name}: input {derived} has the name of the {what} of {name}; rename it"
        raise DefinitionError(message)
    while derived in used or derived in taken:  # a gradient of a gradient of a gradient meets those of earlier ones
        derived = f"{derived}_{kind}"
    return derived


def _reserved(kernel: Kernel) -> dict[str, str]:
    """The names of the kernel's axes and extents, each with the extent that an axis of that name ranges over."""
    used = {axis.name: axis.extent for axis in all_axes(kernel.outputs)}
    outer = {axis.name: axis.extent for output in kernel.outputs for axis in output.axes}
    return {extent: extent for extent in kernel.extent_names} | used | outer


def _with_tangents(
    kernel: Kernel,
    found: Tangents,
    name: Callable[[Output], str],
    axes: tuple[Axis, ...] = (),
    groups: tuple[int, ...] = (),
) -> tuple[Output, ...]:
    """The outputs of `kernel`, then the tangents of the floating ones, which have further `axes` in these `groups`."""
    values = tuple(replace(output, expr=expr) for output, expr in zip(kernel.outputs, found.values, strict=True))
    tangents = tuple(
        Output(name(output), (*output.axes, *axes), expr, groups=(*output.groups, *groups))
        for output, expr in zip(kernel.outputs, found.tangents, strict=True)
        if not output.integer
    )
    return (*values, *tangents)


def _inputs(
    kernel: Kernel, sources: Sequence[Input], further: Sequence[TensorSpec], gradients: Sequence[Output]
) -> tuple[Input, ...]:
    """The inputs that are read, and such as are needed for their shape; `sources` before others for their shapes."""
    chosen = {spec.name: spec for spec in kernel.inputs if spec.name in names_read(gradients)}
    for spec in (*sources, *kernel.inputs):
        given = (*chosen.values(), *further)
        unknown = unknown_extents(given)  # those that stand in products only
        known = {extent for other in given for extent in other.extents} - unknown
        if (needed_extents(gradients) | unknown) & set(spec.extents) - known:
            chosen[spec.name] = spec
    return (*(spec for spec in kernel.inputs if spec.name in chosen), *further)
