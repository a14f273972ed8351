"""The search as an Optuna sampler, for studies of the knobs of a `Space` and for any others of one objective."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from autotune.database.views.predictions import ATTRIBUTE
from autotune.errors import UsageError
from autotune.schedule.space import Config, Knob, Space
from autotune.search.inferred import Inferred
from autotune.search.proposer import History, Proposer

ABANDONED = "abandoned"  # user attribute of a trial that was neither measured nor failed
_UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)
ConfigOf: TypeAlias = Callable[[Mapping[str, Any]], Config | None]
"""The config of a trial's parameters; None where they are none of the space."""
_LOG_FROM = 16  # largest over smallest value from which a number is shown on a logarithmic axis


class Sampler(BaseSampler):
    """Proposes configs that a study has not seen, in batches.

    With a `space` it proposes valid configs of that space alone: ones that constraints leave, or that a table lists
    (`autotune.search.listed`). When all were proposed `Study.optimize` ends and `Study.ask` raises `UsageError`.
    Without one it takes the parameters that all trials of the study have, categorical, integer or real (at the points
    of a grid); others are drawn at random, and so is a config when all were proposed.

    A batch is proposed when one is asked for and none is left from the batch before, so that `batch` trials asked for,
    measured and told, one batch after the other, use all that is known. It holds no state but the rest of the batch: a
    study that is continued in another process gets the proposals that it would have got in the first.

    A failed or pruned trial, or one of infinite value, counts as slower than all others. Trials that were abandoned, or
    whose parameters are no config of the space, are ignored. Trials that still run are known and not proposed again.
    """

    def __init__(
        self,
        space: Space | None = None,
        proposer: Proposer | None = None,
        *,
        batch: int = 1,
        seed: int | None = None,
    ) -> None:
        if batch < 1:
            message = f"a batch has at least 1 config, not {batch}"
            raise UsageError(message)
        self._space = space
        self._batch = batch
        self._seed = seed if seed is not None else int(np.random.default_rng().integers(2**31))
        self._proposer = proposer if proposer is not None or space is None else Proposer(space, seed=self._seed)
        self._queue: list[Config] = []
        self._number = 0  # of the batch in the queue
        self._distributions = distributions(space) if space is not None else {}
        self._independent = RandomSampler(seed=seed)
        self._intersection = IntersectionSearchSpace()
        self._inferred: tuple[Inferred, Proposer] | None = None

    def reseed_rng(self) -> None:
        """New random numbers for what is drawn at random, where Optuna runs several processes."""
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The knobs, whatever the study holds; without a space what all its trials have."""
        del trial
        return dict(self._distributions) if self._space is not None else self._intersection.calculate(study)

    def propose(self, study: Study, count: int) -> list[FrozenTrial]:
        """The next trials of a study, running, at most `count`; fewer where all configs of the space were proposed.

        They are those that `Study.ask` gives one by one, but are not in the study yet (see `studies.begin`). For
        samplers with a space.
        """
        assert self._space is not None
        assert self._proposer is not None
        return [
            create_trial(
                state=TrialState.RUNNING,
                params=dict(config),
                distributions=self._distributions,
                user_attrs=self._prediction(config),
            )
            for config in self._propose(study, None, self._space, self._proposer, _valid(self._space), count)
        ]

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next config of the batch."""
        self._raise_error_if_multi_objective(study)
        if self._space is None:
            return self._sample_inferred(study, trial, search_space)
        assert self._proposer is not None
        config = self._next(study, trial, self._space, self._proposer, _valid(self._space))
        if config is None:
            message = f"all {self._space.size} configs of the space were proposed"
            raise UsageError(message)
        for name, value in self._prediction(config).items():
            study._storage.set_trial_user_attr(trial._trial_id, name, value)
        return dict(config)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A draw; refused where there is a space, of which the parameter is no knob."""
        self._raise_error_if_multi_objective(study)
        if self._space is None:
            return self._independent.sample_independent(study, trial, param_name, param_distribution)
        message = f"parameter {param_name!r} is no knob of the space: {', '.join(self._distributions)}"
        raise UsageError(message)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Ends `Study.optimize` when every config of the space was proposed."""
        del trial, state, values
        if self._space is not None and study._thread_local.in_optimize_loop:
            history = history_of(self._space, study.get_trials(deepcopy=False))
            if len({row.tobytes() for row in history.known}) >= self._space.size:
                study.stop()

    def _sample_inferred(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        if self._inferred is None or self._inferred[0].distributions != search_space:
            inferred = Inferred.of(search_space)
            self._inferred = inferred, Proposer(inferred.space, seed=self._seed)
            self._queue = []
        inferred, proposer = self._inferred
        config = self._next(study, trial, inferred.space, proposer, inferred.config)
        # Where all were proposed, a study that goes on all the same has noise to average.
        return {} if config is None else inferred.params(config)

    def _prediction(self, config: Config) -> dict[str, Any]:
        """What is kept with a trial of what was expected of its config."""
        assert self._proposer is not None
        expected = self._proposer.expected(config)
        return {} if expected is None else {ATTRIBUTE: {"seconds": expected, "batch": self._number}}

    def _next(
        self, study: Study, trial: FrozenTrial, space: Space, proposer: Proposer, config_of: ConfigOf
    ) -> Config | None:
        """The next config of the batch, or the first of a new one; None where all were proposed."""
        if not self._queue:
            self._queue = self._propose(study, trial, space, proposer, config_of, self._batch)
        return self._queue.pop(0) if self._queue else None

    def _propose(
        self,
        study: Study,
        trial: FrozenTrial | None,
        space: Space,
        proposer: Proposer,
        config_of: ConfigOf,
        count: int,
    ) -> list[Config]:
        """A batch, in view of all trials but one that is still without a config."""
        others = [other for other in study.get_trials(deepcopy=False) if trial is None or other.number != trial.number]
        history = _history(space, others, config_of, maximize=study.direction is StudyDirection.MAXIMIZE)
        self._number = len(history) // self._batch
        return proposer.propose(history, count)


def is_abandoned(trial: FrozenTrial) -> bool:
    """Whether a trial was ended because its run was, and says nothing of its config."""
    return ABANDONED in trial.user_attrs


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Optuna's view of the knobs, so that its plots have numbers on their axes where the values are numbers."""
    return {knob.name: _distribution(knob) for knob in space.knobs}


def history_of(space: Space, trials: Sequence[FrozenTrial], *, maximize: bool = False) -> History:
    """The trials of a study as the proposer wants them; those that hold no config of the space are left out."""
    return _history(space, trials, _valid(space), maximize=maximize)


def _history(
    space: Space,
    trials: Sequence[FrozenTrial],
    config_of: ConfigOf,
    *,
    maximize: bool,
) -> History:
    measured: list[Config] = []
    seconds: list[float] = []
    pending: list[Config] = []
    for trial in trials:
        config = None if is_abandoned(trial) else config_of(trial.params)
        if config is None:
            continue
        if trial.state in _UNFINISHED:
            pending.append(config)
        else:
            measured.append(config)
            value = trial.value if trial.state is TrialState.COMPLETE else None
            seconds.append(np.inf if value is None else -value if maximize else value)
    return History(space.indices(measured), np.array(seconds, dtype=np.float64), space.indices(pending))


def _valid(space: Space) -> ConfigOf:
    return lambda params: dict(params) if space.contains(dict(params)) else None


def _distribution(knob: Knob) -> BaseDistribution:
    whole = [value for value in knob.values if type(value) is int]
    if knob.ordered and len(whole) == len(knob.values):
        low, high = whole[0], whole[-1]
        return IntDistribution(low, high, log=low >= 1 and high >= _LOG_FROM * low)
    real = [value for value in knob.values if isinstance(value, float)]
    if knob.ordered and len(real) == len(knob.values):
        return FloatDistribution(real[0], real[-1])
    return CategoricalDistribution(knob.values)
