"""What is expected of configs before anything was measured: by what other workloads have taught, or by rule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autotune.cost_model.estimate import Vector
from autotune.cost_model.roofline import foretold
from autotune.cost_model.transfer import Transfer
from autotune.schedule.space import Config

UNKNOWN_ERROR = 0.5  # of log seconds, where there was no workload to hold out, and of what rules say


@dataclass(frozen=True)
class Prior:
    """Expectations of configs of one workload.

    `expect` gives negative logarithms of seconds, up to a constant, from configs and their features, shape (configs,
    features); `error` is its usual error, NaN where none is known. `proven` are the fastest configs of other workloads
    that are valid here, those of most like workloads first.
    """

    expect: Callable[[Sequence[Config], NDArray[np.float64]], Vector]
    error: float
    proven: tuple[Config, ...] = ()

    @property
    def deviation(self) -> float:
        """How far a config may be from what is expected of it."""
        return self.error if np.isfinite(self.error) and self.error > 0 else UNKNOWN_ERROR


def learnt(transfer: Transfer, proven: Sequence[Config] = ()) -> Prior:
    """What other workloads have taught; `proven` are their fastest configs, as in `Prior`."""
    return Prior(lambda configs, features: transfer.predict(features, configs), transfer.error, tuple(proven))


def unlearnt() -> Prior:
    """What loop nests and the machine's peaks let expect, where no other workload was measured."""
    return Prior(lambda _, features: foretold(features), float("nan"))
