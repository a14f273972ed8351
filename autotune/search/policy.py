"""The choices of a search that were decided by measurement, so that each can be made otherwise and measured again."""

from dataclasses import dataclass
from typing import Literal

from autotune.cost_model.estimate import Target, scores
from autotune.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How a `Proposer` chooses; `bench search` measures what some of the choices are worth."""

    start: Literal["spread", "random"] = "spread"
    """How the first configs are chosen: far from each other, or drawn."""
    first: int = 8
    """How many there are before a model chooses."""
    target: Target = scores
    """What the models learn: `scores` (logarithms) or `ranks`."""
    trees: bool | None = None
    """Whether trees take part; None for where configs have features."""
    greedy: bool = False
    """Whether to go for the best mean instead of the largest expected improvement, which is to ignore uncertainty."""
    explore: float = 0.0
    """Share of configs drawn at random."""

    def __post_init__(self) -> None:
        if self.first < 1 or not 0 <= self.explore <= 1:
            message = (
                f"a search begins with at least 1 config and explores 0 to 1 of them, not {self.first}, {self.explore}"
            )
            raise UsageError(message)
