"""What things are called in generated code: arrays, extents, strides, offsets."""

from dataclasses import dataclass
from functools import cached_property

from autotune.codegen.text import Lines, scaled, total
from autotune.lang import Axis, Extent, Kernel, Parameter, Read, ScalarSpec
from autotune.lang.graph import subexpressions
from autotune.schedule import Stage


def array(tensor: str) -> str:
    """The variable that holds a tensor's array."""
    return f"{tensor}_array"


def arguments(kernel: Kernel) -> tuple[str, ...]:
    """Parameters of the generated function for the inputs of `kernel`."""
    return tuple(f"{spec.name}_scalar" if isinstance(spec, ScalarSpec) else array(spec.name) for spec in kernel.inputs)


@dataclass(frozen=True)
class Names:
    """Names of one stage. Every name has a suffix of its own kind, so no tensor or axis can collide with another."""

    stage: Stage

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every way in which the stage touches a tensor, its result first."""
        return self.stage.reads

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """Tensors touched, the result first."""
        return tuple(dict.fromkeys(read.tensor for read in self.reads))

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Arguments of the stage's function: arrays, then scalars and extents used as numbers."""
        nodes = subexpressions(self.stage.epilogue)
        scalars = [f"{node.name}_scalar" for node in nodes if isinstance(node, Parameter)]
        extents = [f"{node.name}_extent" for node in nodes if isinstance(node, Extent)]
        return (*(array(tensor) for tensor in self.tensors), *scalars, *extents)

    def variable(self, read: Read) -> str:
        """The tensor's name; with its axes where the stage reads the tensor in several ways."""
        several = sum(other.tensor == read.tensor for other in self.reads) > 1
        return "_".join((read.tensor, *(axis.name for axis in read.axes))) if several else read.tensor

    def stride(self, read: Read, axis: Axis) -> str:
        """How far a step along `axis` moves in `read`, in elements.

        "0" without the axis, "1" along the result's last.
        """
        if axis not in read.axes:
            return "0"
        if read == self.stage.total and axis == self.stage.axes[-1]:
            return "1"
        return f"{self.variable(read)}_by_{axis.name}"

    def offset(self, read: Read, at: dict[Axis, str]) -> str:
        """Offset in `read` of the element at these indices; axes not in `at` count as 0."""
        return total([scaled(at[axis], self.stride(read, axis)) for axis in read.axes if axis in at])

    def declare(self, lines: Lines) -> None:
        """Extents of all axes, then strides of all reads."""
        for axis in self.stage.all_axes:
            source = next(read for read in self.reads if axis in read.axes)
            lines.add(f"{axis.name}_size = {array(source.tensor)}.shape[{source.indices.index(axis)}]")
        for read in self.reads:
            for dimension, axis in enumerate(read.axes):
                name = self.stride(read, axis)
                if name != "1":
                    lines.add(f"{name} = {array(read.tensor)}.strides[{dimension}] // ITEMSIZE")
        for read in self.reads:
            lines.add(f"{self.variable(read)}_start = pointer({array(read.tensor)})")

    def keep(self, lines: Lines) -> None:
        """Keep the arrays alive to the end of the function that took pointers to them."""
        lines.add(*(f"keep({array(tensor)})" for tensor in self.tensors))
