"""Neural networks: from scores to probabilities and the loss that is taken of them.

The largest score of a row is subtracted first, so that no exponential overflows. It cancels out of every result and so
of every derivative, to which it is therefore a constant.
"""

import math

from autotune import lang as at
from autotune.runtime import kernel


def _largest(x: at.Expr, over: at.Axis) -> at.Expr:
    return at.stop_gradient(at.max(x, over=over))


@kernel
def softmax(x: at.Tensor["rows", "cols"]) -> at.Output:
    """Softmax of each row, out[i, j] = exp(x[i, j]) / Σₖ exp(x[i, k]).

    Shapes: x and out (rows, cols). No units. Scores of -inf get probability 0; a row of nothing else is NaN.
    Gradient: x̄ = out ⊙ (out̄ - Σⱼ out̄ ⊙ out)
    (Bridle 1990, "Training stochastic model recognition algorithms as networks").
    """
    i, j = at.axes(x)
    e = at.exp(x[i, j] - _largest(x[i, j], over=j))
    return at.output[i, j](e / at.sum(e, over=j))


@kernel
def log_softmax(x: at.Tensor["rows", "cols"]) -> at.Output:
    """Logarithm of the softmax of each row, out[i, j] = x[i, j] - log Σₖ exp(x[i, k]).

    Shapes: x and out (rows, cols). No units. Gradient: x̄ = out̄ - exp(out) · Σⱼ out̄
    (Blanchard, Higham and Higham 2021, "Accurately computing the log-sum-exp and softmax functions").
    """
    i, j = at.axes(x)
    shifted = x[i, j] - _largest(x[i, j], over=j)
    return at.output[i, j](shifted - at.log(at.sum(at.exp(shifted), over=j)))


@kernel
def logsumexp(x: at.Tensor["rows", "cols"]) -> at.Output:
    """Logarithm of the sum of exponentials of each row, out[i] = log Σⱼ exp(x[i, j]).

    Shapes: x (rows, cols), out (rows). No units. A row of nothing but -inf gives -inf, one with inf gives inf.
    Gradient: x̄ = out̄ · softmax(x)
    (Blanchard, Higham and Higham 2021, "Accurately computing the log-sum-exp and softmax functions").
    """
    i, j = at.axes(x)
    largest = _largest(x[i, j], over=j)
    shift = at.where(abs(largest) < math.inf, largest, 0.0)  # infinity minus itself would be NaN
    return at.output[i](shift + at.log(at.sum(at.exp(x[i, j] - shift), over=j)))


@kernel
def cross_entropy(logits: at.Tensor["b", "v"], targets: at.Integers["b"]) -> at.Output:
    """Mean cross-entropy of rows of scores, out = Σᵢ (log Σⱼ exp(logits[i, j]) - logits[i, targets[i]]) / b.

    Shapes: logits (b, v), targets (b) whole numbers from 0 to v - 1, out (). Units: nats.
    Gradient: logits̄ = out̄ · (softmax(logits) - [j = targets[i]]) / b
    (Bridle 1990, "Training stochastic model recognition algorithms as networks").
    """
    i, j = at.axes(logits)
    largest = _largest(logits[i, j], over=j)
    surprise = at.log(at.sum(at.exp(logits[i, j] - largest), over=j)) - (logits[i, targets[i]] - largest)
    return at.output[()](at.mean(surprise, over=i))
