"""Tuned kernels as a module of its own, which needs neither this package nor its database."""

from autotune.runtime.export.chosen import Chosen, Request, chosen
from autotune.runtime.export.module import function_name, module_text

__all__ = ["Chosen", "Request", "chosen", "function_name", "module_text"]
