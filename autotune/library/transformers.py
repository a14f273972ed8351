"""Neural networks: the parts of a transformer."""

import math

from autotune import lang as at
from autotune.runtime import kernel


@kernel
def linear_gelu(
    x: at.Tensor["m", "k"], w: at.Tensor["n", "k"], b: at.Tensor["n"], *, approximate: bool = False
) -> at.Output:
    """Linear layer and GELU, out = z ⊙ Φ(z) with z[m, n] = Σₖ x[m, k] · w[n, k] + b[n]; Φ is the normal distribution.

    Φ(z) = (1 + erf(z / √2)) / 2, or where `approximate` (1 + tanh(√(2/π)·(z + 0.044715·z³))) / 2.
    Shapes: x (m, k), w (n, k), b (n), out (m, n). No units. Gradients, with z̄ = out̄ ⊙ (Φ(z) + z ⊙ φ(z)) where φ = Φ′:
    x̄ = z̄ · w, w̄ = z̄ᵀ · x, b̄ = Σₘ z̄ (Hendrycks and Gimpel 2016, "Gaussian error linear units", arXiv 1606.08415, §2).
    """
    i, k = at.axes(x)
    (j,) = at.axes(b)
    z = at.sum(x[i, k] * w[j, k], over=k) + b[j]
    exact, near = at.erf(z * math.sqrt(0.5)), at.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))
    return at.output[i, j](0.5 * z * (1 + (near if approximate else exact)))


@kernel
def attention(
    q: at.Tensor["b", "h", "t", "d"],
    k: at.Tensor["b", "h", "s", "d"],
    v: at.Tensor["b", "h", "s", "e"],
    *,
    causal: bool = False,
) -> at.Output:
    """Scaled dot-product attention, out = P·v with P = softmax over s of q·kᵀ / √d, for each batch b and head h.

    Where `causal`, query t sees only the keys s ≤ t. Shapes: q (b, h, t, d), k (b, h, s, d), v (b, h, s, e),
    out (b, h, t, e). No units. Gradients, with P̄ = out̄·vᵀ and S̄ = P ⊙ (P̄ - Σₑ out̄ ⊙ out):
    q̄ = S̄·k / √d, k̄ = S̄ᵀ·q / √d, v̄ = Pᵀ·out̄ (Vaswani and others 2017, "Attention is all you need",
    arXiv 1706.03762, equation 1; gradients: Dao and others 2022, "FlashAttention", arXiv 2205.14135, appendix B.2).
    """
    b, h, t, d = at.axes(q)
    _, _, s, e = at.axes(v)
    scores = at.sum(q[b, h, t, d] * k[b, h, s, d], over=d) * at.rsqrt(at.extent(d))
    if causal:
        scores = at.where(t >= s, scores, -math.inf)
    weights = at.exp(scores - at.stop_gradient(at.max(scores, over=s)))
    weighted = at.sum(weights * v[b, h, s, e], over=s)
    return at.output[b, h, t, e](weighted / at.sum(weights, over=s))


@kernel
def embedding(table: at.Tensor["v", "d"], idx: at.Integers["t"]) -> at.Output:
    """Rows of a table, out[t, d] = table[idx[t], d].

    Shapes: table (v, d), idx (t) whole numbers from 0 to v - 1, out (t, d). Units: those of the table.
    Gradient: tablē[v, d] = Σ out̄[t, d] over the t with idx[t] = v
    (Bengio and others 2003, "A neural probabilistic language model", §2).
    """
    (t,) = at.axes(idx)
    _, d = at.axes(table)
    return at.output[t, d](table[idx[t], d])
