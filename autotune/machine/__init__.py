"""The machine that kernels are tuned for: what it is (`detect`) and what it can do (`peaks`)."""

from autotune.machine.description import Cache, Machine
from autotune.machine.detection import detect
from autotune.machine.peak_rates import Peaks, measure_peaks, peaks
from autotune.machine.probes import fma_rate
from autotune.machine.software import versions

__all__ = ["Cache", "Machine", "Peaks", "detect", "fma_rate", "measure_peaks", "peaks", "versions"]
