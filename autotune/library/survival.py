"""Survival analysis: what the order of events says about risks."""

import math

from autotune import lang as at
from autotune.runtime import kernel


@kernel
def cox_partial_likelihood(x: at.Tensor["n", "p"], beta: at.Tensor["p"], delta: at.Tensor["n"]) -> at.Output:
    """Partial log-likelihood of the proportional hazards model, out = Σᵢ δᵢ·(ηᵢ - log Σ_{k≤i} exp(ηₖ)) with η = x·β.

    The rows are sorted by descending time, so that those still at risk when i has its event are the rows up to i (of
    equal times, those that come first). Shapes: x (n, p) covariates, beta (p), delta (n) 1 for an event and 0 for a
    censored row, out (). Units: β in those of x inverted, out in nats. Gradients, with Lᵢ the logarithm:
    η̄ₖ = out̄·(δₖ - exp(ηₖ)·Σ_{i≥k} δᵢ·exp(-Lᵢ)), x̄ = η̄·βᵀ, beta̅ = xᵀ·η̄, delta̅ = out̄·(η - L)
    (Cox 1972, "Regression models and life-tables").
    """
    i, c = at.axes(x)
    eta = at.sum(x[i, c] * beta[c], over=c)

    def step(largest: at.Expr, total: at.Expr) -> tuple[at.Expr, at.Expr]:
        # In units of the largest yet, which cancels out of the logarithm and so is a constant to its derivatives.
        new = at.stop_gradient(at.maximum(largest, eta))
        return new, total * at.exp(largest - new) + at.exp(eta - new)

    largest, total = at.scan(step, (-math.inf, 0.0), over=i)
    return at.output[()](at.sum(delta[i] * (eta - (largest + at.log(total))), over=i))
