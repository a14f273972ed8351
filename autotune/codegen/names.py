"""What things are called in generated code: arrays, extents, strides, offsets."""

from dataclasses import dataclass
from functools import cached_property

from autotune.codegen.text import Lines, scaled, total
from autotune.lang import Affine, Axis, Expr, Extent, Kernel, Parameter, Read, ScalarSpec
from autotune.lang.graph import subexpressions
from autotune.schedule import Stage


def array(tensor: str) -> str:
    """The variable that holds a tensor's array."""
    return f"{tensor}_array"


def arguments(kernel: Kernel) -> tuple[str, ...]:
    """Parameters of the generated function for the inputs of `kernel`."""
    return tuple(f"{spec.name}_scalar" if isinstance(spec, ScalarSpec) else array(spec.name) for spec in kernel.inputs)


def affine(read: Read) -> tuple[Affine, ...]:
    """The indices of a tensor that is read at affine ones."""
    return tuple(Affine.of(index) for index in read.indices if not isinstance(index, Expr))


def constant_part(index: Affine) -> str:
    """An index where all axes are 0, as text."""
    terms = [f"{number} * {term}_extent" for term, number in index.terms if isinstance(term, str)]
    return " + ".join([*terms, *([str(index.offset)] if index.offset or not terms else [])])


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
        return (*(array(tensor) for tensor in self.tensors), *scalars, *(f"{name}_extent" for name in self.extents))

    @cached_property
    def extents(self) -> tuple[str, ...]:
        """Extents used as numbers: in the epilogue, in windows, and of axes that no tensor has for a dimension."""
        used = [node.name for node in subexpressions(self.stage.epilogue) if isinstance(node, Extent)]
        used += [extent for read in self.reads for index in affine(read) for extent in index.extents]
        used += [axis.extent for axis in self.stage.all_axes if self._source(axis) is None]
        return tuple(dict.fromkeys(used))

    def _source(self, axis: Axis) -> Read | None:
        """A tensor with `axis` for a dimension."""
        return next((read for read in self.reads if axis in read.indices), None)

    def variable(self, read: Read) -> str:
        """The tensor's name; with its axes, or a number, where the stage reads the tensor in several ways."""
        ways = [other for other in self.reads if other.tensor == read.tensor]
        if len(ways) == 1:
            return read.tensor
        if not read.plain:
            return f"{read.tensor}_window_{ways.index(read) + 1}"
        return "_".join((read.tensor, *(axis.name for axis in read.axes)))

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
            source = self._source(axis)
            size = (
                f"{array(source.tensor)}.shape[{source.indices.index(axis)}]"
                if source is not None
                else f"{axis.extent}_extent"
            )
            lines.add(f"{axis.name}_size = {size}")
        for read in self.reads:
            for axis in read.axes:
                name = self.stride(read, axis)
                if name != "1":
                    lines.add(f"{name} = {' + '.join(self._steps(read, axis))}")
        for read in self.reads:
            lines.add(f"{self.variable(read)}_start = {self._start(read)}")

    def _steps(self, read: Read, axis: Axis) -> list[str]:
        """How far a step along `axis` moves through each dimension that it moves through."""
        numbers = [(index.coefficient(axis), dimension) for dimension, index in enumerate(affine(read))]
        return [
            self._stride(read, dimension) if number == 1 else f"{number} * ({self._stride(read, dimension)})"
            for number, dimension in numbers
            if number
        ]

    def _stride(self, read: Read, dimension: int) -> str:
        return f"{array(read.tensor)}.strides[{dimension}] // ITEMSIZE"

    def _start(self, read: Read) -> str:
        """Pointer to the element at which all axes are 0, which may lie outside the tensor."""
        first = f"pointer({array(read.tensor)})"
        at = [constant_part(index) for index in affine(read)]
        moved = [f"({text}) * ({self._stride(read, place)})" for place, text in enumerate(at) if text != "0"]
        return f"shift({first}, {' + '.join(moved)})" if moved else first

    def keep(self, lines: Lines) -> None:
        """Keep the arrays alive to the end of the function that took pointers to them."""
        lines.add(*(f"keep({array(tensor)})" for tensor in self.tensors))
