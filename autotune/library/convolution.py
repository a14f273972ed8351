"""Neural networks: convolutions of images (strictly, correlations: the weights are not flipped)."""

from autotune import lang as at
from autotune.library.windows import places, surrounded, within
from autotune.runtime import kernel


@kernel
def conv2d(
    x: at.Tensor["n", "g*c", "h", "w"],
    w: at.Tensor["g*k", "c", "r", "s"],
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> at.Output:
    """Convolution, out[n, (g, k), p, q] = Σ x[n, (g, c), p·stride - padding + r·dilation, …s…] · w[(g, k), c, r, s].

    The sum is over c, r and s; around the image x is 0. The channels are in g groups that do not meet, as many as the
    channels of x are times those of w. Shapes: x (n, g·c, h, w), w (g·k, c, r, s), out (n, g·k, p, q), where
    p = ⌊(h + 2·padding - dilation·(r - 1) - 1) / stride⌋ + 1, and q likewise. No units.
    Gradients: x̄[n, (g, c), h, w] = Σ_{k,r,s} out̄[n, (g, k), (h + padding - r·dilation) / stride, …] · w[(g, k), …]
    over the whole quotients, w̄[(g, k), c, r, s] = Σ_{n,p,q} out̄[n, (g, k), p, q] · x[n, (g, c), p·stride - …, …]
    (Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", §2 to §5).
    """
    n, g, c, i, j = at.axes(x)
    _, k, _, r, s = at.axes(w)
    p = places("p", i, at.extent(r), stride=stride, padding=padding, dilation=dilation)
    q = places("q", j, at.extent(s), stride=stride, padding=padding, dilation=dilation)
    row = within(p, r, stride=stride, padding=padding, dilation=dilation)
    column = within(q, s, stride=stride, padding=padding, dilation=dilation)
    image = surrounded(x, 0.0, padding)
    return at.output[n, (g, k), p, q](at.sum(image[n, g, c, row, column] * w[g, k, c, r, s], over=(c, r, s)))


@kernel
def depthwise_conv2d(
    x: at.Tensor["n", "c", "h", "w"],
    w: at.Tensor["c", "r", "s"],
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> at.Output:
    """Convolution of each channel, out[n, c, p, q] = Σ x[n, c, p·stride - padding + r·dilation, …s…] · w[c, r, s].

    The sum is over r and s; around the image x is 0. Shapes: x (n, c, h, w), w (c, r, s), out (n, c, p, q) with p and q
    as in `conv2d`. No units. Gradients: those of `conv2d` without the sums over channels
    (Howard and others 2017, "MobileNets", arXiv 1704.04861, equation 3).
    """
    n, c, i, j = at.axes(x)
    _, r, s = at.axes(w)
    p = places("p", i, at.extent(r), stride=stride, padding=padding, dilation=dilation)
    q = places("q", j, at.extent(s), stride=stride, padding=padding, dilation=dilation)
    row = within(p, r, stride=stride, padding=padding, dilation=dilation)
    column = within(q, s, stride=stride, padding=padding, dilation=dilation)
    image = surrounded(x, 0.0, padding)
    return at.output[n, c, p, q](at.sum(image[n, c, row, column] * w[c, r, s], over=(r, s)))
