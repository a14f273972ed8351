"""Reports: one HTML file with everything in it, to be kept, sent or printed."""

from autotune.report.page import Plot, Section, page
from autotune.report.report import report

__all__ = ["Plot", "Section", "page", "report"]
