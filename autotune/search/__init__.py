"""Search: which configs to measure, and the tuning run that measures them.

`tune` brings Optuna, SQLAlchemy and the models with it, so this package is imported only when something is tuned.
"""

from autotune.search.budget import Demand, Share, tune_all
from autotune.search.events import (
    BatchProposed,
    Event,
    Finished,
    MachineLoaded,
    Outcome,
    Progress,
    Proving,
    Started,
    TrialFinished,
)
from autotune.search.laboratory import Bench, Duel, Laboratory
from autotune.search.listed import listed
from autotune.search.proposer import History, Proposer
from autotune.search.sampler import Sampler
from autotune.search.tune import Report, Task, run, tune

__all__ = [
    "BatchProposed",
    "Bench",
    "Demand",
    "Duel",
    "Event",
    "Finished",
    "History",
    "Laboratory",
    "MachineLoaded",
    "Outcome",
    "Progress",
    "Proposer",
    "Proving",
    "Report",
    "Sampler",
    "Share",
    "Started",
    "Task",
    "TrialFinished",
    "listed",
    "run",
    "tune",
    "tune_all",
]
