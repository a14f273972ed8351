"""Derivatives of kernels: expressions in, expressions out."""

from autotune.autodiff.gradient import (
    derive,
    directions,
    gradient_inputs,
    jacobian,
    joint,
    joint_step,
    jvp,
    pullback_step,
    residual_candidates,
    vjp,
    with_residuals,
)
from autotune.autodiff.rules import RULES

__all__ = [
    "RULES",
    "derive",
    "directions",
    "gradient_inputs",
    "jacobian",
    "joint",
    "joint_step",
    "jvp",
    "pullback_step",
    "residual_candidates",
    "vjp",
    "with_residuals",
]
