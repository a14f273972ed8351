"""Gradients of random kernels against JAX, against the complex step (no AD library), and against each other.

Extents are unequal, so that a transposed index cannot pass, but for one that two axes range over, so that a tensor can
be read with different axes in two places.
"""

import operator
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autotune.autodiff import derive, gradient_inputs, vjp
from autotune.lang import (
    Apply,
    Axis,
    Constant,
    Expr,
    Extent,
    Kernel,
    Output,
    Parameter,
    Read,
    Reduce,
    ScalarSpec,
    TensorSpec,
    abs,  # noqa: A004  # as at.abs
    cos,
    erf,
    exp,
    log,
    maximum,
    minimum,
    reference,
    relu,
    rsqrt,
    sigmoid,
    sin,
    sqrt,
    tanh,
    where,
)
from autotune.lang.graph import subexpressions

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]

Array = NDArray[Any]
EXTENTS = {"m": 2, "n": 3, "k": 4, "l": 5}
AXES = (Axis("i", "m"), Axis("j", "n"), Axis("p", "n"), Axis("k", "k"), Axis("l", "l"))
SMOOTH: list[Callable[[Expr], Expr]] = [
    tanh,
    sigmoid,
    lambda x: exp(tanh(x)),
    lambda x: -x,
    lambda x: x**2,
    lambda x: (2 + tanh(x)) ** -1.5,
    lambda x: sqrt(1 + x * x),
    lambda x: log(1.5 + tanh(x)),
    lambda x: 1 / (1 + x * x),
    lambda x: rsqrt(1 + x * x),
    erf,
    sin,
    cos,
]
KINKED: list[Callable[[Expr], Expr]] = [
    relu,
    abs,
    lambda x: where(x > 0.3, sin(x), 2 * x),
    lambda x: Reduce("max", x, x.axes[:1]) if x.axes else x,
    lambda x: Reduce("min", x, x.axes[-1:]) if x.axes else x,
    lambda x: Reduce("prod", 1 + tanh(x), x.axes[:2]) if x.axes else x,
]


@st.composite
def reads(draw: st.DrawFn) -> Expr:
    """A tensor over some axes, named after their extents, so that equal names are equal tensors."""
    axes = draw(st.permutations(AXES))[: draw(st.integers(0, 3))]
    extents = [axis.extent for axis in axes]
    return Read("x_" + "".join(extents) + draw(st.sampled_from("ab")), tuple(axes))


@st.composite
def products(draw: st.DrawFn) -> Expr:
    """A sum of a product of two to four tensors, as einsum has them."""
    first, *others = draw(st.lists(reads(), min_size=2, max_size=4))
    for other in others:
        first = first * other
    return draw(sums(first))


@st.composite
def sums(draw: st.DrawFn, body: Expr) -> Expr:
    """A sum of `body` over some of its axes, and over as many as leave at most three."""
    order = tuple(draw(st.permutations(body.axes)))
    over = order[: draw(st.integers(max(0, len(order) - 3), len(order)))]
    return Reduce("sum", body, over) if over else body


def expressions(functions: list[Callable[[Expr], Expr]], *, kinks: bool) -> st.SearchStrategy[Expr]:
    """Expressions of two or three levels."""
    pairs: list[Callable[[Expr, Expr], Expr]] = [
        operator.add,
        operator.sub,
        operator.mul,
        lambda x, y: x / (2 + tanh(y)),
    ]
    pairs += [maximum, minimum] if kinks else []
    leaves = st.one_of(products(), reads(), st.sampled_from([Parameter("s"), Constant(0.5)]))

    def level(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        unary = st.builds(lambda function, x: function(x), st.sampled_from(functions), inner)
        binary = st.builds(lambda function, x, y: function(x, y), st.sampled_from(pairs), inner, inner)
        return st.one_of(unary, binary).flatmap(sums)

    return st.recursive(leaves, level, max_leaves=4)


@st.composite
def kernels(draw: st.DrawFn, *, kinks: bool = True) -> Kernel:
    """A kernel whose output may have an axis that its expression lacks."""
    expr = draw(expressions(SMOOTH + (KINKED if kinks else []), kinks=kinks).filter(lambda expr: bool(inputs_of(expr))))
    specs = inputs_of(expr)
    known = {extent for spec in specs for extent in spec.extents}
    repeated = [axis for axis in AXES if axis.extent in known and axis not in expr.axes]
    axes = draw(st.permutations([*expr.axes, *repeated[: draw(st.integers(0, 1))]]))
    return Kernel("random", specs, (Output("out", tuple(axes), expr),))


def inputs_of(expr: Expr) -> tuple[TensorSpec | ScalarSpec, ...]:
    specs: dict[str, TensorSpec | ScalarSpec] = {}
    for node in subexpressions(expr):
        match node:
            case Read(name, indices):
                specs[name] = TensorSpec(name, tuple(index.extent for index in indices))
            case Parameter(name):
                specs[name] = ScalarSpec(name)
            case _:
                pass
    return tuple(specs.values())


def random_arguments(kernel: Kernel, rng: np.random.Generator) -> dict[str, Array]:
    return {spec.name: np.asarray(rng.standard_normal(kernel.shape_of(spec.name, EXTENTS))) for spec in kernel.inputs}


def functions_of(xp: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions of the language in NumPy or JAX, in any dtype they take."""
    return {
        "add": operator.add,
        "sub": operator.sub,
        "mul": operator.mul,
        "div": operator.truediv,
        "neg": operator.neg,
        "pow": operator.pow,
        "sigmoid": lambda x: 1 / (1 + xp.exp(-x)),
        "relu": lambda x: xp.where(x > 0, x, 0 * x),
        **{name: getattr(xp, name) for name in ("maximum", "minimum", "exp", "log", "sqrt", "tanh", "abs", "sign")},
        "greater": lambda x, y: xp.greater(x, y).astype(x.dtype),
        "equal": lambda x, y: xp.equal(x, y).astype(x.dtype),
        **{name: getattr(xp, name) for name in ("sin", "cos")},
        "rsqrt": lambda x: 1 / xp.sqrt(x),
        "erf": jax.scipy.special.erf if xp is jnp else scipy.special.erf,
        "where": lambda condition, x, y: xp.where(condition != 0, x, y),
    }


@dataclass(frozen=True)
class Naive:
    """Evaluates expressions in NumPy or JAX, in the dtype of the (flat) arguments, every node over all axes there are.

    One shape for everything, so that JAX, which compiles an operation for each shape, compiles few.
    """

    axes: tuple[Axis, ...]
    arguments: Mapping[str, Any]
    xp: ModuleType

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(EXTENTS[axis.extent] for axis in self.axes)

    def value(self, expr: Expr) -> Any:
        match expr:
            case Constant(value):
                return self.full(value)
            case Extent(name):
                return self.full(EXTENTS[name])
            case Read(name) | Parameter(name):
                grid = dict(zip(self.axes, np.indices(self.shape), strict=True))
                return self.xp.take(self.arguments[name], place(expr.axes, grid, self.shape))
            case Reduce(reduction, body, over):
                value = self.value(body)
                for axis in over:
                    total = getattr(value, reduction)(axis=self.axes.index(axis), keepdims=True)
                    value = self.xp.broadcast_to(total, self.shape)
                return value
            case Apply("pow", (base, Constant(exponent))):
                return self.value(base) ** exponent
            case Apply(function, operands):
                return functions_of(self.xp)[function](*map(self.value, operands))
            case _:
                raise AssertionError(expr)

    def full(self, value: float) -> Array:
        return np.full(self.shape, value, dtype=next(iter(self.arguments.values())).dtype)


def place(axes: Sequence[Axis], grid: Mapping[Axis, Array], shape: tuple[int, ...]) -> Array:
    """Where elements stand in a flat array over `axes`: at the indices of `grid`, at 0 along an axis not in it."""
    position = np.zeros(shape, np.intp)
    for axis in axes:
        position = position * EXTENTS[axis.extent] + grid.get(axis, np.intp(0))
    return position


def compute(output: Output, flat_arguments: Mapping[str, Any], xp: ModuleType) -> Any:
    """The output, computed naively."""
    used = {axis for node in subexpressions(output.expr) for axis in node.axes}
    axes = tuple(sorted({*used, *output.axes, *AXES}, key=lambda axis: axis.name))
    value = Naive(axes, flat_arguments, xp).value(output.expr)
    shape = tuple(EXTENTS[axis.extent] for axis in output.axes)
    return xp.take(value, place(axes, dict(zip(output.axes, np.indices(shape), strict=True)), shape))


def flat(arguments: Mapping[str, Array]) -> dict[str, Array]:
    return {name: argument.reshape(-1) for name, argument in arguments.items()}


def gradient_of(kernel: Kernel, wrt: str, arguments: Mapping[str, Array], cotangent: Array) -> Array:
    gradient = vjp(kernel, wrt)
    given = {**arguments, "out_bar": cotangent}
    return reference.evaluate(gradient, {spec.name: given[spec.name] for spec in gradient.inputs})[
        gradient.outputs[0].name
    ]


def scale_of(kernel: Kernel, wrt: str, arguments: Mapping[str, Array], cotangent: Array) -> float:
    """What a gradient that cancels to nothing would have been without cancellation."""
    gradient = vjp(kernel, wrt)
    given = {**arguments, "out_bar": cotangent}
    used = {spec.name: given[spec.name] for spec in gradient.inputs}
    return float(reference.magnitude(gradient, used)[gradient.outputs[0].name].max(initial=0.0))


SETTINGS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**32)


@given(kernel=kernels(), seed=SEEDS)
@settings(SETTINGS, max_examples=60)  # JAX compiles for most of the time
def test_gradients_are_those_of_jax(kernel: Kernel, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arguments = random_arguments(kernel, rng)
    cotangent = rng.standard_normal(kernel.shape_of("out", EXTENTS))
    value, pullback = jax.vjp(lambda given: compute(kernel.outputs[0], given, jnp), flat(arguments))
    expected = {name: np.asarray(bar) for name, bar in pullback(jnp.asarray(cotangent))[0].items()}
    result = reference.evaluate(kernel, arguments)["out"]
    np.testing.assert_allclose(result, np.asarray(value), rtol=1e-12, atol=1e-12 * (1 + np.abs(result).max()))
    for wrt in gradient_inputs(kernel):
        error = np.abs(gradient_of(kernel, wrt, arguments, cotangent).reshape(-1) - expected[wrt]).max()
        scale = max(np.abs(expected[wrt]).max(), 1e-2 * scale_of(kernel, wrt, arguments, cotangent))
        assert error <= 1e-12 * scale, (str(kernel), wrt)


@given(kernel=kernels(kinks=False), seed=SEEDS)
@SETTINGS
def test_gradients_are_adjoint_to_the_complex_step(kernel: Kernel, seed: int) -> None:
    """⟨out_bar, J u⟩ = ⟨Jᵀ out_bar, u⟩ with J u = Im f(x + ihu) / h, h = 1e-20 (Martins, Sturdza, Alonso 2003)."""
    rng = np.random.default_rng(seed)
    arguments = random_arguments(kernel, rng)
    directions = random_arguments(kernel, rng)
    cotangent = rng.standard_normal(kernel.shape_of("out", EXTENTS))
    shifted = {name: argument + 1e-20j * directions[name] for name, argument in arguments.items()}
    forward = np.sum(cotangent * compute(kernel.outputs[0], flat(shifted), np).imag / 1e-20)
    terms = {wrt: gradient_of(kernel, wrt, arguments, cotangent) * directions[wrt] for wrt in gradient_inputs(kernel)}
    backward = sum(term.sum() for term in terms.values())
    scale = sum(
        scale_of(kernel, wrt, arguments, cotangent) * np.abs(directions[wrt]).sum() for wrt in gradient_inputs(kernel)
    )
    np.testing.assert_allclose(backward, forward, rtol=0, atol=1e-12 * scale)


@given(kernel=kernels(kinks=False), seed=SEEDS, data=st.data())
@settings(SETTINGS, max_examples=50)
def test_gradients_of_gradients_are_adjoint_to_the_complex_step(kernel: Kernel, seed: int, data: st.DataObject) -> None:
    first = vjp(kernel, data.draw(st.sampled_from(gradient_inputs(kernel))))
    wrt = data.draw(st.sampled_from(gradient_inputs(first)))
    second = derive(kernel, f"{first.direction}/vjp:{wrt}")
    rng = np.random.default_rng(seed)
    arguments, direction = random_arguments(first, rng), rng.standard_normal(first.shape_of(wrt, EXTENTS))
    cotangent = rng.standard_normal(first.shape_of(first.outputs[0].name, EXTENTS))
    shifted = {**arguments, wrt: arguments[wrt] + 1e-20j * direction}
    forward = np.sum(cotangent * compute(first.outputs[0], flat(shifted), np).imag / 1e-20)
    given_second = {**arguments, second.inputs[-1].name: cotangent}
    used = {spec.name: given_second[spec.name] for spec in second.inputs}
    backward = reference.evaluate(second, used)[second.outputs[0].name] * direction
    scale = reference.magnitude(second, used)[second.outputs[0].name] * np.abs(direction)
    np.testing.assert_allclose(backward.sum(), forward, rtol=0, atol=1e-12 * scale.sum())


@given(kernel=kernels(), seed=SEEDS, data=st.data())
@SETTINGS
def test_the_error_bound_holds_in_float32(kernel: Kernel, seed: int, data: st.DataObject) -> None:
    direction = data.draw(st.sampled_from(["forward", *(f"vjp:{wrt}" for wrt in gradient_inputs(kernel))]))
    derived = derive(kernel, direction)
    arguments = {k: v.astype(np.float32) for k, v in random_arguments(derived, np.random.default_rng(seed)).items()}
    exact = reference.evaluate(derived, arguments)[derived.outputs[0].name]
    bound = reference.error_bound(derived, arguments, "float32")[derived.outputs[0].name]
    computed = compute(derived.outputs[0], flat(arguments), np)
    assert computed.dtype == np.float32
    unbounded = np.isnan(bound)  # where rounding may decide which of two elements is the largest
    assert (unbounded | (np.abs(computed.astype(np.float64) - exact) <= bound)).all()


@given(kernel=kernels())
@SETTINGS
def test_derived_kernels_are_well_formed(kernel: Kernel) -> None:
    for wrt in gradient_inputs(kernel):
        gradient = vjp(kernel, wrt)
        order = [spec.name for spec in kernel.inputs]
        names = [spec.name for spec in gradient.inputs]
        assert names[-1] == "out_bar"
        assert names[:-1] == [name for name in order if name in names]
        assert gradient.outputs[0].extents == kernel.input(wrt).extents
        assert gradient == vjp(pickle.loads(pickle.dumps(kernel)), wrt)
        assert pickle.loads(pickle.dumps(gradient)).digest == gradient.digest
        assert replace(gradient, doc="").flops(EXTENTS) >= 0
