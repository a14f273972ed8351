"""The Optuna study of a workload on a machine, kept beside the measurements and brought in line with them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from autotune.errors import DatabaseError
from autotune.machine import Machine
from autotune.measure.measurement import Measurement, Status
from autotune.schedule.space import Config, Space
from autotune.schedule.workload import Workload
from autotune.search.laboratory import trusted
from autotune.search.sampler import ABANDONED, Sampler, distributions, is_abandoned

_LOCK_SECONDS = 30


def study_name(workload: Workload, machine: Machine, space: Space) -> str:
    """Of one workload on one machine in one space: unlike measurements never meet in a study."""
    text = "\n".join((workload.key, machine.fingerprint, space.fingerprint))
    return f"{workload.describe()} [{hashlib.sha256(text.encode()).hexdigest()[:12]}]"


def open_study(url: str, name: str, sampler: Sampler) -> Study:
    """The study of that name in the database at `url`, made where there is none; it minimizes seconds per call."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # that a study was made is no news to the user
    try:
        return optuna.create_study(
            storage=_storage(url), study_name=name, sampler=sampler, direction="minimize", load_if_exists=True
        )
    finally:
        optuna.logging.set_verbosity(verbosity)


def synchronize(study: Study, space: Space, known: Mapping[str, Measurement]) -> None:
    """Brings a study in line with what is measured, by config: the measurements are what counts.

    A killed run leaves trials that run for ever; those that were measured get their result, the others are abandoned.
    Measurements without a trial, of an import for one, become trials.
    """
    told = set()
    for trial in study.get_trials(deepcopy=False):
        key = config_key(trial.params)
        if not trial.state.is_finished() and key in known:
            tell(study, trial._trial_id, known[key])
        if not is_abandoned(trial):
            told.add(key)
    abandon(study)
    for key, measurement in known.items():
        if key not in told:
            study.add_trial(_trial_of(measurement, space))


def begin(study: Study, trials: Sequence[FrozenTrial]) -> list[int]:
    """Puts trials that were proposed into the study; their identifiers. Each takes 20 to 30 ms."""
    return [study._storage.create_new_trial(study._study_id, trial) for trial in trials]


def tell(study: Study, identifier: int, measurement: Measurement) -> None:
    """Ends a trial with its result: the seconds that were measured, with a mark where the machine was loaded."""
    if measurement.status is Status.OK:
        _end(study, identifier, TrialState.COMPLETE, [measurement.seconds], _marks(measurement))
    else:
        _end(study, identifier, TrialState.FAIL, None, _marks(measurement))


def abandon(study: Study) -> None:
    """Ends the trials that still run without a result: it is as if they had not been proposed."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        _end(study, trial._trial_id, TrialState.FAIL, None, {ABANDONED: True})


def _end(
    study: Study, identifier: int, state: TrialState, values: Sequence[float] | None, attributes: Mapping[str, Any]
) -> None:
    """As `Study.tell`, without what that reads again before; a trial that another run has ended stays as it is."""
    with suppress(UpdateFinishedTrialError):
        for name, value in attributes.items():
            study._storage.set_trial_user_attr(identifier, name, value)
        study._storage.set_trial_state_values(identifier, state, values)


@contextmanager
def abandoning(study: Study) -> Iterator[None]:
    """Abandons what still runs when the run ends, is closed or interrupted; a broken database is left as it is."""
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        abandon(study)
        raise
    abandon(study)


@contextmanager
def storage_errors(place: str) -> Iterator[None]:
    """Turns errors of Optuna's storage into `DatabaseError`."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        message = f"database {place}: Optuna's study cannot be read or written: {error.__cause__ or error}"
        raise DatabaseError(message) from error


def config_key(config: Mapping[str, Any]) -> str:
    """One text for equal configs."""
    return repr(sorted(config.items()))


def _trial_of(measurement: Measurement, space: Space) -> FrozenTrial:
    ok = measurement.status is Status.OK
    config: Config = dict(measurement.config)
    return create_trial(
        params=config,
        distributions=distributions(space),
        value=measurement.seconds if ok else None,
        state=TrialState.COMPLETE if ok else TrialState.FAIL,
        user_attrs=_marks(measurement),
    )


def _marks(measurement: Measurement) -> dict[str, Any]:
    """What a trial's value does not say: how it failed, or the load of a machine that was not quiet."""
    if measurement.status is not Status.OK:
        return {"status": measurement.status.value}
    return {} if trusted(measurement) else {"load": measurement.load}


def _storage(url: str) -> RDBStorage:
    """Optuna's tables in the same database; a commit does not wait for the disk, as for our own tables."""
    sqlite = url.startswith("sqlite")
    storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}} if sqlite else {})
    if sqlite:
        event.listen(storage.engine, "connect", _without_waiting)
        storage.engine.dispose()  # connections made so far do not have the setting
    return storage


def _without_waiting(connection: Any, record: object) -> None:
    del record
    connection.execute("PRAGMA synchronous = NORMAL")
