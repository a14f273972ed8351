"""The search as an Optuna sampler, for any study whose parameters are the knobs of a `Space`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autotune.errors import UsageError
from autotune.schedule.space import Config, Knob, Space
from autotune.search.proposer import History, Proposer

ABANDONED = "abandoned"  # user attribute of a trial that was neither measured nor failed
_UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)
_LOG_FROM = 16  # largest over smallest value from which a number is shown on a logarithmic axis


class Sampler(BaseSampler):
    """Proposes valid configs of the proposer's space in batches, none twice in a study.

    A batch is proposed when one is asked for and none is left from the batch before, so that `batch` trials asked for,
    measured and told, one batch after the other, use all that is known. It holds no state but the rest of the batch: a
    study that is continued in another process gets the proposals that it would have got in the first.

    A failed or pruned trial counts as slower than all others. Trials that were abandoned, or whose parameters are no
    config of the space, are ignored. When all configs were proposed `Study.optimize` ends and `Study.ask` raises
    `UsageError`.
    """

    def __init__(self, space: Space, proposer: Proposer, *, batch: int = 8) -> None:
        self._space = space
        self._proposer = proposer
        self._batch = batch
        self._queue: list[Config] = []
        self._distributions = distributions(space)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The knobs, whatever the study holds."""
        del study, trial
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next config of the batch."""
        del search_space
        self._raise_error_if_multi_objective(study)
        if not self._queue:
            others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
            history = history_of(self._space, others, maximize=study.direction is StudyDirection.MAXIMIZE)
            self._queue = self._proposer.propose(history, self._batch)
        if not self._queue:
            message = f"all {self._space.size} configs of the space were proposed"
            raise UsageError(message)
        return dict(self._queue.pop(0))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Refused: a parameter that is no knob of the space."""
        del study, trial, param_distribution
        message = f"parameter {param_name!r} is no knob of the space: {', '.join(self._distributions)}"
        raise UsageError(message)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Ends `Study.optimize` when every config was proposed."""
        del trial, state, values
        if study._thread_local.in_optimize_loop:
            history = history_of(self._space, study.get_trials(deepcopy=False))
            if len({row.tobytes() for row in history.known}) >= self._space.size:
                study.stop()


def is_abandoned(trial: FrozenTrial) -> bool:
    """Whether a trial was ended because its run was, and says nothing of its config."""
    return ABANDONED in trial.user_attrs


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Optuna's view of the knobs, so that its plots have numbers on their axes where the values are numbers."""
    return {knob.name: _distribution(knob) for knob in space.knobs}


def history_of(space: Space, trials: Sequence[FrozenTrial], *, maximize: bool = False) -> History:
    """The trials of a study as the proposer wants them; those that hold no config of the space are left out."""
    measured: list[Config] = []
    seconds: list[float] = []
    pending: list[Config] = []
    for trial in trials:
        if is_abandoned(trial) or not space.contains(trial.params):
            continue
        if trial.state in _UNFINISHED:
            pending.append(trial.params)
        else:
            measured.append(trial.params)
            value = trial.value if trial.state is TrialState.COMPLETE else None
            seconds.append(np.inf if value is None else -value if maximize else value)
    return History(space.indices(measured), np.array(seconds, dtype=np.float64), space.indices(pending))


def _distribution(knob: Knob) -> BaseDistribution:
    whole = [value for value in knob.values if type(value) is int]
    if knob.ordered and len(whole) == len(knob.values):
        low, high = whole[0], whole[-1]
        return IntDistribution(low, high, log=low >= 1 and high >= _LOG_FROM * low)
    real = [value for value in knob.values if isinstance(value, float)]
    if knob.ordered and len(real) == len(knob.values):
        return FloatDistribution(real[0], real[-1])
    return CategoricalDistribution(knob.values)
