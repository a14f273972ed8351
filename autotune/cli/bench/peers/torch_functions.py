"""PyTorch: its own function where there is one, else what one writes with it; derivatives by its autograd."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from autotune.cli.bench.kernels.problem import COTANGENT, TANGENT, Problem
from autotune.measure.timing import Call

Tensor = torch.Tensor


def eager(problem: Problem) -> Call:
    """The function, operation by operation; of a gradient both passes, from the inputs to the gradient."""
    return _prepare(problem, lambda function: function)


def backward_alone(problem: Problem) -> Call:
    """The backward pass of the same: what the forward pass keeps for it is there already."""
    of_floating, wrt, seed, primals = _gradient_of(problem, lambda function: function)
    result = of_floating(*primals)
    return lambda: torch.autograd.grad(result, wrt, seed, retain_graph=True)


def compiled(problem: Problem) -> Call:
    """The same compiled by `torch.compile`, for this shape."""
    import torch._dynamo

    torch._dynamo.reset()
    return _prepare(problem, partial(torch.compile, dynamic=False, fullgraph=True))


def _prepare(problem: Problem, compile_: Callable[[Any], Any]) -> Call:
    torch.set_num_threads(problem.case.threads)
    given = {name: torch.from_numpy(array) for name, array in problem.inputs.items()}
    seeds = {name: torch.from_numpy(array) for name, array in problem.seeds.items()}
    of_floating = _of(problem, given)
    primals = tuple(given[name] for name in problem.floating)
    if problem.case.direction == "jvp":
        tangents = tuple(seeds[name + TANGENT] for name in problem.floating)
        derivative = compile_(partial(_along, of_floating))
        return _without_graph(partial(derivative, primals, tangents))
    if not problem.wrt:
        return _without_graph(partial(compile_(of_floating), *primals))
    of_floating, wrt, seed, primals = _gradient_of(problem, compile_)

    def both_passes() -> tuple[Tensor, ...]:
        result = of_floating(*primals)
        gradients = torch.autograd.grad(result, wrt, seed)
        return (result.detach(), *gradients) if problem.valued else gradients

    return both_passes


def _gradient_of(
    problem: Problem, compile_: Callable[[Any], Any]
) -> tuple[Any, tuple[Tensor, ...], Tensor, tuple[Tensor, ...]]:
    """The function, the inputs that its gradients are taken by, the cotangent, and all floating inputs."""
    torch.set_num_threads(problem.case.threads)
    given = {name: torch.from_numpy(array) for name, array in problem.inputs.items()}
    wrt = tuple(given[name].requires_grad_() for name in problem.wrt)
    primals = tuple(given[name] for name in problem.floating)
    return compile_(_of(problem, given)), wrt, torch.from_numpy(problem.seeds[COTANGENT]), primals


def _along(function: Callable[..., Tensor], primals: tuple[Tensor, ...], tangents: tuple[Tensor, ...]) -> Any:
    with sdpa_kernel(SDPBackend.MATH):  # the fused attention has no forward mode
        return torch.func.jvp(function, primals, tangents)


def _of(problem: Problem, given: Mapping[str, Tensor]) -> Callable[..., Tensor]:
    """The kernel's function of its floating inputs, the others and the options bound."""
    function = FUNCTIONS[problem.case.kernel]
    others = {name: value for name, value in given.items() if name not in problem.floating}
    bound = {**dict(problem.case.options), **others}
    names = problem.floating

    def of_floating(*values: Tensor) -> Tensor:
        return function(**dict(zip(names, values, strict=True)), **bound)

    return of_floating


def _without_graph(call: Call) -> Call:
    def without() -> object:
        with torch.no_grad():
            return call()

    return without


def linear_gelu(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """A linear layer, then the exact GELU."""
    return functional.gelu(functional.linear(x, w, b))


def conv2d(x: Tensor, w: Tensor, padding: int) -> Tensor:
    """`torch.nn.functional.conv2d`."""
    return functional.conv2d(x, w, padding=padding, groups=x.shape[1] // w.shape[1])


def depthwise_conv2d(x: Tensor, w: Tensor, padding: int) -> Tensor:
    """`torch.nn.functional.conv2d` with a group for each channel."""
    return functional.conv2d(x, w[:, None], padding=padding, groups=x.shape[1])


def max_pool2d(x: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """`torch.nn.functional.max_pool2d`."""
    return functional.max_pool2d(x, size, stride, padding)


def avg_pool2d(x: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """`torch.nn.functional.avg_pool2d`."""
    return functional.avg_pool2d(x, size, stride, padding)


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """`torch.nn.functional.layer_norm`."""
    return functional.layer_norm(x, x.shape[1:], gamma, beta, 1e-5)


def rms_norm(x: Tensor, gamma: Tensor) -> Tensor:
    """`torch.nn.functional.rms_norm`."""
    return functional.rms_norm(x, x.shape[1:], gamma, 1e-6)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """`torch.nn.functional.cross_entropy`."""
    return functional.cross_entropy(logits, targets)


def embedding(table: Tensor, idx: Tensor) -> Tensor:
    """`torch.nn.functional.embedding`."""
    return functional.embedding(idx, table)


def black_scholes(spot: Tensor, strike: Tensor, rate: Tensor, volatility: Tensor, maturity: Tensor) -> Tensor:
    """The formula."""
    spread = volatility * torch.sqrt(maturity)
    d1 = (torch.log(spot / strike) + (rate + 0.5 * volatility**2) * maturity) / spread
    present = strike * torch.exp(-rate * maturity)
    price: Tensor = spot * torch.special.ndtr(d1) - present * torch.special.ndtr(d1 - spread)
    return price


def asian_option(spot: Tensor, strike: Tensor, rate: Tensor, volatility: Tensor, maturity: Tensor, z: Tensor) -> Tensor:
    """All paths at once, by `cumsum`."""
    step = maturity / z.shape[1]
    growth = torch.cumsum((rate - 0.5 * volatility**2) * step + volatility * torch.sqrt(step) * z, dim=1)
    payoff = torch.relu((spot * torch.exp(growth)).mean(dim=1) - strike)
    return torch.exp(-rate * maturity) * payoff.mean()


def nbody(positions: Tensor, masses: Tensor, softening: Tensor, gravity: Tensor) -> Tensor:
    """All pairs at once; the distance of a body to itself is replaced, as it may be 0."""
    d = positions[None] - positions[:, None]
    itself = torch.eye(len(masses), dtype=torch.bool)
    s = torch.rsqrt(torch.where(itself, 1.0, (d * d).sum(dim=2) + softening**2))
    return gravity * masses[:, None] * torch.einsum("ij,ijc->ic", masses * s**3, d)


def radon(x: Tensor, angles: Tensor, offsets: Tensor) -> Tensor:
    """Joseph's method: angles that go by rows and those that go by columns each gather from the padded image."""
    (h, w), padded = x.shape, functional.pad(x, (1, 2, 1, 2))
    cosine, sine = torch.cos(angles)[:, None, None], torch.sin(angles)[:, None, None]
    by_rows = torch.abs(cosine) >= torch.abs(sine)
    cos_or_1, sin_or_1 = torch.where(by_rows, cosine, 1.0), torch.where(by_rows, 1.0, sine)
    v, u, t = torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, offsets[None, :, None]
    rows = _interpolated(padded, (t - v * sine) / cos_or_1 + (w - 1) / 2) / torch.abs(cos_or_1[..., 0])
    columns = _interpolated(padded.T, (t - u * cosine) / sin_or_1 + (h - 1) / 2) / torch.abs(sin_or_1[..., 0])
    return torch.where(by_rows[..., 0], rows, columns)


def _interpolated(padded: Tensor, place: Tensor) -> Tensor:
    """Sums over the last axis of `padded[1 + row, 1 + place]`; between elements, and 0 outside."""
    rows, last = torch.arange(place.shape[2]) + 1, padded.shape[1] - 3
    whole = torch.floor(place)
    left = torch.clamp(whole, -1, last).to(torch.int64) + 1
    inside = (whole >= -1) & (whole <= last)
    between = torch.lerp(padded[rows, left], padded[rows, left + 1], place - whole)
    return torch.where(inside, between, 0.0).sum(dim=2)


def total_variation_step(u: Tensor, f: Tensor, tau: Tensor, lam: Tensor, epsilon: Tensor) -> Tensor:
    """Differences by slices."""
    down = functional.pad(u[1:] - u[:-1], (0, 0, 0, 1))
    across = functional.pad(u[:, 1:] - u[:, :-1], (0, 1))
    inverse = torch.rsqrt(down * down + across * across + epsilon * epsilon)
    down, across = down * inverse, across * inverse
    flow = functional.pad(down[:-1], (0, 0, 1, 0)) - down + functional.pad(across[:, :-1], (1, 0)) - across
    return u - tau * (u - f + lam * flow)


def pk_two_compartment(dose: Tensor, ka: Tensor, cl: Tensor, v1: Tensor, q: Tensor, v2: Tensor, dt: Tensor) -> Tensor:
    """A Python loop over the steps, all patients at once."""
    out_of_central, to_peripheral, back = cl / v1, q / v1, q / v2

    def rates(gut: Tensor, central: Tensor, peripheral: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        absorbed, exchanged = ka * gut, to_peripheral * central - back * peripheral
        return -absorbed, absorbed - out_of_central * central - exchanged, exchanged

    state = (dose, torch.zeros_like(dose), torch.zeros_like(dose))
    results = []
    for h in dt:
        first = rates(*state)
        second = rates(*(s + 0.5 * h * r for s, r in zip(state, first, strict=True)))
        third = rates(*(s + 0.5 * h * r for s, r in zip(state, second, strict=True)))
        fourth = rates(*(s + h * r for s, r in zip(state, third, strict=True)))
        stages = zip(state, first, second, third, fourth, strict=True)
        state = tuple(s + h / 6 * (a + 2 * (b + c) + d) for s, a, b, c, d in stages)
        results.append(state[1])
    return torch.stack(results, dim=1) / v1[:, None]


def cox_partial_likelihood(x: Tensor, beta: Tensor, delta: Tensor) -> Tensor:
    """The logarithms of the sums by `logcumsumexp`."""
    eta = x @ beta
    return (delta * (eta - torch.logcumsumexp(eta, dim=0))).sum()


def sinkhorn_step(cost: Tensor, a: Tensor, g: Tensor, epsilon: Tensor) -> Tensor:
    """By `logsumexp`."""
    return epsilon * (torch.log(a) - torch.logsumexp((g - cost) / epsilon, dim=1))


FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "matmul": lambda a, b: a @ b,
    "batch_matmul": lambda a, b: a @ b,
    "linear_gelu": linear_gelu,
    "attention": lambda q, k, v: functional.scaled_dot_product_attention(q, k, v),
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "softmax": lambda x: torch.softmax(x, dim=1),
    "log_softmax": lambda x: torch.log_softmax(x, dim=1),
    "logsumexp": lambda x: torch.logsumexp(x, dim=1),
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "cross_entropy": cross_entropy,
    "embedding": embedding,
    "black_scholes": black_scholes,
    "asian_option": asian_option,
    "nbody": nbody,
    "radon": radon,
    "total_variation_step": total_variation_step,
    "pk_two_compartment": pk_two_compartment,
    "cox_partial_likelihood": cox_partial_likelihood,
    "sinkhorn_step": sinkhorn_step,
}
