"""Run time: lookup of tuned schedules, and the functions that users call."""

from autotune.runtime.choice import Choice, Origin
from autotune.runtime.derivatives import jacobian, jvp, vjp
from autotune.runtime.kernel import TunedKernel, kernel
from autotune.runtime.plan import Plan
from autotune.runtime.template import template

__all__ = ["Choice", "Origin", "Plan", "TunedKernel", "jacobian", "jvp", "kernel", "template", "vjp"]
