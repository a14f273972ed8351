"""Astrophysics: bodies that attract each other."""

from autotune import lang as at
from autotune.runtime import kernel


@kernel
def nbody(
    positions: at.Tensor["n", "xyz"], masses: at.Tensor["n"], softening: at.Scalar, gravity: at.Scalar
) -> at.Output:
    """Gravitational forces, out[i] = G·mᵢ · Σⱼ mⱼ·s³·d with d = x[j] - x[i] and s = 1 / √(|d|² + ε²).

    The softening ε keeps forces finite where bodies meet; it may be 0 where none do.
    Shapes: positions and out (n, xyz), masses (n).
    Units: positions and softening in one length, gravity G in length³ / (mass · time²), out in mass · length / time².
    Gradients by v = out̄, with w = v[j] - v[i]:
    positions̄[i] = G·Σⱼ mᵢ·mⱼ·(s³·w - 3·s⁵·(d·w)·d), masses̄[i] = -G·Σⱼ mⱼ·s³·(d·w)
    (Plummer 1911, "On the problem of distribution in globular star clusters"; Aarseth 2003, "Gravitational N-body
    simulations").
    """
    i, c = at.axes(positions)
    j = at.axis("j", "n")
    d = positions[j, c] - positions[i, c]
    # A body does not pull at itself. With 1/ε³ in its place, which cancels out of the gradient, float32 loses much.
    squared = at.where(at.equal(i, j), 1.0, at.sum(d * d, over=c) + softening**2)
    s = at.rsqrt(squared)
    return at.output[i, c](gravity * masses[i] * at.sum(masses[j] * s**3 * d, over=j))
