"""Residuals: forward intermediates that a gradient may read instead of computing them again.

Which of them are worth their memory is a matter of size and machine (KERNELS.md §2), so a derivation does not decide:
it names them, and either form of a gradient comes from the same expression.
"""

from collections.abc import Mapping, Sequence

from autotune.errors import DifferentiationError
from autotune.lang import Carry, Constant, Expr, Extent, Kernel, Output, Parameter, Position, Read
from autotune.lang.axes import fresh_name
from autotune.lang.graph import subexpressions
from autotune.lang.indexing import is_integer
from autotune.lang.traverse import carrying, substitute

_LEAVES = (Carry, Constant, Extent, Parameter, Position, Read)


def intermediates(kernel: Kernel) -> dict[str, Expr]:
    """Everything a kernel computes on its way, by name: outputs under theirs, the others as r1, r2, … in order."""
    nodes = subexpressions([output.expr for output in kernel.outputs])
    carried = carrying(nodes)
    outputs = {output.expr: output.name for output in kernel.outputs if len(output.axes) == len(output.expr.axes)}
    taken = {*(output.name for output in kernel.outputs), *(spec.name for spec in kernel.inputs)}
    found: dict[str, Expr] = {}
    for node in nodes:
        if isinstance(node, _LEAVES) or node in carried:
            continue
        name = outputs.get(node) or fresh_name(f"r{len(found) + 1}", taken)
        found[name] = node
    return found


def found_in(kernel: Kernel, roots: Sequence[Expr]) -> dict[str, Expr]:
    """The intermediates of `kernel` that stand in these expressions, by name."""
    read = frozenset(subexpressions(roots))
    return {name: node for name, node in intermediates(kernel).items() if node in read}


def residual_outputs(kernel: Kernel, names: Sequence[str]) -> tuple[Output, ...]:
    """The outputs that hold these intermediates."""
    known = intermediates(kernel)
    return tuple(Output(name, known[name].axes, known[name], is_integer(known[name])) for name in names)


def reading(kernel: Kernel, names: Sequence[str], expr: Expr) -> Expr:
    """`expr` with these intermediates read as tensors of their names."""
    known = intermediates(kernel)
    reads: Mapping[Expr, Expr] = {
        known[name]: Read(name, known[name].axes, None, is_integer(known[name])) for name in names
    }
    return substitute(expr, reads)


def check_residuals(kernel: Kernel, names: Sequence[str]) -> None:
    """Raise DifferentiationError unless all `names` are intermediates of `kernel`."""
    known = intermediates(kernel)
    for name in names:
        if name not in known:
            listing = ", ".join(f"{known_name} = {node}" for known_name, node in known.items())
            message = f"kernel {kernel.name} has no intermediate {name!r}; it has {listing}"
            raise DifferentiationError(message)
