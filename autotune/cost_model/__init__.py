"""Cost models: features of a loop nest, and models that learn from measurements which config is faster.

XGBoost is loaded when a `Ranker` first learns, since that takes seconds.
"""

from autotune.cost_model.estimate import Estimate, Model, ranks, scores
from autotune.cost_model.features import FEATURE_NAMES, Platform, features
from autotune.cost_model.process import Posterior, Process
from autotune.cost_model.ranker import Ranker

__all__ = [
    "FEATURE_NAMES",
    "Estimate",
    "Model",
    "Platform",
    "Posterior",
    "Process",
    "Ranker",
    "features",
    "ranks",
    "scores",
]
