"""NumPy and SciPy: array programs as one writes them, gradients by their closed formulas (cited in `autotune.library`).

A function is named as its kernel, `_by_` and the input for a gradient, and its parameters as inputs and cotangent are.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import special

from autotune.cli.bench.kernels.problem import Problem
from autotune.cli.bench.peers.offered import NotOfferedError
from autotune.measure.timing import Call

Array: TypeAlias = NDArray[Any]


def prepare(problem: Problem) -> Call:
    """The function of that kernel and direction."""
    name = problem.formula
    if name is None or name not in FUNCTIONS:
        message = f"no formula is written down for {problem.case.direction}"
        raise NotOfferedError(message)
    return problem.call(FUNCTIONS[name])


def linear_gelu(x: Array, w: Array, b: Array) -> Array:
    """A linear layer, then the exact GELU."""
    z = x @ w.T + b
    return np.asarray(z * special.ndtr(z))


def _through_gelu(x: Array, w: Array, b: Array, out_bar: Array) -> Array:
    z = x @ w.T + b
    return np.asarray(out_bar * (special.ndtr(z) + z * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi).astype(z.dtype)))


def linear_gelu_by_x(x: Array, w: Array, b: Array, out_bar: Array) -> Array:
    """z̄ · w."""
    return _through_gelu(x, w, b, out_bar) @ w


def linear_gelu_by_w(x: Array, w: Array, b: Array, out_bar: Array) -> Array:
    """z̄ᵀ · x."""
    return _through_gelu(x, w, b, out_bar).T @ x


def linear_gelu_by_b(x: Array, w: Array, b: Array, out_bar: Array) -> Array:
    """Sums of z̄ over the rows."""
    return np.asarray(_through_gelu(x, w, b, out_bar).sum(axis=0))


def _attended(q: Array, k: Array) -> Array:
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]).astype(q.dtype)
    return np.asarray(special.softmax(scores, axis=-1))


def attention(q: Array, k: Array, v: Array) -> Array:
    """All scores at once."""
    return _attended(q, k) @ v


def _scores_bar(q: Array, k: Array, v: Array, out_bar: Array) -> Array:
    weights, weights_bar = _attended(q, k), out_bar @ np.swapaxes(v, -1, -2)
    weights_bar -= (weights_bar * weights).sum(axis=-1, keepdims=True)
    return np.asarray(weights * weights_bar / np.sqrt(q.shape[-1]).astype(q.dtype))


def attention_by_q(q: Array, k: Array, v: Array, out_bar: Array) -> Array:
    """S̄ · k / √d."""
    return _scores_bar(q, k, v, out_bar) @ k


def attention_by_k(q: Array, k: Array, v: Array, out_bar: Array) -> Array:
    """S̄ᵀ · q / √d."""
    return np.swapaxes(_scores_bar(q, k, v, out_bar), -1, -2) @ q


def attention_by_v(q: Array, k: Array, out_bar: Array) -> Array:
    """Pᵀ · out̄."""
    return np.swapaxes(_attended(q, k), -1, -2) @ out_bar


def _windows(x: Array, shape: tuple[int, int], padding: int, around: float = 0.0, stride: int = 1) -> Array:
    sides = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(x, sides, constant_values=around)
    return sliding_window_view(padded, shape, axis=(2, 3))[:, :, ::stride, ::stride]


def conv2d(x: Array, w: Array, padding: int) -> Array:
    """A view of all windows, contracted with the weights by `tensordot`."""
    contracted = np.tensordot(_windows(x, w.shape[2:], padding), w, axes=((1, 4, 5), (1, 2, 3)))
    return np.moveaxis(contracted, 3, 1)


def conv2d_by_x(w: Array, out_bar: Array, padding: int) -> Array:
    """The convolution of the cotangent with the weights turned round."""
    turned = np.swapaxes(w, 0, 1)[:, :, ::-1, ::-1]
    return conv2d(out_bar, turned, w.shape[2] - 1 - padding)


def conv2d_by_w(x: Array, w: Array, out_bar: Array, padding: int) -> Array:
    """The windows contracted with the cotangent."""
    return np.tensordot(out_bar, _windows(x, w.shape[2:], padding), axes=((0, 2, 3), (0, 2, 3)))


def depthwise_conv2d(x: Array, w: Array, padding: int) -> Array:
    """A sum over the offsets in the window of shifted images."""
    (h, width), (rows, columns) = x.shape[2:], w.shape[1:]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    p, q = h + 2 * padding - rows + 1, width + 2 * padding - columns + 1
    offsets = ((r, s) for r in range(rows) for s in range(columns))
    return np.asarray(sum(padded[:, :, r : r + p, s : s + q] * w[None, :, r, s, None, None] for r, s in offsets))


def depthwise_conv2d_by_x(w: Array, out_bar: Array, padding: int) -> Array:
    """The convolution of the cotangent with the weights turned round."""
    return depthwise_conv2d(out_bar, w[:, ::-1, ::-1], w.shape[1] - 1 - padding)


def depthwise_conv2d_by_w(x: Array, w: Array, out_bar: Array, padding: int) -> Array:
    """For each offset in the window, the product of the shifted image with the cotangent."""
    return np.asarray(np.einsum("ncpqrs,ncpq->crs", _windows(x, w.shape[1:], padding), out_bar, optimize=True))


def max_pool2d(x: Array, size: int, stride: int, padding: int) -> Array:
    """The largest of all windows of a view."""
    return np.asarray(_windows(x, (size, size), padding, -np.inf, stride).max(axis=(4, 5)))


def avg_pool2d(x: Array, size: int, stride: int, padding: int) -> Array:
    """The mean of all windows of a view."""
    return np.asarray(_windows(x, (size, size), padding, 0.0, stride).mean(axis=(4, 5)))


def softmax_by_x(x: Array, out_bar: Array) -> Array:
    """out ⊙ (out̄ - Σ out̄ ⊙ out)."""
    out = special.softmax(x, axis=1)
    return np.asarray(out * (out_bar - (out_bar * out).sum(axis=1, keepdims=True)))


def log_softmax_by_x(x: Array, out_bar: Array) -> Array:
    """out̄ - softmax · Σ out̄."""
    return np.asarray(out_bar - special.softmax(x, axis=1) * out_bar.sum(axis=1, keepdims=True))


def _normalized(x: Array, epsilon: float) -> tuple[Array, Array]:
    """The normalized rows, and one over their standard deviations."""
    centred = x - x.mean(axis=1, keepdims=True)
    r = 1 / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + x.dtype.type(epsilon))
    return centred * r, r


def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    """By `mean`."""
    return gamma * _normalized(x, 1e-5)[0] + beta


def layer_norm_by_x(x: Array, gamma: Array, out_bar: Array) -> Array:
    """r·(u - mean(u) - x̂ ⊙ mean(u ⊙ x̂))."""
    (normalized, r), u = _normalized(x, 1e-5), out_bar * gamma
    along = (u * normalized).mean(axis=1, keepdims=True)
    return np.asarray(r * (u - u.mean(axis=1, keepdims=True) - normalized * along))


def layer_norm_by_gamma(x: Array, out_bar: Array) -> Array:
    """Sums of out̄ ⊙ x̂ over the rows."""
    return np.asarray((out_bar * _normalized(x, 1e-5)[0]).sum(axis=0))


def _scaled(x: Array) -> tuple[Array, Array]:
    r = 1 / np.sqrt((x * x).mean(axis=1, keepdims=True) + x.dtype.type(1e-6))
    return x * r, r


def rms_norm(x: Array, gamma: Array) -> Array:
    """By `mean`."""
    return gamma * _scaled(x)[0]


def rms_norm_by_x(x: Array, gamma: Array, out_bar: Array) -> Array:
    """r·(u - x̂ ⊙ mean(u ⊙ x̂))."""
    (scaled, r), u = _scaled(x), out_bar * gamma
    return np.asarray(r * (u - scaled * (u * scaled).mean(axis=1, keepdims=True)))


def rms_norm_by_gamma(x: Array, out_bar: Array) -> Array:
    """Sums of out̄ ⊙ x̂ over the rows."""
    return np.asarray((out_bar * _scaled(x)[0]).sum(axis=0))


def cross_entropy(logits: Array, targets: Array) -> Array:
    """SciPy's `logsumexp` less the scores of the targets."""
    chosen = logits[np.arange(len(targets)), targets]
    return np.asarray((special.logsumexp(logits, axis=1) - chosen).mean())


def cross_entropy_by_logits(logits: Array, targets: Array, out_bar: Array) -> Array:
    """SciPy's `softmax`, less 1 at the targets."""
    found = special.softmax(logits, axis=1)
    found[np.arange(len(targets)), targets] -= 1
    found *= out_bar / len(targets)
    return np.asarray(found)


def embedding(table: Array, idx: Array) -> Array:
    """`take`."""
    return table.take(idx, axis=0)


def embedding_by_table(table: Array, idx: Array, out_bar: Array) -> Array:
    """`np.add.at`."""
    gradient = np.zeros_like(table)
    np.add.at(gradient, idx, out_bar)
    return gradient


def black_scholes(spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array) -> Array:
    """The formula with SciPy's `ndtr`."""
    spread = volatility * np.sqrt(maturity)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * maturity) / spread
    return np.asarray(spot * special.ndtr(d1) - strike * np.exp(-rate * maturity) * special.ndtr(d1 - spread))


def black_scholes_by_spot(
    spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array, out_bar: Array
) -> Array:
    """Delta, Φ(d₁)."""
    spread = volatility * np.sqrt(maturity)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * maturity) / spread
    return np.asarray(out_bar * special.ndtr(d1))


def asian_option(spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array, z: Array) -> Array:
    """All paths at once, by `cumsum`."""
    step = maturity / z.dtype.type(z.shape[1])
    growth = np.cumsum((rate - 0.5 * volatility**2) * step + volatility * np.sqrt(step) * z, axis=1)
    payoff = np.maximum((spot * np.exp(growth)).mean(axis=1) - strike, 0)
    return np.asarray(np.exp(-rate * maturity) * payoff.mean())


def nbody(positions: Array, masses: Array, softening: Array, gravity: Array) -> Array:
    """All pairs at once."""
    d = positions[None] - positions[:, None]
    squared = (d * d).sum(axis=2) + softening**2
    np.fill_diagonal(squared, 1.0)
    return np.asarray(gravity * masses[:, None] * np.einsum("ij,ijc->ic", masses / (squared * np.sqrt(squared)), d))


def total_variation_step(u: Array, f: Array, tau: Array, lam: Array, epsilon: Array) -> Array:
    """Differences by `diff`."""
    down = np.diff(u, axis=0, append=u[-1:])
    across = np.diff(u, axis=1, append=u[:, -1:])
    size = np.sqrt(down * down + across * across + epsilon * epsilon)
    down, across = down / size, across / size
    flow = -np.diff(down, axis=0, prepend=0) - np.diff(across, axis=1, prepend=0)
    return np.asarray(u - tau * (u - f + lam * flow))


def cox_partial_likelihood(x: Array, beta: Array, delta: Array) -> Array:
    """The logarithms of the sums by `logaddexp.accumulate`."""
    eta = x @ beta
    return np.asarray((delta * (eta - np.logaddexp.accumulate(eta))).sum())


def sinkhorn_step(cost: Array, a: Array, g: Array, epsilon: Array) -> Array:
    """By SciPy's `logsumexp`."""
    return np.asarray(epsilon * (np.log(a) - special.logsumexp((g - cost) / epsilon, axis=1)))


def sinkhorn_step_by_cost(cost: Array, g: Array, epsilon: Array, out_bar: Array) -> Array:
    """out̄ ⊙ softmax."""
    return np.asarray(out_bar[:, None] * special.softmax((g - cost) / epsilon, axis=1))


def sinkhorn_step_by_g(cost: Array, g: Array, epsilon: Array, out_bar: Array) -> Array:
    """-softmaxᵀ · out̄."""
    return np.asarray(-(out_bar @ special.softmax((g - cost) / epsilon, axis=1)))


WRITTEN = (
    linear_gelu, linear_gelu_by_x, linear_gelu_by_w, linear_gelu_by_b,
    attention, attention_by_q, attention_by_k, attention_by_v,
    conv2d, conv2d_by_x, conv2d_by_w, depthwise_conv2d, depthwise_conv2d_by_x, depthwise_conv2d_by_w,
    max_pool2d, avg_pool2d,
    softmax_by_x, log_softmax_by_x, cross_entropy, cross_entropy_by_logits,
    layer_norm, layer_norm_by_x, layer_norm_by_gamma, rms_norm, rms_norm_by_x, rms_norm_by_gamma,
    embedding, embedding_by_table,
    black_scholes, black_scholes_by_spot, asian_option,
    nbody, total_variation_step, cox_partial_likelihood,
    sinkhorn_step, sinkhorn_step_by_cost, sinkhorn_step_by_g,
)  # fmt: skip

FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    **{function.__name__: function for function in WRITTEN},
    "matmul": lambda a, b: a @ b,
    "matmul_by_a": lambda b, out_bar: out_bar @ b.T,
    "matmul_by_b": lambda a, out_bar: a.T @ out_bar,
    "batch_matmul": lambda a, b: a @ b,
    "batch_matmul_by_a": lambda b, out_bar: out_bar @ np.swapaxes(b, 1, 2),
    "batch_matmul_by_b": lambda a, out_bar: np.swapaxes(a, 1, 2) @ out_bar,
    "softmax": lambda x: special.softmax(x, axis=1),
    "log_softmax": lambda x: special.log_softmax(x, axis=1),
    "logsumexp": lambda x: special.logsumexp(x, axis=1),
    "logsumexp_by_x": lambda x, out_bar: out_bar[:, None] * special.softmax(x, axis=1),
    "layer_norm_by_beta": lambda out_bar: out_bar.sum(axis=0),
    "total_variation_step_by_f": lambda tau, out_bar: tau * out_bar,
    "sinkhorn_step_by_a": lambda a, epsilon, out_bar: epsilon * out_bar / a,
}
