"""Cost models: features of a loop nest, and models that learn from measurements which config is faster.

All of it is loaded on first use: models need SciPy, which takes a third of a second, while looking up what is tuned
needs `likeness` only. XGBoost is loaded when a `Ranker` first learns, since that takes seconds.
"""

from typing import TYPE_CHECKING

from autotune.on_use import on_use

if TYPE_CHECKING:
    from autotune.cost_model.estimate import Estimate, Model, ranks, scores
    from autotune.cost_model.evaluation import Agreement, agreement
    from autotune.cost_model.features import FEATURE_NAMES, Platform, features_of_batches, features_of_nest
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
    "features_of_batches",
    "features_of_nest",
    "ranks",
    "scores",
]

__getattr__ = on_use(
    __name__,
    {
        "Estimate": "autotune.cost_model.estimate",
        "Model": "autotune.cost_model.estimate",
        "ranks": "autotune.cost_model.estimate",
        "scores": "autotune.cost_model.estimate",
        "Agreement": "autotune.cost_model.evaluation",
        "agreement": "autotune.cost_model.evaluation",
        "FEATURE_NAMES": "autotune.cost_model.features",
        "Platform": "autotune.cost_model.features",
        "features_of_batches": "autotune.cost_model.features",
        "features_of_nest": "autotune.cost_model.features",
        "Posterior": "autotune.cost_model.process",
        "Process": "autotune.cost_model.process",
        "Ranker": "autotune.cost_model.ranker",
        "Experience": "autotune.cost_model.transfer",
        "Transfer": "autotune.cost_model.transfer",
    },
)
