"""Kernels: named inputs, an output and the expression that gives it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from autotune.errors import DefinitionError
from autotune.lang import shapes, text
from autotune.lang.axes import check_name
from autotune.lang.flops import count_flops
from autotune.lang.specs import Input, Output
from autotune.lang.validate import check_kernel, check_used, naming

FORWARD = "forward"


@dataclass(frozen=True, repr=False)
class Kernel:
    """A computation in index notation: a forward definition, or a gradient derived from one.

    `direction` is "forward" as defined; derived kernels keep the name and say how they were derived ("vjp:a").
    Raises DefinitionError when the parts do not fit together.
    """

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    direction: str = FORWARD
    doc: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check_name("a kernel", self.name)
        with naming(self.name):
            check_kernel(self.inputs, self.outputs)
            if self.direction == FORWARD:
                # A derived kernel is given its inputs by rule: the cotangent is one even where the gradient is zero.
                check_used(self.inputs, self.outputs)

    @property
    def output(self) -> Output:
        """The only output."""
        (output,) = self.outputs
        return output

    @property
    def extent_names(self) -> tuple[str, ...]:
        """Names of all extents in the order of their first appearance in the inputs."""
        return tuple(dict.fromkeys(extent for spec in self.inputs for extent in spec.extents))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the definition, names of kernel and direction left out: equal for equal computations."""
        return hashlib.sha256(text.canonical(self.inputs, self.outputs).encode()).hexdigest()

    def input(self, name: str) -> Input:
        """The input called `name`; raises DefinitionError when there is none."""
        for spec in self.inputs:
            if spec.name == name:
                return spec
        message = f"kernel {self.name} has no input {name!r}; the inputs are {', '.join(map(str, self.inputs))}"
        raise DefinitionError(message)

    def shape_of(self, name: str, extents: Mapping[str, int]) -> tuple[int, ...]:
        """Shape of the input or output called `name` (() for a scalar) where the dimensions have these extents."""
        spec = self.output if name == self.output.name else self.input(name)
        return tuple(extents[extent] for extent in spec.extents)

    def infer_extents(self, shapes_of_inputs: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """The extents from the shape of each input; raises ShapeError where shapes do not fit or disagree."""
        return shapes.infer_extents(self.name, self.inputs, shapes_of_inputs)

    def flops(self, extents: Mapping[str, int]) -> int:
        """Floating-point operations of one call, 2 per multiply-add of a sum of products."""
        return sum(count_flops(output.expr, extents) for output in self.outputs)

    def signature(self) -> str:
        """For example "matmul(a[m, k], b[k, n]) -> out[m, n]"."""
        return text.signature(self.name, self.inputs, self.outputs)

    def definition(self) -> str:
        """The equations, one a line: "out[i, j] = sum[k](a[i, k] * b[k, j])"."""
        return "\n".join(line for output in self.outputs for line in text.definition(self.inputs, output))

    def __str__(self) -> str:
        return f"{self.direction} {self.signature()}\n{self.definition()}"

    def __repr__(self) -> str:
        return f"<Kernel {self.direction} {self.signature()}>"
