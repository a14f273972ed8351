"""JAX: functions compiled by `jax.jit`; derivatives by `jax.vjp` and `jax.jvp`, compiled with the forward pass."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from autotune.cli.bench.kernels.problem import COTANGENT, TANGENT, Problem
from autotune.measure.timing import Call

Array: TypeAlias = Any


def prepare(problem: Problem) -> Call:
    """The compiled function of the inputs, or of inputs and cotangent or tangents.

    Unlike PyTorch's, the gradient begins with the inputs, as ours does: what its forward pass gives is not kept.
    """
    function = partial(FUNCTIONS[problem.case.kernel], **dict(problem.case.options))
    given = {name: jnp.asarray(array) for name, array in problem.inputs.items()}
    seeds = {name: jnp.asarray(array) for name, array in problem.seeds.items()}
    if problem.case.direction == "jvp":
        tangents = {name: seeds[name + TANGENT] for name in problem.floating}
        return _finished(jax.jit(partial(_along, function)), given, tangents)
    if not problem.wrt:
        return _finished(jax.jit(lambda values: function(**values)), given)
    return _finished(jax.jit(partial(_gradients, function, problem)), given, seeds[COTANGENT])


def _gradients(
    function: Callable[..., Array], problem: Problem, given: dict[str, Array], cotangent: Array
) -> tuple[Array, ...]:
    value, pullback = jax.vjp(lambda some: function(**given | some), {name: given[name] for name in problem.wrt})
    (found,) = pullback(cotangent)
    gradients = tuple(found[name] for name in problem.wrt)
    return (value, *gradients) if problem.valued else gradients


def _along(function: Callable[..., Array], given: dict[str, Array], tangents: dict[str, Array]) -> tuple[Array, Array]:
    floating = {name: given[name] for name in tangents}
    value, derivative = jax.jvp(lambda some: function(**given | some), (floating,), (tangents,))
    return value, derivative


def _finished(function: Callable[..., Array], *arguments: Array) -> Call:
    return lambda: jax.block_until_ready(function(*arguments))  # type: ignore[no-untyped-call]


def attention(q: Array, k: Array, v: Array) -> Array:
    """`jax.nn.dot_product_attention`, which has the heads behind the queries."""
    swapped = (jnp.swapaxes(value, 1, 2) for value in (q, k, v))
    return jnp.swapaxes(jax.nn.dot_product_attention(*swapped), 1, 2)


def conv2d(x: Array, w: Array, padding: int) -> Array:
    """`lax.conv_general_dilated`."""
    sides = ((padding, padding), (padding, padding))
    return lax.conv_general_dilated(x, w, (1, 1), sides, feature_group_count=x.shape[1] // w.shape[1])


def depthwise_conv2d(x: Array, w: Array, padding: int) -> Array:
    """`lax.conv_general_dilated` with a group for each channel."""
    return conv2d(x, w[:, None], padding)


def _pooled(x: Array, start: float, reduction: Any, size: int, stride: int, padding: int) -> Array:
    sides = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    return lax.reduce_window(x, start, reduction, (1, 1, size, size), (1, 1, stride, stride), sides)


def max_pool2d(x: Array, size: int, stride: int, padding: int) -> Array:
    """`lax.reduce_window` with the larger of two."""
    return _pooled(x, -jnp.inf, lax.max, size, stride, padding)


def avg_pool2d(x: Array, size: int, stride: int, padding: int) -> Array:
    """`lax.reduce_window` with the sum of two."""
    return _pooled(x, 0.0, lax.add, size, stride, padding) / size**2


def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    """By `mean` and `var`."""
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * ((x - mean) * lax.rsqrt(variance + 1e-5)) + beta


def rms_norm(x: Array, gamma: Array) -> Array:
    """By `mean`."""
    return gamma * (x * lax.rsqrt((x * x).mean(axis=1, keepdims=True) + 1e-6))


def cross_entropy(logits: Array, targets: Array) -> Array:
    """By `log_softmax`."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits, axis=1), targets[:, None], axis=1)
    return -chosen.mean()


def black_scholes(spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array) -> Array:
    """The formula."""
    spread = volatility * jnp.sqrt(maturity)
    d1 = (jnp.log(spot / strike) + (rate + 0.5 * volatility**2) * maturity) / spread
    present = strike * jnp.exp(-rate * maturity)
    return spot * jax.scipy.special.ndtr(d1) - present * jax.scipy.special.ndtr(d1 - spread)


def asian_option(spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array, z: Array) -> Array:
    """All paths at once, by `cumsum`."""
    step = maturity / z.shape[1]
    growth = jnp.cumsum((rate - 0.5 * volatility**2) * step + volatility * jnp.sqrt(step) * z, axis=1)
    payoff = jax.nn.relu((spot * jnp.exp(growth)).mean(axis=1) - strike)
    return jnp.exp(-rate * maturity) * payoff.mean()


def nbody(positions: Array, masses: Array, softening: Array, gravity: Array) -> Array:
    """All pairs at once; the distance of a body to itself is replaced, as it may be 0."""
    d = positions[None] - positions[:, None]
    itself = jnp.eye(len(masses), dtype=bool)
    s = lax.rsqrt(jnp.where(itself, 1.0, (d * d).sum(axis=2) + softening**2))
    return gravity * masses[:, None] * jnp.einsum("ij,ijc->ic", masses * s**3, d)


def radon(x: Array, angles: Array, offsets: Array) -> Array:
    """Joseph's method: angles that go by rows and those that go by columns each gather from the padded image."""
    (h, w), padded = x.shape, jnp.pad(x, ((1, 2), (1, 2)))
    cosine, sine = jnp.cos(angles)[:, None, None], jnp.sin(angles)[:, None, None]
    by_rows = jnp.abs(cosine) >= jnp.abs(sine)
    cos_or_1, sin_or_1 = jnp.where(by_rows, cosine, 1.0), jnp.where(by_rows, 1.0, sine)
    v, u, t = jnp.arange(h) - (h - 1) / 2, jnp.arange(w) - (w - 1) / 2, offsets[None, :, None]
    rows = _interpolated(padded, (t - v * sine) / cos_or_1 + (w - 1) / 2) / jnp.abs(cos_or_1[..., 0])
    columns = _interpolated(padded.T, (t - u * cosine) / sin_or_1 + (h - 1) / 2) / jnp.abs(sin_or_1[..., 0])
    return jnp.where(by_rows[..., 0], rows, columns)


def _interpolated(padded: Array, place: Array) -> Array:
    """Sums over the last axis of `padded[1 + row, 1 + place]`; between elements, and 0 outside."""
    rows, last = jnp.arange(place.shape[2]) + 1, padded.shape[1] - 3
    whole = jnp.floor(place)
    left = jnp.clip(whole, -1, last).astype(jnp.int32) + 1
    inside, fraction = (whole >= -1) & (whole <= last), place - whole
    between = (1 - fraction) * padded[rows, left] + fraction * padded[rows, left + 1]
    return jnp.where(inside, between, 0.0).sum(axis=2)


def total_variation_step(u: Array, f: Array, tau: Array, lam: Array, epsilon: Array) -> Array:
    """Differences by slices."""
    down = jnp.pad(u[1:] - u[:-1], ((0, 1), (0, 0)))
    across = jnp.pad(u[:, 1:] - u[:, :-1], ((0, 0), (0, 1)))
    inverse = lax.rsqrt(down * down + across * across + epsilon * epsilon)
    down, across = down * inverse, across * inverse
    flow = jnp.pad(down[:-1], ((1, 0), (0, 0))) - down + jnp.pad(across[:, :-1], ((0, 0), (1, 0))) - across
    return u - tau * (u - f + lam * flow)


def pk_two_compartment(dose: Array, ka: Array, cl: Array, v1: Array, q: Array, v2: Array, dt: Array) -> Array:
    """`lax.scan` over the steps, all patients at once."""
    out_of_central, to_peripheral, back = cl / v1, q / v1, q / v2

    def rates(gut: Array, central: Array, peripheral: Array) -> tuple[Array, Array, Array]:
        absorbed, exchanged = ka * gut, to_peripheral * central - back * peripheral
        return -absorbed, absorbed - out_of_central * central - exchanged, exchanged

    def step(state: tuple[Array, ...], h: Array) -> tuple[tuple[Array, ...], Array]:
        first = rates(*state)
        second = rates(*(s + 0.5 * h * r for s, r in zip(state, first, strict=True)))
        third = rates(*(s + 0.5 * h * r for s, r in zip(state, second, strict=True)))
        fourth = rates(*(s + h * r for s, r in zip(state, third, strict=True)))
        stages = zip(state, first, second, third, fourth, strict=True)
        new = tuple(s + h / 6 * (a + 2 * (b + c) + d) for s, a, b, c, d in stages)
        return new, new[1]

    start = (dose, jnp.zeros_like(dose), jnp.zeros_like(dose))
    return lax.scan(step, start, dt)[1].T / v1[:, None]


def cox_partial_likelihood(x: Array, beta: Array, delta: Array) -> Array:
    """The logarithms of the sums by `cumlogsumexp`."""
    eta = x @ beta
    return (delta * (eta - lax.cumlogsumexp(eta))).sum()


def sinkhorn_step(cost: Array, a: Array, g: Array, epsilon: Array) -> Array:
    """By `logsumexp`."""
    return epsilon * (jnp.log(a) - jax.scipy.special.logsumexp((g - cost) / epsilon, axis=1))


FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "matmul": lambda a, b: a @ b,
    "batch_matmul": lambda a, b: a @ b,
    "linear_gelu": lambda x, w, b: jax.nn.gelu(x @ w.T + b, approximate=False),
    "attention": attention,
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "softmax": lambda x: jax.nn.softmax(x, axis=1),
    "log_softmax": lambda x: jax.nn.log_softmax(x, axis=1),
    "logsumexp": lambda x: jax.nn.logsumexp(x, axis=1),
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "cross_entropy": cross_entropy,
    "embedding": lambda table, idx: table[idx],
    "black_scholes": black_scholes,
    "asian_option": asian_option,
    "nbody": nbody,
    "radon": radon,
    "total_variation_step": total_variation_step,
    "pk_two_compartment": pk_two_compartment,
    "cox_partial_likelihood": cox_partial_likelihood,
    "sinkhorn_step": sinkhorn_step,
}
