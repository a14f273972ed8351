"""The canonical text of a kernel: readable, and equal exactly for equal definitions."""

from collections.abc import Sequence

from autotune.lang.axes import fresh_name, indexed
from autotune.lang.expressions import Expr, render
from autotune.lang.specs import Input, Output, TensorSpec
from autotune.lang.traverse import shared


def signature(name: str, inputs: Sequence[Input], outputs: Sequence[Output]) -> str:
    """For example "matmul(a[m, k], b[k, n]) -> out[m, n]"."""
    return f"{name}({', '.join(map(str, inputs))}) -> {', '.join(map(str, outputs))}"


def definition(inputs: Sequence[Input], output: Output) -> tuple[str, ...]:
    """One equation a line, that of the output last: "out[i, j] = sum[k](a[i, k] * b[k, j])".

    A subexpression that stands in several places comes first under a name of its own (t1, t2, …), which keeps the
    text of a derived kernel as long as the work it describes.
    """
    names: dict[Expr, str] = {}
    lines: list[str] = []
    taken = {output.name, *(spec.name for spec in inputs)}
    for node in shared(output.expr):
        name = fresh_name(f"t{len(names) + 1}", taken)
        lines.append(f"{indexed(name, node.axes)} = {render(node, names)}")
        names[node] = name
    return (*lines, f"{indexed(output.name, output.axes)} = {render(output.expr, names)}")


def canonical(inputs: Sequence[Input], outputs: Sequence[Output]) -> str:
    """All that the meaning of a kernel rests on: kinds and extents of the inputs, axes of the outputs, equations."""
    kinds = [f"{'tensor' if isinstance(spec, TensorSpec) else 'scalar'} {spec}" for spec in inputs]
    results = [f"output {output}" for output in outputs]
    return "\n".join([*kinds, *results, *(line for output in outputs for line in definition(inputs, output))])
