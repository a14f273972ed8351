"""Neural networks: normalization of rows."""

from autotune import lang as at
from autotune.runtime import kernel


@kernel
def layer_norm(
    x: at.Tensor["rows", "cols"], gamma: at.Tensor["cols"], beta: at.Tensor["cols"], *, epsilon: float = 1e-5
) -> at.Output:
    """Layer normalization, out = gamma ⊙ x̂ + beta with x̂ = (x - μ)·r and r = 1 / √(σ² + epsilon) for each row.

    μ and σ² are the mean and the variance (over cols, not cols - 1) of the row. Shapes: x and out (rows, cols), gamma
    and beta (cols). No units: x̂ has none; epsilon has those of x squared. Gradients, with u = out̄ ⊙ gamma:
    x̄ = r·(u - mean(u) - x̂ ⊙ mean(u ⊙ x̂)), gamma̅ = Σ_rows out̄ ⊙ x̂, beta̅ = Σ_rows out̄
    (Ba, Kiros and Hinton 2016, "Layer normalization", arXiv 1607.06450, equation 4).
    """
    i, j = at.axes(x)
    centred = x[i, j] - at.mean(x[i, j], over=j)
    variance = at.mean(centred * centred, over=j)
    return at.output[i, j](gamma[j] * (centred * at.rsqrt(variance + epsilon)) + beta[j])


@kernel
def rms_norm(x: at.Tensor["rows", "cols"], gamma: at.Tensor["cols"], *, epsilon: float = 1e-6) -> at.Output:
    """Root-mean-square normalization, out = gamma ⊙ x̂ with x̂ = x·r and r = 1 / √(mean(x²) + epsilon) for each row.

    Shapes: x and out (rows, cols), gamma (cols). No units: x̂ has none; epsilon has those of x squared.
    Gradients, with u = out̄ ⊙ gamma: x̄ = r·(u - x̂ ⊙ mean(u ⊙ x̂)), gamma̅ = Σ_rows out̄ ⊙ x̂
    (Zhang and Sennrich 2019, "Root mean square layer normalization", arXiv 1910.07467, equation 4).
    """
    i, j = at.axes(x)
    r = at.rsqrt(at.mean(x[i, j] * x[i, j], over=j) + epsilon)
    return at.output[i, j](gamma[j] * (x[i, j] * r))
