"""Kernels: named inputs, an output and the expression that gives it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from autotune.errors import DefinitionError
from autotune.lang import bounds, shapes, text
from autotune.lang.axes import check_name
from autotune.lang.computed import Computed
from autotune.lang.expressions import Expr
from autotune.lang.flops import count_flops
from autotune.lang.graph import subexpressions
from autotune.lang.specs import Input, Output, grouped
from autotune.lang.validate import check_kernel, check_used, naming, sizes_of

FORWARD = "forward"
Option: TypeAlias = int | float | bool


@dataclass(frozen=True, repr=False)
class Kernel:
    """A computation in index notation: a forward definition, or a gradient derived from one.

    `direction` is "forward" as defined; derived kernels keep the name and say how they were derived ("vjp:a").
    `options` are the structural constants that the definition was made with.
    Raises DefinitionError when the parts do not fit together.
    """

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    direction: str = FORWARD
    doc: str = field(default="", compare=False)
    options: tuple[tuple[str, Option], ...] = ()

    def __post_init__(self) -> None:
        check_name("a kernel", self.name)
        with naming(self.name):
            check_kernel(self.inputs, self.outputs)
            bounds.check_symbolic(self.accesses, self.sizes)
            if self.direction == FORWARD:
                # A derived kernel is given its inputs by rule: the cotangent is one even where the gradient is zero.
                check_used(self.inputs, self.outputs)

    @cached_property
    def sizes(self) -> dict[str, Expr]:
        """The extents that no input has, and how many elements each has: an expression of the others."""
        return sizes_of(self.outputs)

    @cached_property
    def opaque(self) -> bool:
        """Whether a function of arrays defines an output: then there is nothing to derive or to cut into stages."""
        nodes = subexpressions([output.expr for output in self.outputs])
        return any(isinstance(node, Computed) for node in nodes)

    @property
    def is_number(self) -> bool:
        """Whether the only result is one floating number, as a loss is: its gradients are linear in one cotangent."""
        return len(self.outputs) == 1 and not self.outputs[0].extents and not self.outputs[0].integer

    def draw(self, rng: np.random.Generator, extents: Mapping[str, int]) -> Mapping[str, ArrayLike] | None:
        """Arguments to measure with, where the definition says which; None where any numbers will do."""
        del rng, extents
        return None

    @cached_property
    def accesses(self) -> tuple[bounds.Access, ...]:
        """The affine indices that could lead outside what they index, and are proven not to from the extents."""
        return bounds.accesses(self.inputs, self.outputs)

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
        """Shape of the input or output called `name` (() for a scalar): a dimension for each of its extents."""
        known = self.complete(extents)
        return tuple(known[extent] for extent in self._spec(name).extents)

    def call_shape_of(self, name: str, extents: Mapping[str, int]) -> tuple[int, ...]:
        """Shape of the caller's array of that name, where a dimension may be the product of several extents."""
        groups = grouped(self.shape_of(name, extents), self._spec(name).groups)
        return tuple(map(prod, groups))

    def _spec(self, name: str) -> Input | Output:
        return next((output for output in self.outputs if output.name == name), None) or self.input(name)

    def complete(self, extents: Mapping[str, int]) -> dict[str, int]:
        """`extents`, those of the inputs, and all that follow from them.

        Raises ShapeError where one would be negative, or an input has another extent than follows, or where an affine
        index without padding would lead outside what it indexes.
        """
        known = shapes.complete(self.name, self.sizes, extents)
        bounds.check_concrete(self.name, self.accesses, known)
        return known

    def infer_extents(self, shapes_of_inputs: Mapping[str, tuple[int, ...]], *, split: bool = False) -> dict[str, int]:
        """The extents of the inputs from the shape of each, as the caller has it, or `split` into one for each extent.

        Raises ShapeError where shapes do not fit or disagree, or an index would lead outside.
        """
        found = shapes.infer_extents(self.name, self.inputs, shapes_of_inputs, split=split)
        self.complete(found)
        return found

    def flops(self, extents: Mapping[str, int]) -> int:
        """Floating-point operations of one call, 2 per multiply-add of a sum of products."""
        return count_flops([output.expr for output in self.outputs], self.complete(extents))

    def signature(self) -> str:
        """For example "matmul(a[m, k], b[k, n]) -> out[m, n]"."""
        return text.signature(self.name, self.inputs, self.outputs)

    def definition(self) -> str:
        """The equations, one a line: "out[i, j] = sum[k](a[i, k] * b[k, j])"."""
        return "\n".join(text.definition(self.inputs, self.outputs))

    def __str__(self) -> str:
        return f"{self.direction} {self.signature()}\n{self.definition()}"

    def __repr__(self) -> str:
        return f"<Kernel {self.direction} {self.signature()}>"
