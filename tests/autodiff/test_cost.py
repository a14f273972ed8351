"""Derived kernels cost what hand-written ones do: operations counted against the closed forms of KERNELS.md §3."""

import pytest

from autotune import lang as at
from autotune.autodiff import vjp
from autotune.lang import Kernel, define
from autotune.library import cross_entropy, layer_norm, log_softmax, logsumexp, rms_norm, softmax


def softmax_bar(x: at.Tensor["rows", "cols"], out_bar: at.Tensor["rows", "cols"]) -> at.Output:
    """y ⊙ (ȳ - ⟨ȳ, y⟩)."""
    i, j = at.axes(x)
    e = at.exp(x[i, j] - at.max(x[i, j], over=j))
    y = e / at.sum(e, over=j)
    return at.output[i, j](y * (out_bar[i, j] - at.sum(out_bar[i, j] * y, over=j)))


def log_softmax_bar(x: at.Tensor["rows", "cols"], out_bar: at.Tensor["rows", "cols"]) -> at.Output:
    """ȳ - y · Σ ȳ."""
    i, j = at.axes(x)
    e = at.exp(x[i, j] - at.max(x[i, j], over=j))
    return at.output[i, j](out_bar[i, j] - e / at.sum(e, over=j) * at.sum(out_bar[i, j], over=j))


def logsumexp_bar(x: at.Tensor["rows", "cols"], out_bar: at.Tensor["rows"]) -> at.Output:
    """ȳ · softmax(x)."""
    i, j = at.axes(x)
    e = at.exp(x[i, j] - at.max(x[i, j], over=j))
    return at.output[i, j](out_bar[i] / at.sum(e, over=j) * e)


def layer_norm_bar(
    x: at.Tensor["rows", "cols"], gamma: at.Tensor["cols"], out_bar: at.Tensor["rows", "cols"]
) -> at.Output:
    """r (u - mean(u) - x̂ · mean(u x̂)) where u is ȳ ⊙ gamma."""
    i, j = at.axes(x)
    centred = x[i, j] - at.mean(x[i, j], over=j)
    r = at.rsqrt(at.mean(centred * centred, over=j) + 1e-5)
    hat, u = centred * r, out_bar[i, j] * gamma[j]
    return at.output[i, j](r * (u - at.mean(u, over=j) - hat * at.mean(u * hat, over=j)))


def rms_norm_bar(
    x: at.Tensor["rows", "cols"], gamma: at.Tensor["cols"], out_bar: at.Tensor["rows", "cols"]
) -> at.Output:
    """r (u - x̂ · mean(u x̂)) where u is ȳ ⊙ gamma."""
    i, j = at.axes(x)
    r = at.rsqrt(at.mean(x[i, j] * x[i, j], over=j) + 1e-6)
    hat, u = x[i, j] * r, out_bar[i, j] * gamma[j]
    return at.output[i, j](r * (u - hat * at.mean(u * hat, over=j)))


def cross_entropy_bar(logits: at.Tensor["b", "v"], targets: at.Integers["b"], out_bar: at.Tensor[()]) -> at.Output:
    """L̄ / B · (softmax(z) - onehot)."""
    i, j = at.axes(logits)
    e = at.exp(logits[i, j] - at.max(logits[i, j], over=j))
    onehot = at.equal(j, targets[i])
    return at.output[i, j](out_bar[()] / at.extent(i) * (e / at.sum(e, over=j) - onehot))


@pytest.mark.parametrize(
    ("kernel", "wrt", "closed"),
    [
        (softmax.definition, "x", define(softmax_bar)),
        (log_softmax.definition, "x", define(log_softmax_bar)),
        (logsumexp.definition, "x", define(logsumexp_bar)),
        (layer_norm.definition, "x", define(layer_norm_bar)),
        (rms_norm.definition, "x", define(rms_norm_bar)),
        (cross_entropy.definition, "logits", define(cross_entropy_bar)),
    ],
    ids=["softmax", "log_softmax", "logsumexp", "layer_norm", "rms_norm", "cross_entropy"],
)
def test_operations_are_at_most_one_and_a_half_times_the_closed_form(kernel: Kernel, wrt: str, closed: Kernel) -> None:
    extents = {"rows": 256, "cols": 1024, "b": 256, "v": 1024}
    derived = vjp(kernel, wrt)
    count, least = (k.flops({name: extents[name] for name in k.extent_names}) for k in (derived, closed))
    assert count <= 1.5 * least, (count / least, derived.definition())
