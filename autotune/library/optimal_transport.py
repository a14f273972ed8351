"""Optimal transport: the cheapest way to move one distribution into another."""

from autotune import lang as at
from autotune.runtime import kernel


@kernel
def sinkhorn_step(cost: at.Tensor["n", "m"], a: at.Tensor["n"], g: at.Tensor["m"], epsilon: at.Scalar) -> at.Output:
    """Half a step of Sinkhorn's algorithm on logarithms, out[i] = ε·log a[i] - ε·log Σⱼ exp((g[j] - cost[i, j]) / ε).

    From potentials g of the columns it makes those of the rows, f = out, with which the plan
    exp((f[i] + g[j] - cost[i, j]) / ε) has the row sums a.
    Shapes: cost (n, m), a (n) positive, g (m), out (n). Units: cost, g, epsilon ε and out in one, a none.
    Gradients, with V = softmax over j of (g - cost)/ε: cost̄ = out̄ ⊙ V, ḡ = -Vᵀ·out̄, ā = ε·out̄ / a,
    epsilon̄ = Σ out̄ ⊙ (out + Σⱼ V ⊙ (g - cost)) / ε (Cuturi 2013, "Sinkhorn distances", algorithm 1; on logarithms
    Peyré and Cuturi 2019, "Computational optimal transport", §4.4).
    """
    i, j = at.axes(cost)
    scaled = (g[j] - cost[i, j]) / epsilon
    largest = at.stop_gradient(at.max(scaled, over=j))
    lse = largest + at.log(at.sum(at.exp(scaled - largest), over=j))
    return at.output[i](epsilon * at.log(a[i]) - epsilon * lse)
