"""Derivatives of random kernels with every access and construct, in both modes and without an AD library.

Reads at strided, shifted, reversed and padded indices, at indices from tensors, of named intermediates, along scans:
⟨out_bar, J u⟩ = ⟨Jᵀ out_bar, u⟩ for the derived kernels of both modes, and J u against a difference quotient of the
kernel itself. Extents are unequal, so that a transposed index cannot pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autotune import lang as at
from autotune.autodiff import derive, gradient_inputs, jvp, vjp
from autotune.lang import Affine, Axis, Expr, Kernel, Output, Parameter, Read, Reduce, ScalarSpec, TensorSpec, reference
from autotune.lang.constructs import Carry, Reindex, recurrence
from autotune.lang.graph import subexpressions
from autotune.lang.validate import needed_extents

Array = NDArray[Any]
EXTENTS = {"m": 5, "n": 4, "k": 3, "r": 2}
AXES = (Axis("i", "m"), Axis("j", "n"), Axis("k", "k"), Axis("r", "r"))
SETTINGS = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 2**32)


@st.composite
def affine(draw: st.DrawFn) -> Affine | Axis:
    """An index that may lead anywhere: one or two axes with coefficients, and an offset."""
    axes = draw(st.lists(st.sampled_from(AXES), min_size=1, max_size=2, unique=True))
    terms = [(axis, draw(st.sampled_from([-2, -1, 1, 1, 2, 3]))) for axis in axes]
    return Affine.total(terms, draw(st.integers(-3, 4))).simplest()


@st.composite
def reads(draw: st.DrawFn) -> Expr:
    """A tensor of up to two dimensions, whose name says its extents, read in one of many ways."""
    extents = draw(st.lists(st.sampled_from("mnk"), min_size=1, max_size=2))
    name = f"x_{''.join(extents)}_{draw(st.sampled_from('ab'))}"
    kinds = [draw(st.sampled_from(["plain", "affine", "table"])) for _ in extents]
    indices: list[Any] = []
    for extent, kind in zip(extents, kinds, strict=True):
        own = next(axis for axis in AXES if axis.extent == extent)
        match kind:
            case "plain":
                indices.append(own)
            case "affine":
                indices.append(draw(affine()))
            case _:
                other = draw(st.sampled_from(AXES))
                indices.append(Read(f"index_{other.extent}_{extent}", (other,), None, integer=True))
    pad = draw(st.sampled_from([0.0, 0.0, 0.5])) if "affine" in kinds else None
    return Read(name, tuple(indices), pad)


def reduced(kind: str, expr: Expr, axes: tuple[Axis, ...]) -> Expr:
    return Reduce(kind, expr, axes) if axes else expr


def scanned(expr: Expr, axis: Axis, start: float, *, reverse: bool) -> Expr:
    """A recurrence that is not linear in what it carries, of two values that depend on each other."""
    depth = sum(isinstance(node, Carry) for node in subexpressions(expr))
    names = (f"s{depth}", f"v{depth}")  # a scan inside another carries other names

    def steps(carries: tuple[Carry, ...]) -> tuple[Expr, Expr]:
        s, v = carries
        return 0.5 * s + at.sin(expr) * v, at.tanh(v + expr) - 0.25 * s

    scan = recurrence(axis, names, [at.Constant(start), at.Constant(0.3)], steps, lanes=(), reverse=reverse)
    return scan.result(0) * scan.result(1)


SMOOTH: list[Callable[[Expr], Expr]] = [
    at.tanh,
    at.sin,
    lambda x: at.exp(at.tanh(x)),
    lambda x: -x,
    lambda x: 1 / (1 + x * x),
    lambda x: x * at.stop_gradient(x),
    at.custom_gradient(lambda y, _: 1 - y * y)(lambda x: (at.exp(x) - at.exp(-x)) / (at.exp(x) + at.exp(-x))),
]
KINKED: list[Callable[[Expr], Expr]] = [
    at.relu,
    lambda x: at.where(x > 0.3, at.sin(x), 2 * x),
    lambda x: reduced("max", x, x.axes[:1]),
    lambda x: reduced("first_max", x, x.axes[:2]),
    lambda x: reduced("first_min", x, x.axes[-1:]),
    lambda x: x * reduced("argmax", x, x.axes[-1:]),
    lambda x: reduced("prod", 1 + at.tanh(x), x.axes[:1]),
]


@st.composite
def moved(draw: st.DrawFn, expr: Expr) -> Expr:
    """A named intermediate, read elsewhere: at.let[…](…).pad(…)[…]."""
    if not expr.axes:
        return expr
    axis = draw(st.sampled_from(expr.axes))
    return Reindex(expr, (axis,), (draw(affine()),), draw(st.sampled_from([0.0, 0.25])))


@st.composite
def recurrences(draw: st.DrawFn, expr: Expr) -> Expr:
    if not expr.axes:
        return expr
    axis = draw(st.sampled_from(expr.axes))
    found = scanned(expr, axis, draw(st.sampled_from([0.0, 0.5])), reverse=draw(st.booleans()))
    return draw(st.sampled_from([found, at.last(found, axis), at.first(found, axis)]))


@st.composite
def sums(draw: st.DrawFn, expr: Expr) -> Expr:
    """A sum over as many axes as leave at most two."""
    order = tuple(draw(st.permutations(expr.axes)))
    return reduced("sum", expr, order[: draw(st.integers(max(0, len(order) - 2), len(order)))])


def expressions(functions: list[Callable[[Expr], Expr]]) -> st.SearchStrategy[Expr]:
    leaves = st.one_of(reads(), reads(), st.just(Parameter("s")))

    def level(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        unary = st.builds(lambda function, x: function(x), st.sampled_from(functions), inner)
        binary = st.builds(
            lambda function, x, y: function(x, y),
            st.sampled_from(
                [lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / (2 + at.tanh(y))]
            ),
            inner,
            inner,
        )
        return st.one_of(unary, binary, inner.flatmap(moved), inner.flatmap(recurrences)).flatmap(sums)

    return st.recursive(leaves, level, max_leaves=3)


@st.composite
def kernels(draw: st.DrawFn, *, kinks: bool, outputs: int = 1) -> Kernel:
    exprs = [draw(expressions(SMOOTH + (KINKED if kinks else []))) for _ in range(outputs)]
    specs = inputs_of(exprs)
    assume(any(not getattr(spec, "integer", False) for spec in specs))
    names = ["out"] if outputs == 1 else [f"out_{number}" for number in range(outputs)]
    return Kernel(
        "random", specs, tuple(Output(name, expr.axes, expr) for name, expr in zip(names, exprs, strict=True))
    )


def inputs_of(exprs: list[Expr]) -> tuple[TensorSpec | ScalarSpec, ...]:
    """What is read, and a tensor that has the extents which nothing else has."""
    specs: dict[str, TensorSpec | ScalarSpec] = {}
    for node in subexpressions(exprs):
        match node:
            case Read(name, _, _, True):
                specs[name] = TensorSpec(name, (name.split("_")[1],), integer=True)
            case Read(name):
                specs[name] = TensorSpec(name, tuple(name.split("_")[1]))
            case Parameter(name):
                specs[name] = ScalarSpec(name)
            case _:
                pass
    known = {extent for spec in specs.values() for extent in spec.extents}
    missing = needed_extents([Output("out", expr.axes, expr) for expr in exprs]) - known
    if missing:
        specs["like"] = TensorSpec("like", tuple(sorted(missing)))
    return tuple(specs.values())


@dataclass(frozen=True)
class Data:
    """Arguments, a direction in which to move the floating ones, and what to weigh the outputs by."""

    arguments: dict[str, Array]
    direction: dict[str, Array]
    weights: dict[str, Array]

    @staticmethod
    def of(kernel: Kernel, seed: int) -> "Data":
        rng = np.random.default_rng(seed)
        arguments: dict[str, Array] = {}
        for spec in kernel.inputs:
            shape = kernel.shape_of(spec.name, EXTENTS)
            if isinstance(spec, TensorSpec) and spec.integer:
                arguments[spec.name] = rng.integers(0, EXTENTS[spec.name.split("_")[2]], shape)
            else:
                arguments[spec.name] = np.asarray(rng.standard_normal(shape))
        direction = {name: np.asarray(rng.standard_normal(arguments[name].shape)) for name in gradient_inputs(kernel)}
        weights = {o.name: np.asarray(rng.standard_normal(kernel.shape_of(o.name, EXTENTS))) for o in kernel.outputs}
        return Data(arguments, direction, weights)

    def moved(self, by: complex) -> dict[str, Array]:
        """The arguments, the floating ones moved along the direction."""
        return {**self.arguments, **{name: self.arguments[name] + by * way for name, way in self.direction.items()}}

    @property
    def tangents(self) -> dict[str, Array]:
        return {f"{name}_dot": value for name, value in self.direction.items()}

    @property
    def cotangents(self) -> dict[str, Array]:
        return {f"{name}_bar": value for name, value in self.weights.items()}


def run(kernel: Kernel, given: Mapping[str, Array]) -> dict[str, Array]:
    return reference.evaluate(kernel, {spec.name: given[spec.name] for spec in kernel.inputs})


def weighed(results: Mapping[str, Array], weights: Mapping[str, Array], suffix: str = "") -> float:
    return sum(float(np.sum(results[name + suffix] * weight)) for name, weight in weights.items())


def size(results: Mapping[str, Array]) -> float:
    return sum(float(np.abs(value).sum()) for value in results.values())


def backward(kernel: Kernel, data: Data) -> tuple[float, float]:
    """⟨Jᵀ out_bar, u⟩ and how large its terms are."""
    given = {**data.arguments, **data.cotangents}
    terms = {}
    for name in gradient_inputs(kernel):
        gradient = vjp(kernel, name)
        (bar,) = run(gradient, given).values()
        terms[name] = bar * data.direction[name]
    return sum(float(term.sum()) for term in terms.values()), size(terms)


@given(kernel=kernels(kinks=True), seed=SEEDS)
@SETTINGS
def test_both_modes_agree(kernel: Kernel, seed: int) -> None:
    data = Data.of(kernel, seed)
    forward = run(jvp(kernel), {**data.arguments, **data.tangents})
    for output in kernel.outputs:
        np.testing.assert_allclose(forward[output.name], run(kernel, data.arguments)[output.name], rtol=1e-13)
    expected = weighed(forward, data.weights, "_dot")
    found, scale = backward(kernel, data)
    assert abs(found - expected) <= 1e-12 * (scale + abs(expected)) + 1e-300


@given(kernel=kernels(kinks=False, outputs=2), seed=SEEDS)
@SETTINGS
def test_both_modes_agree_with_a_complex_step(kernel: Kernel, seed: int) -> None:
    """J u = Im f(x + ihu) / h with h = 1e-20 (Martins, Sturdza, Alonso 2003)."""
    assume(not any(node.function == "stop_gradient" for o in kernel.outputs for node in functions(o.expr)))
    data = Data.of(kernel, seed)
    expected = {name: np.imag(value) / 1e-20 for name, value in run(kernel, data.moved(1e-20j)).items()}
    forward = run(jvp(kernel), {**data.arguments, **data.tangents})
    for name, value in expected.items():
        np.testing.assert_allclose(
            forward[f"{name}_dot"], value, rtol=0, atol=1e-12 * (1 + np.abs(value).max(initial=0))
        )
    found, scale = backward(kernel, data)
    assert abs(found - weighed(expected, data.weights)) <= 1e-12 * (1 + scale)


def functions(expr: Expr) -> list[at.Apply]:
    return [node for node in subexpressions(expr) if isinstance(node, at.Apply)]


@given(kernel=kernels(kinks=True), seed=SEEDS)
@SETTINGS
def test_forward_mode_agrees_with_differences(kernel: Kernel, seed: int) -> None:
    assume(not any(node.function == "stop_gradient" for node in functions(kernel.outputs[0].expr)))
    data = Data.of(kernel, seed)
    step = 1e-6
    quotients = [
        (run(kernel, data.moved(h))["out"] - run(kernel, data.moved(-h))["out"]) / (2 * h) for h in (step, 2 * step)
    ]
    assume(np.allclose(*quotients, rtol=1e-5, atol=1e-5))  # no kink within reach
    forward = run(jvp(kernel), {**data.arguments, **data.tangents})["out_dot"]
    np.testing.assert_allclose(forward, quotients[0], rtol=1e-6, atol=1e-6 * (1 + np.abs(forward).max(initial=0)))


@given(kernel=kernels(kinks=False), seed=SEEDS, data=st.data())
@settings(SETTINGS, max_examples=40)
def test_gradients_of_gradients_agree_in_both_modes(kernel: Kernel, seed: int, data: st.DataObject) -> None:
    first = derive(kernel, f"vjp:{data.draw(st.sampled_from(gradient_inputs(kernel)))}")
    values = Data.of(first, seed)
    expected = weighed(run(jvp(first), {**values.arguments, **values.tangents}), values.weights, "_dot")
    found, scale = backward(first, values)
    assert abs(found - expected) <= 1e-11 * (scale + abs(expected)) + 1e-300
