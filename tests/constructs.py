"""A small kernel for each construct of the language, as users write them and as derivations leave them."""

import math
from collections.abc import Callable

import autotune.lang as at
from autotune.lang import (
    Affine,
    Axis,
    Carry,
    Constant,
    Expr,
    Extent,
    Integers,
    Kernel,
    Output,
    Position,
    Read,
    Reduce,
    Reindex,
    Scalar,
    ScalarSpec,
    Scan,
    Scatter,
    Tensor,
    TensorSpec,
    define,
)

# Affine accesses


def shifted(x: Tensor["n"]):
    (i,) = at.axes(x)
    return at.output[i](x.pad(0)[i - 1] - 2 * x[i] + x.pad(0.5)[i + 1])


def flipped(x: Tensor["n", "m"]):
    i, j = at.axes(x)
    return at.output[i, j](x[at.extent(i) - 1 - i, j])


def every_second(x: Tensor["n", "m"]):
    i, j = at.axes(x)
    h = at.axis("h", at.extent(j) // 2)
    return at.output[i, h](x[i, 2 * h] + x[i, 2 * h + 1])


def diagonal(x: Tensor["n", "n"]):
    i = at.axis("i", "n")
    return at.output[i](x[i, i] * i)


def framed(x: Tensor["n", "m"]):
    """A padded tensor read along an axis of another extent."""
    i, j = at.axes(x)
    k = at.axis("k", at.extent(j) + 3)
    return at.output[i, k](x.pad(-1)[i, k - 1])


def correlated(x: Tensor["n"], w: Tensor["r"]):
    (i,), (r,) = at.axes(x), at.axes(w)
    return at.output[i](at.sum(x.pad(0)[i + r - 1] * w[r], over=r))


def correlated_2d(x: Tensor["h", "w"], f: Tensor["r", "s"]):
    """More padding than the filter is wide, a stride above its width, a dilation."""
    (i, j), (r, s) = at.axes(x), at.axes(f)
    p = at.axis("p", (at.extent(i) + 4) // 3)
    q = at.axis("q", at.extent(j) + 5)
    return at.output[p, q](at.sum(x.pad(0)[3 * p - 2 + 2 * r, q - 3 + s] * f[r, s], over=(r, s)))


def valid_rows(x: Tensor["n", "m"], w: Tensor["m"]):
    """The condition of a padded factor does not depend on the axis that is summed over."""
    i, j = at.axes(x)
    return at.output[i](at.sum(x.pad(0)[i - 2, j] * w[j], over=j))


def windows(x: Tensor["n", "m"]):
    """Padding that changes no maximum, minimum or product, and such that does."""
    i, j = at.axes(x)
    r = at.axis("r", 3)
    near = i + r - 1
    largest = at.max(x.pad(-math.inf)[near, j], over=r) + at.max(x.pad(0)[near, j], over=r)
    smallest = at.min(x.pad(math.inf)[near, j], over=r, ties="first")
    return at.output[i, j](largest - smallest + at.prod(x.pad(1)[near, j], over=r))


# Whole numbers and indices that are computed


def gathered(table: Tensor["v", "d"], idx: Integers["t"]):
    (t,) = at.axes(idx)
    _, d = at.axes(table)
    return at.output[t, d](table[idx[t], d])


def gathered_around(table: Tensor["v", "d"], idx: Integers["t"]):
    (t,) = at.axes(idx)
    _, d = at.axes(table)
    return at.output[t, d](table.pad(0)[idx[t] + 1, d] - table.pad(7)[idx[t] - 2, d])


def interpolated(x: Tensor["n"], at_: Tensor["t"]):
    (t,) = at.axes(at_)
    left = at.floor(at_[t])
    return at.output[t]((1 - at_[t] + left) * x.pad(0)[left] + (at_[t] - left) * x.pad(0)[left + 1])


def ranked(x: Tensor["n", "m"]):
    """Where the largest and the smallest are, over one axis and over both."""
    i, j = at.axes(x)
    where = at.output[i](at.argmax(x[i, j], over=j), name="largest")
    whole = at.output[()](at.argmin(x[i, j], over=(i, j)), name="smallest")
    value = at.output[i](x[i, at.argmax(x[i, j], over=j)], name="value")
    return where, whole, value


def counted(x: Tensor["n"], idx: Integers["n"]):
    """Whole numbers stay exact, and comparisons of them."""
    (i,) = at.axes(x)
    large = idx[i] * 3 + i - at.extent(i)
    return (
        at.output[i](at.maximum(large, 1) - idx[i], name="count"),
        at.output[i](at.where(large > i, x[i], x[i] * large), name="mixed"),
        at.output[i](i * 2, name="even"),
    )


def triangle(x: Tensor["n", "m"]):
    i, j = at.axes(x)
    return at.output[i](at.sum(at.where(j <= i, x[i, j], 0), over=j) + at.mean(x[i, j], over=j))


def histogram(idx: Integers["t"], weight: Tensor["t"], like: Tensor["v"]):
    (t,), (v,) = at.axes(idx), at.axes(like)
    return at.output[v](at.sum(weight[t] * at.equal(idx[t], v), over=t) * like[v])


# Intermediates at other indices


def smoothed_twice(x: Tensor["n"]):
    (i,) = at.axes(x)
    once = at.let[i](x.pad(0)[i - 1] + x[i])
    twice = at.let[i](once.pad(0)[i - 1] + once[i])
    return at.output[i](twice[i] - twice.pad(1)[i + 1])


def costly_shift(x: Tensor["n", "m"]):
    i, j = at.axes(x)
    e = at.let[i, j](at.exp(at.tanh(x[i, j]) * at.sin(x[i, j])))
    return at.output[i, j](e.pad(0)[i - 1, j] + e.pad(0)[i + 1, j] + e[i, j])


def sums_at(x: Tensor["n", "m"], idx: Integers["t"]):
    """The result of a reduction at indices that are computed."""
    i, j = at.axes(x)
    (t,) = at.axes(idx)
    rows = at.let[i](at.sum(x[i, j] * x[i, j], over=j))
    return at.output[t](rows[idx[t]] + rows.pad(-1)[idx[t] - 1])


def weighted_window(x: Tensor["n", "m"], w: Tensor["r", "m"]):
    """A reindexed product in a sum, as derivations leave them."""
    i, j = at.axes(x)
    r, _ = at.axes(w)
    body = at.let[i](x[i, j] * at.relu(x[i, j]))
    return at.output[i](at.sum(body.pad(0)[i - r] * w[r, j], over=(r, j)))


def transposed(x: Tensor["n", "n"]):
    i, j = at.axes(x)
    e = at.let[i, j](at.exp(x[i, j]) + at.sum(x[i, j], over=j))
    return at.output[i, j](e[j, i] - e[i, j])


def differences(x: Tensor["n"]):
    """Something over more elements than there are, at other indices: never stored."""
    (i,) = at.axes(x)
    j, k = at.axis("j", "n"), at.axis("k", "n")
    pair = at.let[i, j](at.exp(-(x[i] - x[j]) * (x[i] - x[j])))
    return at.output[i](at.sum(pair[i, j] * pair.pad(0)[j, i - 1] * at.sum(pair[j, k] * x[k], over=k), over=j))


# Recurrences


def running(x: Tensor["n", "t"]):
    i, t = at.axes(x)
    return at.output[i, t](at.scan(lambda s: s + x[i, t], 0.0, over=t))


def backwards(x: Tensor["t", "n"], start: Tensor["n"]):
    t, i = at.axes(x)
    states = at.scan(lambda s: at.tanh(0.5 * s + x[t, i]), start[i], over=t, reverse=True)
    return at.output[t, i](states), at.output[i](at.first(states, over=t), name="end")


def coupled(x: Tensor["n", "t"], rate: Tensor["t"], a: Scalar):
    """Two carried values that read each other; a part of the steps has fewer axes than the loops."""
    i, t = at.axes(x)
    u, v = at.scan(lambda u, v: (v + x[i, t], a * u - at.exp(-rate[t]) * v), (1.0, x[i, 0]), over=t)
    return at.output[i](at.last(u, over=t)), at.output[t, i](v, name="other")


def surviving(x: Tensor["n", "k"], w: Tensor["k"], d: Tensor["n"]):
    """A recurrence without lanes over the result of a product, read at the step before."""
    i, k = at.axes(x)
    eta = at.sum(x[i, k] * w[k], over=k)
    largest, total = at.scan(
        lambda m, s: (at.maximum(m, eta), s * at.exp(m - at.maximum(m, eta)) + at.exp(eta - at.maximum(m, eta))),
        (-math.inf, 0.0),
        over=i,
    )
    level = at.let[i](largest + at.log(total))
    return at.output[i](d[i] * (eta - level[i]) + level.pad(0)[i - 1])


# Several outputs, repeated axes, everything from one


def several(x: Tensor["n", "m"], s: Scalar):
    i, j = at.axes(x)
    e = at.exp(s * x[i, j])
    total = at.sum(e, over=j)
    return (
        at.output[i, j](e / total, name="share"),
        at.output[i](total, name="total"),
        at.output[j, i](e, name="turned"),
        at.output[i, j](total, name="repeated"),
        at.output[i](3, name="three"),
        at.output[()](at.sum(e, over=(i, j)), name="everything"),
    )


def forces(x: Tensor["n", "d"], mass: Tensor["n"], eps: Scalar):
    i, c = at.axes(x)
    j = at.axis("j", "n")
    apart = x[j, c] - x[i, c]
    return at.output[i, c](at.sum(mass[j] * at.rsqrt(at.sum(apart * apart, over=c) + eps * eps) ** 3 * apart, over=j))


def masked_product(a: Tensor["m", "k"], b: Tensor["k", "n"]):
    """A product of matrices one of which is computed first."""
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[i, j](at.sum(at.where(k <= i, at.exp(a[i, k]), 0) * b[k, j], over=k) * (i + j))


def summed_rows(x: Tensor["n", "m"], w: Tensor["n", "m"]):
    """What is computed from each row, summed over the rows, and something done to the sum."""
    i, j = at.axes(x)
    scale = at.rsqrt(at.mean(x[i, j] * x[i, j], over=j) + 1)
    return at.output[j](at.tanh(at.sum(w[i, j] * x[i, j] * scale, over=i)))


def summed_twice(x: Tensor["n", "m"], b: Tensor["n"]):
    """Sums of everything, one of which is read where the other is done."""
    i, j = at.axes(x)
    e = at.exp(at.sin(x[i, j]))
    row = at.sum(e, over=j)
    first = at.sum(b[i] * at.log(1 + row), over=i)
    second = at.sum(b[i] * e * x[i, j] / (1 + row), over=(i, j))
    return at.output[()](at.tanh(second) + first)


def by_rows_or_columns(x: Tensor["n", "m"], y: Tensor["m"], a: Tensor["n"]):
    """Each of two sums is read where a condition of the row alone holds, or does not."""
    i, j = at.axes(x)
    k = at.axis("k", "m")
    first = at.sum(at.tanh(x[i, j] - y[k]), over=j)
    second = at.sum(at.exp(-abs(x[i, j] * y[k])), over=j)
    return at.output[i, k](at.where(a[i] > 0, first / 3, second * 2))


WRITTEN: tuple[Callable[..., object], ...] = (
    shifted, flipped, every_second, diagonal, framed, correlated, correlated_2d, valid_rows, windows, gathered,
    gathered_around, interpolated, ranked, counted, triangle, histogram, smoothed_twice, costly_shift, sums_at,
    weighted_window, transposed, differences, running, backwards, coupled, surviving, several, forces, masked_product,
    summed_rows, summed_twice, by_rows_or_columns,
)  # fmt: skip


# What derivations make of them


def derived(name: str, inputs: tuple[TensorSpec | ScalarSpec, ...], axes: tuple[Axis, ...], expr: Expr) -> Kernel:
    """A kernel as a derivation gives it: its inputs need not all be read."""
    return Kernel(name, inputs, (Output("out", axes, expr),), "vjp:x")


def _axis(name: str) -> Axis:
    return Axis(name, name)


H, W, K, P, Q, R, S, T, V = map(_axis, "hwkpqrstv")


def upsampled(stride: int, offset: int, dilation: int) -> Kernel:
    """The gradient of a strided window by its input, in one dimension."""
    index = Affine.total([(H, 1), (R, -dilation)], offset, stride)
    expr = Reduce("sum", Read("y", (index,), 0.0) * Read("w", (R,)), (R,))
    inputs = (TensorSpec("x", ("h",)), TensorSpec("y", ("p",)), TensorSpec("w", ("r",)))
    return derived(f"upsampled_{stride}_{offset}_{dilation}", inputs, (H,), expr)


def upsampled_2d(stride: int, dilation: int) -> Kernel:
    """The same in two dimensions, summed over channels that the window has, with a nonlinear epilogue."""
    row = Affine.total([(H, 1), (R, -dilation)], 1, stride)
    column = Affine.total([(W, 1), (S, -dilation)], 2, stride)
    product = Read("y", (K, row, column), 0.0) * Read("f", (K, R, S))
    inputs = (TensorSpec("x", ("h", "w")), TensorSpec("y", ("k", "p", "q")), TensorSpec("f", ("k", "r", "s")))
    return derived(f"upsampled_2d_{stride}_{dilation}", inputs, (H, W), at.tanh(Reduce("sum", product, (R, S, K))))


def _holes() -> Kernel:
    """A quotient that no axis of a sum decides, and one outside any sum."""
    inputs = (TensorSpec("x", ("h",)), TensorSpec("y", ("p", "k")), TensorSpec("w", ("k",)))
    half = Affine.total([(H, 1)], -1, 2)
    total = Reduce("sum", Read("y", (half, K), 0.0) * Read("w", (K,)), (K,))
    return derived("holes", inputs, (H,), total + Read("y", (Affine.total([(H, 1)], 0, 3), Affine((), 0)), 5.0))


def _two_axes_decide() -> Kernel:
    """A quotient that two axes of the result decide, and one of two axes of the sum: no residue classes help."""
    inputs = (TensorSpec("x", ("h", "w")), TensorSpec("y", ("p",)), TensorSpec("w_", ("r", "s")))
    outer = Affine.total([(H, 1), (W, 1), (R, -1)], 0, 2)
    inner = Affine.total([(H, 1), (R, 1), (S, 2)], -1, 3)
    product = Read("y", (outer,), 0.0) * Read("y", (inner,), 0.0) * Read("w_", (R, S))
    return derived("two_axes_decide", inputs, (H, W), Reduce("sum", product, (R, S)))


def _pooled() -> Kernel:
    """The gradient of a maximum over windows: what is read at the window is a product with a comparison."""
    inputs = (TensorSpec("x", ("h", "w")), TensorSpec("y", ("p", "q")))
    rows, columns = Affine.total([(P, 2), (R, 1)], -1), Affine.total([(Q, 2), (S, 1)], -1)
    r, s = Axis("r", "r", Constant(3.0)), Axis("s", "s", Constant(3.0))
    window = Read("x", (rows.substitute({R: r}), columns.substitute({S: s})), -math.inf)
    chosen = at.equal(Reduce("argmax", window, (r, s)), Position(r) * 3 + Position(s))
    back = (Affine.total([(H, 1), (r, -1)], 1, 2), Affine.total([(W, 1), (s, -1)], 1, 2))
    moved = Reindex(Read("y", (P, Q)) * chosen, (P, Q), back, 0.0)
    return derived("pooled", inputs, (H, W), Reduce("sum", moved, (r, s)))


def _scattered(*, strict: bool) -> Kernel:
    """The gradient of a gather, with what is added depending on more than is scattered over."""
    inputs = (TensorSpec("idx", ("t",), integer=True), TensorSpec("y", ("t", "k")), TensorSpec("z", ("v",)))
    body = Read("y", (T, K)) * at.exp(Read("y", (T, K)))
    expr = Scatter(body, (T,), (V,), (Read("idx", (T,), integer=True),), strict)
    name = "scattered_strictly" if strict else "scattered"
    return derived(name, inputs, (V, K), expr + Read("z", (V,)))


def _scattered_2d() -> Kernel:
    """A scatter onto two axes, at an affine and a computed index, of a padded product."""
    inputs = (TensorSpec("idx", ("t",), integer=True), TensorSpec("y", ("t", "k")), TensorSpec("z", ("v", "h")))
    body = Read("y", (Affine.total([(T, 1)], -1), K), 0.0) * (1 + Position(K))
    indices = (Read("idx", (T,), integer=True) + 1, Affine.total([(T, 2), (K, -1)], 1))
    return derived("scattered_2d", inputs, (V, H), Scatter(body, (T, K), (V, H), indices))


def _shadowed() -> Kernel:
    """A sum whose axis is called like one of the result, in a sum too large to be stored."""
    inputs = (TensorSpec("x", ("h", "k")),)
    other = Axis("p", "h")
    near = Reduce("sum", Read("x", (H, K)) * Read("x", (other, K)) + Constant(0.1), (K,))
    return derived("shadowed", inputs, (H, K), Reduce("sum", at.tanh(near) * (Read("x", (other, K)) - 1), (other,)))


def _scaled_extent() -> Kernel:
    inputs = (TensorSpec("x", ("h",)),)
    return derived("scaled_extent", inputs, (H,), Read("x", (H,)) * Extent("h") / (1 + Position(H)))


def _faded() -> Kernel:
    """A padded intermediate read along an axis that it does not depend on."""
    inputs = (TensorSpec("x", ("h",)), TensorSpec("y", ("k",)))
    body = Reindex(at.tanh(Read("x", (H,))), (Axis("p", "h"),), (K,), 0.0)
    return derived("faded", inputs, (H, K), at.exp(body) + Read("y", (K,)))


def _halved() -> Kernel:
    """A recurrence whose values are padded along an axis that they do not depend on."""
    inputs = (TensorSpec("x", ("h",)), TensorSpec("y", ("k",)))
    carry = Carry("c", (K,))
    scan = Scan(H, (carry,), (Constant(-1.5),), (carry / 2 + Read("x", (H,)),))
    return derived("halved", inputs, (H, K), Reindex(scan, (Axis("p", "h"),), (K,), 0.0) + Read("y", (K,)))


BUILT = (
    *(upsampled(s, p, d) for s, p, d in ((2, 1, 1), (3, 2, 2), (4, 1, 2), (2, 3, 2), (5, 0, 1), (1, 2, 3))),
    *(upsampled_2d(s, d) for s, d in ((2, 1), (3, 2), (5, 1))),
    _holes(), _two_axes_decide(), _pooled(), _scattered(strict=False), _scattered(strict=True), _scattered_2d(),
    _shadowed(), _scaled_extent(), _faded(), _halved(),
)  # fmt: skip

CONSTRUCTS: dict[str, Kernel] = {
    kernel.name: kernel for kernel in (*(define(function) for function in WRITTEN), *BUILT)
}
