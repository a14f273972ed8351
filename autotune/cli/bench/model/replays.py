"""Searches replayed on the configs of a workload that were measured, as if its space had no others."""

import numpy as np

from autotune.cli.bench.model.data import describing
from autotune.cost_model.transfer import Experience
from autotune.search.listed import listed
from autotune.search.prior import Prior
from autotune.search.proposer import History, Proposer

NEAR, TRIALS = 0.95, 64  # of the speed of the fastest; trials at most
FIRST, BATCH = 4, 8  # trials at a time, as a tuning run has them


def trials_to_near(experience: Experience, prior: Prior, seed: int) -> int:
    """How many trials a search needs to come near the fastest config; `TRIALS` where it does not."""
    space = listed({name: [config[name] for config in experience.configs] for name in experience.configs[0]})
    rows = space.indices(list(experience.configs))
    times = {row.tobytes(): float(time) for row, time in zip(rows, experience.seconds, strict=True)}
    proposer = Proposer(space, describe=describing(space, experience), prior=prior, seed=seed)
    tried, seconds = rows[:0], np.zeros(0)
    while len(tried) < TRIALS:
        new = space.indices(proposer.propose(History(tried, seconds, rows[:0]), BATCH if len(tried) else FIRST))
        if not len(new):
            break
        tried = np.concatenate([tried, new])
        seconds = np.array([times[row.tobytes()] for row in tried])
        near = np.flatnonzero(seconds <= experience.seconds.min() / NEAR)
        if len(near):
            return int(near[0]) + 1
    return TRIALS
