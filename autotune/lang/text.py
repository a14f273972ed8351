"""The canonical text of a kernel: readable, and equal exactly for equal definitions."""

from collections.abc import Sequence

from autotune.lang.axes import Axis, fresh_name, indexed
from autotune.lang.constructs import Scan
from autotune.lang.expressions import Expr, Read, render
from autotune.lang.graph import subexpressions
from autotune.lang.specs import Input, Output, TensorSpec
from autotune.lang.traverse import shared
from autotune.lang.validate import all_axes, bound_axes, sizes_of


def signature(name: str, inputs: Sequence[Input], outputs: Sequence[Output]) -> str:
    """For example "matmul(a[m, k], b[k, n]) -> out[m, n]"."""
    return f"{name}({', '.join(map(str, inputs))}) -> {', '.join(map(str, outputs))}"


def definition(inputs: Sequence[Input], outputs: Sequence[Output]) -> tuple[str, ...]:
    """One equation a line, those of the outputs last: "out[i, j] = sum[k](a[i, k] * b[k, j])".

    A subexpression that stands in several places comes first under a name of its own (t1, t2, …), which keeps the
    text of a derived kernel as long as the work it describes.
    """
    names: dict[Expr, str] = {}
    lines: list[str] = []
    taken = {*(output.name for output in outputs), *(spec.name for spec in inputs)}
    for node in shared([output.expr for output in outputs]):
        name = fresh_name(f"t{len(names) + 1}", taken)
        lines.append(f"{indexed(name, node.axes)} = {render(node, names)}")
        names[node] = name
    results = [f"{output.written} = {render(output.expr, names)}" for output in outputs]
    return (*lines, *results)


def canonical(inputs: Sequence[Input], outputs: Sequence[Output]) -> str:
    """All that the meaning of a kernel rests on: kinds and extents of the inputs, axes of the outputs, equations."""
    kinds = [f"{_kind(spec)} {spec}" for spec in inputs]
    results = [f"{'integer output' if output.integer else 'output'} {output}" for output in outputs]
    sizes = [f"extent {name} = {size}" for name, size in sizes_of(outputs).items()]
    return "\n".join([*kinds, *results, *sizes, *_ranges(inputs, outputs), *definition(inputs, outputs)])


def _ranges(inputs: Sequence[Input], outputs: Sequence[Output]) -> tuple[str, ...]:
    """The extents of all bound axes in the order of the nodes that bind them, unless every one of them is evident.

    It is where an axis is called like its extent, or is an index of a dimension that has it, and no other axis has its
    name.
    """
    nodes = subexpressions([output.expr for output in outputs])
    extents = {spec.name: spec.extents for spec in inputs}
    evident = {axis for output in outputs for axis in output.axes}
    for node in nodes:
        if isinstance(node, Read) and node.pad is None:
            pairs = zip(node.indices, extents[node.tensor], strict=True)
            evident |= {index for index, extent in pairs if isinstance(index, Axis) and index.extent == extent}
    axes = all_axes(outputs)
    if all(axis in evident or axis.name == axis.extent for axis in axes) and len({a.name for a in axes}) == len(axes):
        return ()
    bound = (axis for node in nodes for axis in (*bound_axes(node), *([node.axis] if isinstance(node, Scan) else [])))
    return tuple(f"axis {axis} over {axis.extent}" for axis in bound)


def _kind(spec: Input) -> str:
    if not isinstance(spec, TensorSpec):
        return "scalar"
    return "integers" if spec.integer else "tensor"
