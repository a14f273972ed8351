"""Kernels that tests of several layers share: every shape of contraction the language can express."""

import autotune.lang as at
from autotune.lang import Kernel, Scalar, Tensor, define


def matmul(a: Tensor["m", "k"], b: Tensor["k", "n"]):
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[i, j](at.sum(a[i, k] * b[k, j], over=k))


def batched(a: Tensor["b", "m", "k"], b: Tensor["b", "k", "n"]):
    z, i, k = at.axes(a)
    _, _, j = at.axes(b)
    return at.output[z, i, j](at.sum(a[z, i, k] * b[z, k, j], over=k))


def transposed_result(a: Tensor["m", "k"], b: Tensor["k", "n"]):
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[j, i](at.sum(a[i, k] * b[k, j], over=k))


def linear(x: Tensor["b", "t", "c"], w: Tensor["o", "c"], bias: Tensor["o"]):
    b, t, c = at.axes(x)
    o, _ = at.axes(w)
    return at.output[b, t, o](at.relu(at.sum(x[b, t, c] * w[o, c], over=c) + bias[o]))


def scores(q: Tensor["b", "t", "h", "d"], k: Tensor["b", "s", "h", "d"], scale: Scalar):
    b, t, h, d = at.axes(q)
    s = at.axes(k)[1]
    return at.output[b, h, t, s](scale * at.sum(q[b, t, h, d] * k[b, s, h, d], over=d))


def weighted(a: Tensor["m", "k"], d: Tensor["k"], b: Tensor["k", "n"]):
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[i, j](at.sum(a[i, k] * d[k] * b[k, j], over=k))


def chain(a: Tensor["m", "k"], b: Tensor["k", "l"], c: Tensor["l", "n"]):
    i, k = at.axes(a)
    _, q = at.axes(b)
    _, j = at.axes(c)
    return at.output[i, j](at.sum(a[i, k] * b[k, q] * c[q, j], over=(k, q)))


def two_deep(a: Tensor["m", "k", "l"], b: Tensor["k", "l", "n"]):
    i, k, q = at.axes(a)
    j = at.axes(b)[2]
    return at.output[i, j](at.sum(a[i, k, q] * b[k, q, j], over=(k, q)))


def two_deep_apart(a: Tensor["k", "m", "l"], b: Tensor["l", "n", "k"]):
    k, i, q = at.axes(a)
    j = at.axes(b)[1]
    return at.output[i, j](at.sum(a[k, i, q] * b[q, j, k], over=(k, q)))


def matvec(a: Tensor["m", "k"], x: Tensor["k"]):
    i, k = at.axes(a)
    return at.output[i](at.sum(a[i, k] * x[k], over=k))


def dot(x: Tensor["k"], y: Tensor["k"]):
    (k,) = at.axes(x)
    return at.output[()](at.sum(x[k] * y[k], over=k))


def outer(x: Tensor["m"], y: Tensor["n"]):
    (i,) = at.axes(x)
    (j,) = at.axes(y)
    return at.output[i, j](x[i] * y[j])


def column_sum(a: Tensor["m", "n"]):
    i, j = at.axes(a)
    return at.output[j](at.sum(a[i, j], over=i))


def hadamard(a: Tensor["m", "k", "n"], b: Tensor["k", "n"]):
    i, k, j = at.axes(a)
    return at.output[i, j](at.sum(a[i, k, j] * b[k, j], over=k))


def squared(a: Tensor["m", "k"]):
    i, k = at.axes(a)
    j = at.axis("j", "m")
    return at.output[i, j](at.sum(a[i, k] * a[j, k], over=k))


def saturated(a: Tensor["m", "k"], b: Tensor["k", "n"], c: Tensor["m", "n"], beta: Scalar):
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[i, j](at.tanh(at.sum(a[i, k] * b[k, j], over=k)) + beta * c[i, j])


def gated(a: at.Tensor["m", "k"], b: at.Tensor["m", "k"], beta: at.Scalar):
    i, k = at.axes(a)
    x, y = a[i, k], b[i, k]
    smooth = at.sin(x) * at.erf(y) + at.rsqrt(1 + x * x) * at.cos(beta * y)
    return at.output[i, k](at.where(x > y, smooth, at.floor(x) - at.stop_gradient(x) * y))


def softmax(x: at.Tensor["rows", "columns"]):
    i, j = at.axes(x)
    e = at.exp(x[i, j] - at.stop_gradient(at.max(x[i, j], over=j)))
    return at.output[i, j](e / at.sum(e, over=j))


def farthest(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]):
    i, k = at.axes(a)
    _, j = at.axes(b)
    term = a[i, k] * b[k, j]
    return at.output[i, j](at.max(term, over=k))


def multiplied(a: at.Tensor["m", "k"]):
    i, k = at.axes(a)
    return at.output[i](at.prod(1 + a[i, k] / 8, over=k))


FUNCTIONS = (
    matmul, batched, transposed_result, linear, scores, weighted, chain, two_deep, two_deep_apart, matvec, dot, outer,
    column_sum, hadamard, squared, saturated, gated, softmax, farthest, multiplied,
)  # fmt: skip
KERNELS: dict[str, Kernel] = {function.__name__: define(function) for function in FUNCTIONS}
