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
from autotune.search.experience import prior_for
from autotune.search.laboratory import Bench, Duel, Laboratory
from autotune.search.listed import listed
from autotune.search.prior import Prior
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
    "Prior",
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
    "prior_for",
    "run",
    "tune",
    "tune_all",
]
