"""Derivatives of kernels: expressions in, expressions out."""

from autotune.autodiff.gradient import derive, gradient_inputs, vjp
from autotune.autodiff.rules import RULES

__all__ = ["RULES", "derive", "gradient_inputs", "vjp"]
