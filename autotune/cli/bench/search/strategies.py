"""Who is compared: strategies that search a table, each a function of the table, a budget and a seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TypeAlias

import numpy as np

from autotune.cli.bench.search.kernel_tuner import kernel_tuner
from autotune.cli.bench.search.optuna_samplers import optuna_sampler
from autotune.cli.bench.search.replay import propose, tuning_run
from autotune.cli.bench.search.tables import Table
from autotune.cost_model import ranks
from autotune.search.policy import Policy
from autotune.search.proposer import Proposer

Search: TypeAlias = Callable[[Table, int, int], Sequence[int]]
"""Places in the table of the configs that are evaluated, in their order, each once: `search(table, budget, seed)`."""


@dataclass(frozen=True)
class Strategy:
    """A search, what it is in a few words, and the package it comes from, if that is none of ours."""

    search: Search
    words: str
    package: str | None = None
    variant: bool = False
    """Whether it is ours with one choice made otherwise, to show what the choice is worth."""

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        try:
            return self.package is None or bool(metadata.version(self.package))
        except metadata.PackageNotFoundError:
            return False


def ours(table: Table, budget: int, seed: int) -> list[int]:
    """The proposer that a tuning run uses, asked for one config at a time and told nothing but the knobs."""
    return propose(table, budget, Proposer(table.space, seed=seed), batch=1)


def _variant(policy: Policy, *, batch: int = 1) -> Search:
    """Ours with choices made otherwise."""
    return lambda table, budget, seed: propose(
        table, budget, Proposer(table.space, seed=seed, policy=policy), batch=batch
    )


def random(table: Table, budget: int, seed: int) -> list[int]:
    """Configs drawn without replacement."""
    rng = np.random.default_rng(seed)
    return list(map(int, rng.choice(len(table.rows), size=min(budget, len(table.rows)), replace=False)))


STRATEGIES: Mapping[str, Strategy] = {
    "ours": Strategy(ours, "this project's sampler, one config at a time"),
    "random": Strategy(random, "draws without replacement"),
    "tpe": Strategy(optuna_sampler("tpe"), "Optuna's TPESampler"),
    "gp": Strategy(optuna_sampler("gp"), "Optuna's GPSampler", "torch"),
    **{
        f"kt_{name}": Strategy(kernel_tuner(name), f"Kernel Tuner's {name}, replaying the table", "kernel_tuner")
        for name in ("genetic_algorithm", "adaptive_tabu_greywolf", "hybrid_vndx", "bayes_opt", "simulated_annealing")
    },
    "ours_run": Strategy(tuning_run, "a tuning run on an empty database, on a table of bench space", variant=True),
    **{
        f"ours_{name}": Strategy(search, f"ours, but {words}", variant=True)
        for name, search, words in (
            ("random_start", _variant(Policy(start="random")), "its first configs are drawn"),
            ("ranks", _variant(Policy(target=ranks)), "it learns ranks, not logarithms of times"),
            ("trees", _variant(Policy(trees=True)), "with trees on the knobs beside the process"),
            ("greedy", _variant(Policy(greedy=True)), "it goes for the best mean, whatever its uncertainty"),
            ("explore", _variant(Policy(explore=0.1)), "a tenth of its configs is drawn"),
            ("batch_8", _variant(Policy(), batch=8), "eight configs at a time"),
        )
    },
}
