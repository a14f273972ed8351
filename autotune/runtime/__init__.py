"""Run time: lookup of tuned schedules, and the functions that users call."""

from autotune.runtime.choice import Choice, Origin
from autotune.runtime.kernel import TunedKernel, kernel, vjp
from autotune.runtime.plan import Plan

__all__ = ["Choice", "Origin", "Plan", "TunedKernel", "kernel", "vjp"]
