"""Linear algebra: products of matrices."""

from autotune.lang import Output, Tensor, axes, output, sum  # noqa: A004  # the language's own sum
from autotune.runtime import kernel


@kernel
def matmul(a: Tensor["m", "k"], b: Tensor["k", "n"]) -> Output:
    """Matrix product, out[m, n] = Σₖ a[m, k] · b[k, n].

    Shapes: a (m, k), b (k, n), out (m, n). No units. 2·m·n·k operations.
    Gradients: ā = out̄ · bᵀ, b̄ = aᵀ · out̄ (Giles 2008, "An extended collection of matrix derivative results", §2.2.2).
    """
    i, k = axes(a)
    _, j = axes(b)
    return output[i, j](sum(a[i, k] * b[k, j], over=k))


@kernel
def batch_matmul(a: Tensor["b", "m", "k"], b: Tensor["b", "k", "n"]) -> Output:
    """A matrix product for each index of a batch, out[b, m, n] = Σₖ a[b, m, k] · b[b, k, n].

    Shapes: a (b, m, k), b (b, k, n), out (b, m, n). No units. 2·b·m·n·k operations.
    Gradients: those of `matmul`, for each index of the batch.
    """
    z, i, k = axes(a)
    _, _, j = axes(b)
    return output[z, i, j](sum(a[z, i, k] * b[z, k, j], over=k))
