"""Random kernels of every construct: small, with a few axes, and defined for every argument."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from autotune.lang import (
    Affine,
    Axis,
    Carry,
    Constant,
    Expr,
    Extent,
    Kernel,
    Output,
    Parameter,
    Position,
    Read,
    Reduce,
    Reindex,
    ScalarSpec,
    Scan,
    Scatter,
    TensorSpec,
    exp,
    floor,
    maximum,
    minimum,
    relu,
    sigmoid,
    sin,
    tanh,
    where,
)
from autotune.lang.expressions import apply

SPECS = (
    TensorSpec("x", ("m", "n")),
    TensorSpec("y", ("n",)),
    TensorSpec("z", ("k", "m")),
    ScalarSpec("s"),
    TensorSpec("idx", ("n",), integer=True),
)
EXTENTS = ("m", "n", "k")
I, J = Axis("i", "m"), Axis("j", "n")  # noqa: E741  # the usual names
SMOOTH = (tanh, sin, sigmoid, lambda x: exp(-x * x), lambda x: 1 / (1 + x * x), lambda x: x * x)
KINKED = (relu, abs, floor, lambda x: apply("sign", x))


@dataclass(frozen=True, repr=False)
class Case:
    """A kernel with sizes and arguments, which float32 represents."""

    kernel: Kernel
    extents: dict[str, int]
    arguments: dict[str, NDArray[Any]]

    def __repr__(self) -> str:
        return f"{self.kernel} for {self.extents}, {self.arguments}"

    @property
    def expr(self) -> Expr:
        return self.kernel.outputs[0].expr

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.kernel.outputs[0].axes


@st.composite
def cases(draw: st.DrawFn, *, smooth: bool = False, depth: int = 3) -> Case:
    """A kernel over i and j; a smooth one has neither kinks nor jumps."""
    expr = draw(expressions((I, J), depth, smooth))
    # Of a derived direction, whose inputs need not all be read.
    kernel = Kernel("f", SPECS, (Output("out", (I, J), expr),), "vjp:x")
    extents = {name: draw(st.integers(1, 4)) for name in EXTENTS}
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    arguments: dict[str, NDArray[Any]] = {
        "idx": rng.integers(0, extents["m"], extents["n"]),
        "s": np.asarray(rng.standard_normal(), np.float32).astype(np.float64),
    }
    for spec in SPECS[:3]:
        shape = [extents[extent] for extent in spec.extents]
        arguments[spec.name] = rng.standard_normal(shape).astype(np.float32).astype(np.float64)
    return Case(kernel, extents, arguments)


def expressions(axes: tuple[Axis, ...], depth: int, smooth: bool) -> st.SearchStrategy[Expr]:
    """Expressions whose free axes are among `axes`."""
    if depth == 0:
        return leaves(axes)
    kinds = [
        unary(axes, depth, smooth),
        binary(axes, depth, smooth),
        reductions(axes, depth, smooth),
        reindexings(axes, depth, smooth),
        scatters(axes, depth, smooth),
        scans(axes, depth, smooth),
    ]
    return st.one_of(kinds)


@st.composite
def leaves(draw: st.DrawFn, axes: tuple[Axis, ...]) -> Expr:
    kind = draw(st.sampled_from(["read", "read", "read", "gather", "number", "scalar", "position"]))
    if kind == "number" or not axes:
        return Constant(draw(st.sampled_from([-1.5, 0.5, 2.0])))
    if kind == "scalar":
        return Parameter("s")
    if kind == "position":
        return Position(draw(st.sampled_from(axes))) + draw(st.sampled_from([Constant(0), Extent("k")]))
    if kind == "gather":
        along = draw(st.sampled_from(axes))
        row = Read("idx", (draw(affine((along,))),), 0.0, integer=True)
        return Read("x", (row, draw(affine(axes))), draw(pads))
    spec = draw(st.sampled_from([spec for spec in SPECS[:3] if isinstance(spec, TensorSpec)]))
    fitting = [[axis for axis in axes if axis.extent == extent] for extent in spec.extents]
    if all(fitting) and draw(st.booleans()):
        return Read(spec.name, tuple(draw(st.sampled_from(choice)) for choice in fitting))
    return Read(spec.name, tuple(draw(affine(axes)) for _ in spec.extents), draw(pads))


pads = st.sampled_from([0.0, 1.5])


@st.composite
def affine(draw: st.DrawFn, axes: tuple[Axis, ...]) -> Axis | Affine:
    chosen = draw(st.lists(st.sampled_from(axes), min_size=1, max_size=2))
    terms = [(axis, draw(st.sampled_from([1, 1, 2, -1]))) for axis in chosen]
    return Affine.total(terms, draw(st.integers(-2, 2)), draw(st.sampled_from([1, 1, 1, 2]))).simplest()


@st.composite
def unary(draw: st.DrawFn, axes: tuple[Axis, ...], depth: int, smooth: bool) -> Expr:
    function = draw(st.sampled_from(SMOOTH if smooth else SMOOTH + KINKED))
    found: Expr = function(draw(expressions(axes, depth - 1, smooth)))
    return found


@st.composite
def binary(draw: st.DrawFn, axes: tuple[Axis, ...], depth: int, smooth: bool) -> Expr:
    x, y = draw(expressions(axes, depth - 1, smooth)), draw(expressions(axes, depth - 1, smooth))
    results = [x + y, x - y, x * y, x / (1.5 + sin(y))]
    if not smooth:
        results += [maximum(x, y), minimum(x, y), where(x > y, x, 2 * y), apply("equal", x, y)]
    return draw(st.sampled_from(results))


@st.composite
def reductions(draw: st.DrawFn, axes: tuple[Axis, ...], depth: int, smooth: bool) -> Expr:
    over = tuple(inner(depth, draw(st.sampled_from(EXTENTS)), number) for number in range(draw(st.integers(1, 2))))
    body = draw(expressions((*axes, *over), depth - 1, smooth))
    for axis in over:
        if axis not in body.axes:
            body = body * Read("y", (Affine.of(axis),), 0.5)
    kinds = (
        ["sum", "sum", "prod"]
        if smooth
        else ["sum", "max", "min", "prod", "first_max", "first_min", "argmax", "argmin"]
    )
    return Reduce(draw(st.sampled_from(kinds)), body, over)


def inner(depth: int, extent: str, number: int = 0) -> Axis:
    """An axis of a name that none outside has."""
    return Axis(f"r{depth}_{number}", extent)


@st.composite
def reindexings(draw: st.DrawFn, axes: tuple[Axis, ...], depth: int, smooth: bool) -> Expr:
    bound = inner(depth, draw(st.sampled_from(EXTENTS)))
    body = draw(expressions((*axes, bound), depth - 1, smooth))
    if not axes:
        return Reindex(body, (bound,), (Affine((), 0),))
    return Reindex(body, (bound,), (draw(affine(axes)),), draw(pads))


@st.composite
def scatters(draw: st.DrawFn, axes: tuple[Axis, ...], depth: int, smooth: bool) -> Expr:
    if not axes:
        return draw(leaves(axes))
    onto = draw(st.sampled_from(axes))
    others = tuple(axis for axis in axes if axis != onto)
    over = inner(depth, "n")
    body = draw(expressions((*others, over), depth - 1, smooth))
    if over in body.axes and draw(st.booleans()):
        return Scatter(body, (over,), (onto,), (draw(affine((over,))),))
    return Scatter(body, (over,), (onto,), (Read("idx", (over,), integer=True),))


@st.composite
def scans(draw: st.DrawFn, axes: tuple[Axis, ...], depth: int, smooth: bool) -> Expr:
    if not axes:
        return draw(leaves(axes))
    along = draw(st.sampled_from(axes))
    lanes = tuple(axis for axis in axes if axis != along)
    count = draw(st.integers(1, 2))
    starts = tuple(draw(expressions(lanes, depth - 1, smooth)) for _ in range(count))
    parts = [draw(expressions(axes, depth - 1, smooth)) for _ in range(count)]
    found = tuple(dict.fromkeys(axis for part in (*starts, *parts) for axis in part.axes if axis != along))
    carries = tuple(Carry(f"c{len(axes)}_{depth}_{number}", found) for number in range(count))
    steps: list[Expr] = []
    for number, part in enumerate(parts):
        own, other = carries[number], carries[number - 1]
        choices: list[Expr] = [own / 2 + part, tanh(own) * part + other, sin(own + part) - other * 0.25, other * part]
        if not smooth:
            choices += [maximum(own, part), where(part > other, own, 0.5 * other)]
        steps.append(draw(st.sampled_from(choices)))
    which, reverse = draw(st.integers(0, count - 1)), draw(st.booleans())
    return Scan(along, carries, starts, tuple(steps), which, reverse)
