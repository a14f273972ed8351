"""Measuring tuned kernels beside what else there is, in one run on one machine."""
