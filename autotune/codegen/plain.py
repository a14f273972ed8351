"""Code of stages without register tiles: pointwise results and single numbers, as plain loops for LLVM to vectorize."""

from contextlib import ExitStack

from autotune.codegen.names import Names
from autotune.codegen.text import Lines, scalar
from autotune.lang import Read
from autotune.templates import Scheduled

# What a reduction starts from, and how it takes in an element.
REDUCTIONS = {
    "sum": ("REAL(0.0)", "total + {}"),
    "max": ("REAL(-math.inf)", "larger(total, {})"),
    "min": ("REAL(math.inf)", "smaller(total, {})"),
    "prod": ("REAL(1.0)", "total * {}"),
}


def write_plain(lines: Lines, scheduled: Scheduled) -> None:
    """`for every index of the result: for every index summed over: …`, in the order the axes are written."""
    stage = scheduled.stage
    names = Names(stage)
    index = {axis: f"{axis.name}_index" for axis in stage.all_axes}

    def element(read: Read) -> str:
        return "total" if read == stage.total else f"get({names.variable(read)}_start, {names.offset(read, index)})"

    names.declare(lines)
    with ExitStack() as nest:
        for axis in stage.axes:
            nest.enter_context(lines.block(f"for {index[axis]} in range({axis.name}_size):"))
        if stage.factors:
            start, form = REDUCTIONS[stage.reduction]
            lines.add(f"total = {start}")
            with ExitStack() as sums:
                for axis in stage.over:
                    sums.enter_context(lines.block(f"for {index[axis]} in range({axis.name}_size):"))
                lines.add(f"total = {form.format(' * '.join(element(factor) for factor in stage.factors))}")
        target = names.offset(stage.total, index)
        lines.add(f"put({names.variable(stage.total)}_start, {target}, {scalar(stage.epilogue, element)})")
    names.keep(lines)
