"""Imaging: projections of images, and their denoising."""

from autotune import lang as at
from autotune.runtime import kernel


def _centre(axis: at.Axis) -> at.Expr:
    return (at.extent(axis) - 1) * 0.5


def _centred(axis: at.Axis) -> at.Expr:
    return axis - _centre(axis)


def _between(before: at.Expr, after: at.Expr, fraction: at.Expr) -> at.Expr:
    return (1 - fraction) * before + fraction * after


@kernel
def radon(x: at.Tensor["h", "w"], angles: at.Tensor["a"], offsets: at.Tensor["t"]) -> at.Output:
    """Radon transform: integrals of an image along lines u·cos θ + v·sin θ = t, by Joseph's method.

    Pixel (i, j) is at v = i - (h - 1)/2, u = j - (w - 1)/2. Where |cos θ| ≥ |sin θ| a line crosses every row once, at
    j = (t - v·sin θ)/cos θ + (w - 1)/2, and out[a, t] = Σᵢ ((1 - f)·x[i, ⌊j⌋] + f·x[i, ⌊j⌋ + 1]) / |cos θ| with
    f = j - ⌊j⌋; else rows and columns, cosine and sine change places. Around the image x is 0.
    Shapes: x (h, w), angles (a), offsets (t), out (a, t). Units: angles θ in radians, offsets t in pixels, out in
    those of x times pixels. Gradients: x̄[i, j] = Σ out̄[a, t]·(1 - |j - j*|)⁺ / |cos θ|, the exact adjoint; those by
    angles and offsets are of the interpolated image, whose slope jumps where j is whole
    (Joseph 1982, "An improved algorithm for reprojecting rays through pixel images").
    """
    i, j = at.axes(x)
    (a,), (t,) = at.axes(angles), at.axes(offsets)
    cosine, sine = at.cos(angles[a]), at.sin(angles[a])
    by_rows = abs(cosine) >= abs(sine)
    # The denominator of the sum that is not chosen is 1: no NaN, in the value or in its derivative.
    cos_or_1, sin_or_1 = at.where(by_rows, cosine, 1.0), at.where(by_rows, 1.0, sine)
    column = (offsets[t] - _centred(i) * sine) / cos_or_1 + _centre(j)
    row = (offsets[t] - _centred(j) * cosine) / sin_or_1 + _centre(i)
    left, above = at.floor(column), at.floor(row)
    across = _between(x.pad(0)[i, left], x.pad(0)[i, left + 1], column - left)
    down = _between(x.pad(0)[above, j], x.pad(0)[above + 1, j], row - above)
    rows, columns = at.sum(across, over=i) / abs(cos_or_1), at.sum(down, over=j) / abs(sin_or_1)
    return at.output[a, t](at.where(by_rows, rows, columns))


@kernel
def total_variation_step(
    u: at.Tensor["h", "w"], f: at.Tensor["h", "w"], tau: at.Scalar, lam: at.Scalar, epsilon: at.Scalar
) -> at.Output:
    """Step of gradient descent to a denoised image, out = u - τ·((u - f) + λ·Dᵀ(Du / ρ)) with ρ = √(|Du|² + ε²).

    D takes the differences to the next row and the next column, 0 at the last (no flow over the border), Dᵀ is its
    transpose: the step descends ½·|u - f|² + λ·Σ ρ. Shapes: u, f and out (h, w). Units: u, f and epsilon ε > 0 in one
    intensity, lam λ too; tau τ none. Gradients by v = out̄: ū = v - τ·(v + λ·Dᵀ(Dv/ρ - Du·(Du·Dv)/ρ³)), f̄ = τ·v,
    lam̄ = -τ·⟨v, Dᵀ(Du/ρ)⟩ (Rudin, Osher and Fatemi 1992, "Nonlinear total variation based noise removal algorithms";
    smoothed as in Vogel and Oman 1996, "Iterative methods for total variation denoising").
    """
    i, j = at.axes(u)
    image = u[i, j]
    down = at.where(i < at.extent(i) - 1, u.pad(0)[i + 1, j] - image, 0.0)
    across = at.where(j < at.extent(j) - 1, u.pad(0)[i, j + 1] - image, 0.0)
    inverse = at.rsqrt(down * down + across * across + epsilon * epsilon)
    flow_down, flow_across = at.let[i, j](down * inverse), at.let[i, j](across * inverse)
    # Dᵀ: what flows in from the pixel before minus what flows out, and nothing flows out of the last.
    curvature = flow_down.pad(0)[i - 1, j] - flow_down[i, j] + flow_across.pad(0)[i, j - 1] - flow_across[i, j]
    return at.output[i, j](image - tau * (image - f[i, j] + lam * curvature))
