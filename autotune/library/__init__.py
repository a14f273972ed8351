"""Built-in kernels, one file a field."""

from autotune.library.astrophysics import nbody
from autotune.library.convolution import conv2d, depthwise_conv2d
from autotune.library.finance import asian_option, black_scholes
from autotune.library.imaging import radon, total_variation_step
from autotune.library.linear_algebra import batch_matmul, matmul
from autotune.library.normalization import layer_norm, rms_norm
from autotune.library.optimal_transport import sinkhorn_step
from autotune.library.pharmacology import pk_two_compartment
from autotune.library.pooling import avg_pool2d, max_pool2d
from autotune.library.probabilities import cross_entropy, log_softmax, logsumexp, softmax
from autotune.library.survival import cox_partial_likelihood
from autotune.library.transformers import attention, embedding, linear_gelu

__all__ = [
    "asian_option",
    "attention",
    "avg_pool2d",
    "batch_matmul",
    "black_scholes",
    "conv2d",
    "cox_partial_likelihood",
    "cross_entropy",
    "depthwise_conv2d",
    "embedding",
    "layer_norm",
    "linear_gelu",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max_pool2d",
    "nbody",
    "pk_two_compartment",
    "radon",
    "rms_norm",
    "sinkhorn_step",
    "softmax",
    "total_variation_step",
]
