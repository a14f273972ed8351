"""Run time: lookup of tuned schedules, and the functions that users call."""

from autotune.runtime.batching import vmap
from autotune.runtime.choice import Choice, Origin
from autotune.runtime.derivatives import jacobian, jvp, vjp
from autotune.runtime.dispatch import refresh
from autotune.runtime.explanation import Candidate, Explanation
from autotune.runtime.kernel import TunedKernel, kernel
from autotune.runtime.plan import Plan
from autotune.runtime.template import template
from autotune.settings import options

__all__ = [
    "Candidate",
    "Choice",
    "Explanation",
    "Origin",
    "Plan",
    "TunedKernel",
    "jacobian",
    "jvp",
    "kernel",
    "options",
    "refresh",
    "template",
    "vjp",
    "vmap",
]
