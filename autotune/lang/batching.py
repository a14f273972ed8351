"""One more axis: a kernel for each index of a batch, as one kernel of the same language."""

from collections.abc import Collection
from dataclasses import replace

from autotune.errors import DefinitionError
from autotune.lang.axes import Axis, fresh_name
from autotune.lang.constructs import Carry, Scan, recurrence
from autotune.lang.expressions import Expr, Parameter, Read
from autotune.lang.graph import subexpressions
from autotune.lang.kernel import Kernel
from autotune.lang.specs import Input, ScalarSpec, TensorSpec
from autotune.lang.traverse import replace_carried
from autotune.lang.validate import all_axes


def batched(kernel: Kernel, mapped: Collection[str]) -> Kernel:
    """`kernel` for each index of a new leading dimension of the inputs `mapped` and of every output.

    A mapped scalar becomes a tensor of rank 1. What does not depend on a mapped input is computed once. Raises
    DefinitionError where no input is mapped, or one that the kernel does not have, or where it is defined by a function
    of arrays.
    """
    if kernel.opaque:
        message = f"kernel {kernel.name} is defined by a function of arrays, which has no axes to add one to"
        raise DefinitionError(message)
    for name in mapped:
        kernel.input(name)
    if not mapped:
        message = f"kernel {kernel.name}: no input is batched, so there is nothing to do for each index of a batch"
        raise DefinitionError(message)
    axis = _axis(kernel)
    outputs = tuple(
        replace(
            output, axes=(axis, *output.axes), expr=_with_axis(output.expr, axis, mapped), groups=(1, *output.groups)
        )
        for output in kernel.outputs
    )
    return Kernel(
        f"batched_{kernel.name}",
        tuple(_input(spec, axis) if spec.name in mapped else spec for spec in kernel.inputs),
        outputs,
        direction=kernel.direction,
        doc=f"{kernel.signature()}, for each index of a batch of {', '.join(mapped)}.",
        options=kernel.options,
    )


def _axis(kernel: Kernel) -> Axis:
    taken = {axis.name for axis in all_axes(kernel.outputs)} | {spec.name for spec in kernel.inputs}
    nodes = subexpressions([output.expr for output in kernel.outputs])
    taken |= {*kernel.extent_names, *kernel.sizes, *(node.name for node in nodes if isinstance(node, Carry))}
    name = fresh_name("batch", taken)
    return Axis(name, name)


def _input(spec: Input, axis: Axis) -> TensorSpec:
    if isinstance(spec, ScalarSpec):
        return TensorSpec(spec.name, (axis.extent,))
    return TensorSpec(spec.name, (axis.extent, *spec.extents), spec.integer, (1, *spec.groups))


def _with_axis(root: Expr, axis: Axis, mapped: Collection[str]) -> Expr:
    done: dict[Expr, Expr] = {}
    for node in subexpressions(root):
        children = [done[child] for child in node.children]
        match node:
            case Parameter(name) if name in mapped:
                done[node] = Read(name, (axis,))
            case Read() if node.tensor in mapped:
                read = node.rebuild(children)
                done[node] = Read(node.tensor, (axis, *read.indices), node.pad, node.integer)
            case Scan() if children != list(node.children):
                done[node] = _scan(node, children)
            case _:
                done[node] = node if children == list(node.children) else node.rebuild(children)
    return done[root]


def _scan(scan: Scan, children: list[Expr]) -> Expr:
    """The recurrence of other starts and steps, whose carried values have their lanes."""
    starts, steps = children[: len(scan.starts)], children[len(scan.starts) :]

    def build(carries: tuple[Carry, ...]) -> list[Expr]:
        values: dict[Expr, Expr] = dict(zip(scan.carries, carries, strict=True))
        return [replace_carried(step, values) for step in steps]

    names = [carry.name for carry in scan.carries]
    made = recurrence(scan.axis, names, starts, build, lanes=scan.lanes, reverse=scan.reverse)
    return made.result(scan.which)
