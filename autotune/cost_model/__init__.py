"""Cost models: features of a loop nest, and models that learn from measurements which config is faster.

XGBoost is loaded when a `Ranker` first learns, since that takes seconds.
"""

from autotune.cost_model.estimate import Estimate, Model, ranks, scores
from autotune.cost_model.evaluation import Agreement, agreement
from autotune.cost_model.features import FEATURE_NAMES, Platform, features, features_of_batches
from autotune.cost_model.process import Posterior, Process
from autotune.cost_model.ranker import Ranker
from autotune.cost_model.transfer import Experience, Transfer

__all__ = [
    "FEATURE_NAMES",
    "Agreement",
    "Estimate",
    "Experience",
    "Model",
    "Platform",
    "Posterior",
    "Process",
    "Ranker",
    "Transfer",
    "agreement",
    "features",
    "features_of_batches",
    "ranks",
    "scores",
]
