"""A small transformer, trained with autotune's kernels as PyTorch's operators, and with PyTorch's own: the same losses.

python examples/transformer/train.py                # both, a step of each in turn
python examples/transformer/train.py --tune 32      # tune the kernels first: so many trials for each direction
python examples/transformer/train.py --steps 3 --small
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

import autotune as at
from autotune import library

Function = Callable[..., torch.Tensor]


@at.kernel
def gelu(x: at.Tensor["m", "n"]):
    """GELU, apart from the product before it, whose gradients then do not compute that product again."""
    i, j = at.axes(x)
    return at.output[i, j](0.5 * x[i, j] * (1 + at.erf(x[i, j] * math.sqrt(0.5))))


@at.kernel
def scores(q: at.Tensor["b", "t", "h", "d"], k: at.Tensor["b", "s", "h", "d"]):
    """How much each query has to do with each key, for every head."""
    b, t, h, d = at.axes(q)
    s = at.axes(k)[1]
    return at.output[b, h, t, s](at.sum(q[b, t, h, d] * k[b, s, h, d], over=d) * at.rsqrt(at.extent(d)))


@at.kernel
def causal_softmax(x: at.Tensor["b", "h", "t", "s"]):
    """Softmax over the keys up to the query's own place."""
    b, h, t, s = at.axes(x)
    seen = at.where(t >= s, x[b, h, t, s], -math.inf)
    e = at.exp(seen - at.stop_gradient(at.max(seen, over=s)))
    return at.output[b, h, t, s](e / at.sum(e, over=s))


@at.kernel
def weighted(p: at.Tensor["b", "h", "t", "s"], v: at.Tensor["b", "s", "h", "d"]):
    """Means of the values, each weighted by its probability."""
    b, h, t, s = at.axes(p)
    d = at.axes(v)[3]
    return at.output[b, t, h, d](at.sum(p[b, h, t, s] * v[b, s, h, d], over=s))


@at.kernel
def residual_norm(x: at.Tensor["rows", "cols"], gamma: at.Tensor["cols"]):
    """Each row with mean 0 and variance 1, scaled."""
    i, j = at.axes(x)
    centred = x[i, j] - at.mean(x[i, j], over=j)
    return at.output[i, j](gamma[j] * (centred * at.rsqrt(at.mean(centred * centred, over=j) + 1e-5)))


@dataclass(frozen=True)
class Size:
    """Of the model and its batches."""

    batch: int = 16
    context: int = 64
    width: int = 128
    heads: int = 4
    hidden: int = 512
    words: int = 256

    @property
    def tokens(self) -> int:
        """In a batch."""
        return self.batch * self.context


SMALL = Size(batch=2, context=16, width=32, heads=2, hidden=64, words=64)


@dataclass(frozen=True)
class Operators:
    """What the model is made of."""

    embedding: Function
    norm: Function
    matmul: Function
    attention: Function
    gelu: Function
    cross_entropy: Function


def ours() -> Operators:
    """Kernels of autotune. Attention is three of them, so that gradients read the probabilities that are there."""
    related, normalized, mixed = (at.torch.function(kernel) for kernel in (scores, causal_softmax, weighted))

    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return mixed(normalized(related(q, k)), v)

    return Operators(
        embedding=at.torch.function(library.embedding),
        norm=at.torch.function(residual_norm),
        matmul=at.torch.function(library.matmul),
        attention=attention,
        gelu=at.torch.function(gelu),
        cross_entropy=at.torch.function(library.cross_entropy),
    )


def pytorch() -> Operators:
    """PyTorch's own."""

    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)

    return Operators(
        embedding=lambda table, words: functional.embedding(words, table),
        norm=lambda x, gamma: functional.layer_norm(x, x.shape[-1:], gamma),
        matmul=torch.matmul,
        attention=attention,
        gelu=functional.gelu,
        cross_entropy=functional.cross_entropy,
    )


def parameters(size: Size) -> dict[str, torch.Tensor]:
    """The weights before training, the same for the same size."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int, scale: float) -> torch.Tensor:
        return (torch.randn(shape, generator=generator) * scale).requires_grad_()

    width, hidden = size.width, size.hidden
    deep, wide = 1 / math.sqrt(width), 1 / math.sqrt(hidden)
    return {
        "words": normal(size.words, width, scale=0.02),
        "places": normal(size.context, width, scale=0.02),
        **{name: normal(width, width, scale=deep) for name in ("query", "key", "value", "mix")},
        "up": normal(width, hidden, scale=deep),
        "down": normal(hidden, width, scale=wide),
        "out": normal(width, size.words, scale=deep),
        **{name: torch.ones(width, requires_grad=True) for name in ("norm_1", "norm_2", "norm_3")},
    }


def loss(at_hand: Operators, weights: dict[str, torch.Tensor], words: torch.Tensor, size: Size) -> torch.Tensor:
    """Mean surprise at the next word, of `words` (batch, context + 1)."""
    batch, context, heads = size.batch, size.context, size.heads

    def split(x: torch.Tensor) -> torch.Tensor:
        return x.view(batch, context, heads, -1)

    x = at_hand.embedding(weights["words"], words[:, :-1].reshape(-1))
    x = (x.view(batch, context, -1) + weights["places"]).view(size.tokens, -1)
    y = at_hand.norm(x, weights["norm_1"])
    q, k, v = (split(at_hand.matmul(y, weights[name])) for name in ("query", "key", "value"))
    mixed = at_hand.attention(q, k, v).reshape(size.tokens, -1)
    x = x + at_hand.matmul(mixed, weights["mix"])
    y = at_hand.norm(x, weights["norm_2"])
    x = x + at_hand.matmul(at_hand.gelu(at_hand.matmul(y, weights["up"])), weights["down"])
    scores = at_hand.matmul(at_hand.norm(x, weights["norm_3"]), weights["out"])
    return at_hand.cross_entropy(scores, words[:, 1:].reshape(-1))


class Training:
    """One model on its way: the same steps for the same operators."""

    def __init__(self, at_hand: Operators, size: Size) -> None:
        self.operators, self.size = at_hand, size
        self.weights = parameters(size)
        self.optimizer = torch.optim.SGD(self.weights.values(), lr=0.1)
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def step(self, words: torch.Tensor) -> None:
        """Forward, backward, and a step down."""
        start = time.perf_counter()
        self.optimizer.zero_grad()
        value = loss(self.operators, self.weights, words, self.size)
        value.backward()
        self.optimizer.step()
        self.losses.append(value.item())
        self.seconds.append(time.perf_counter() - start)


def batches(size: Size, count: int) -> list[torch.Tensor]:
    """Words that follow each other by a rule with some noise, so that there is something to learn."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for _ in range(count):
        first = torch.randint(size.words, (size.batch, 1), generator=generator)
        steps = torch.randint(3, (size.batch, size.context), generator=generator)
        found.append(
            (first + torch.cat([torch.zeros(size.batch, 1, dtype=torch.int64), steps], 1).cumsum(1)) % size.words
        )
    return found


def workloads(size: Size) -> list[tuple[at.TunedKernel, dict[str, Any]]]:
    """What a step runs: each kernel with its sizes."""
    width, tokens, each = size.width, size.tokens, size.width // size.heads
    products = {(width, width), (width, size.hidden), (size.hidden, width), (width, size.words)}
    attention = {"b": size.batch, "h": size.heads, "t": size.context, "s": size.context}
    return [
        *((library.matmul, {"m": tokens, "k": k, "n": n}) for k, n in sorted(products)),
        (scores, attention | {"d": each}),
        (causal_softmax, attention),
        (weighted, attention | {"d": each}),
        (residual_norm, {"rows": tokens, "cols": width}),
        (gelu, {"m": tokens, "n": size.hidden}),
        (library.cross_entropy, {"b": tokens, "v": size.words}),
        (library.embedding, {"v": size.words, "d": width, "t": tokens}),
    ]


def main(arguments: list[str] | None = None) -> dict[str, Training]:
    """Train both; gives them by name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--small", action="store_true", help="a model for a quick look")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tune", type=int, metavar="TRIALS", help="tune every kernel and gradient first")
    given = parser.parse_args(arguments)
    size = SMALL if given.small else Size()
    torch.set_num_threads(given.threads)
    trained = {"autotune": Training(ours(), size), "PyTorch": Training(pytorch(), size)}
    with at.options(threads=given.threads):
        if given.tune:
            for kernel, sizes in workloads(size):
                kernel.tune(trials=given.tune, **sizes)
        for words in batches(size, given.steps):
            for training in trained.values():
                training.step(words)
    for name, training in trained.items():
        median = statistics.median(training.seconds[len(training.seconds) // 5 :])
        print(f"{name:9} loss {training.losses[0]:.6f} -> {training.losses[-1]:.6f}, {1e3 * median:.2f} ms a step")
    return trained


if __name__ == "__main__":
    main()
