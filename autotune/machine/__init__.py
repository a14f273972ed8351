"""The machine that kernels are tuned for: what it is (`detect`) and what it can do (`peaks`).

Only the description is loaded at once; what measures is loaded on first use.
"""

from typing import TYPE_CHECKING

from autotune.machine.description import Cache, Machine
from autotune.machine.detection import detect
from autotune.on_use import on_use

if TYPE_CHECKING:
    from autotune.machine.peak_rates import Peaks, measure_peaks, peaks
    from autotune.machine.probes import fma_rate
    from autotune.machine.software import versions

__all__ = ["Cache", "Machine", "Peaks", "detect", "fma_rate", "measure_peaks", "peaks", "versions"]

__getattr__ = on_use(
    __name__,
    {
        "Peaks": "autotune.machine.peak_rates",
        "fma_rate": "autotune.machine.probes",
        "measure_peaks": "autotune.machine.peak_rates",
        "peaks": "autotune.machine.peak_rates",
        "versions": "autotune.machine.software",
    },
)
