"""Kernels of every kind of input and output, for all bridges."""

import autotune as at


@at.kernel
def moments(x: at.Tensor["m", "n"], weight: at.Integers["m"]):
    """Two floating outputs and an integer one between them, and an integer input."""
    i, j = at.axes(x)
    return (
        at.output[i](at.mean(x[i, j] ** 2 * weight[i], over=j), name="second"),
        at.output[i](at.argmax(x[i, j], over=j), name="largest"),
        at.output[i, j](at.sin(x[i, j]) * weight[i], name="wave"),
    )


@at.kernel
def logistic(rate: at.Scalar, x: at.Tensor["n"], shift: at.Scalar):
    """Scalars around a tensor."""
    (i,) = at.axes(x)
    return at.output[i](at.sigmoid(rate * x[i] + shift))


@at.kernel
def strided(x: at.Tensor["n"], w: at.Tensor["w"], *, stride: int = 1):
    """Sums of windows, so many elements apart."""
    (i,), (k,) = at.axes(x), at.axes(w)
    p = at.axis("p", (at.extent(i) - at.extent(k)) // stride + 1)
    return at.output[p](at.sum(at.exp(x[stride * p + k]) * w[k], over=k))


@at.kernel
def powers(base: at.Scalar, exponent: at.Scalar):
    """No tensor at all."""
    return at.output[()](at.exp(exponent * at.log(base)))


@at.kernel
def misfit(slope: at.Tensor["k"], x: at.Tensor["n", "k"], y: at.Tensor["n"], shift: at.Scalar):
    """A loss: one number, whose gradients share work with it."""
    i, j = at.axes(x)
    predicted = at.tanh(at.sum(x[i, j] * slope[j], over=j)) + shift
    return at.output[()](at.mean((predicted - y[i]) ** 2, over=i))
