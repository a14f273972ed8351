"""Tuning a workload, from nothing known to a proven winner.

`tune` sets up what a run needs and `Run.search` is the loop: propose a batch, build it, measure one config after the
other, store and tell each result, until the trials, the time or the configs are used up. Then `Run.conclude` lets the
fastest compete with the incumbent. Nothing is lost when a run is stopped, however that happens: the database is what
counts, and the next run begins with what is there.
"""

import importlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from optuna.study import Study

from autotune import settings
from autotune.cost_model.features import Platform, features_of_batches
from autotune.database import Database
from autotune.database.winner import Winner
from autotune.database.workload_key import WorkloadKey
from autotune.errors import UsageError
from autotune.machine import Machine, peaks, versions
from autotune.measure.measurement import Measurement, Status
from autotune.schedule.space import Config, Space
from autotune.schedule.workload import Workload
from autotune.search import studies
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
from autotune.search.experience import Find, prior_for
from autotune.search.laboratory import Bench, Laboratory, trusted
from autotune.search.prior import Prior
from autotune.search.proof import Contest, prove
from autotune.search.proposer import Describe, Proposer
from autotune.search.sampler import Sampler
from autotune.search.studies import (
    abandoning,
    config_key,
    open_study,
    storage_errors,
    study_name,
    synchronize,
    tell,
)
from autotune.templates import FunctionTemplate, nests_for, template_for

Report = Callable[[Event], None]

TIMES = "times"  # attribute of a study
CHALLENGERS = 4
CONCLUDING_SECONDS = 6.0  # kept of a time budget for the proof
REPEATS = 2  # times a measurement is repeated because the machine was loaded
PATIENCE_SECONDS, PATIENCE_SHARE = 5.0, 0.1  # how much of a run may go into waiting and repeating
SETTLE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be tuned: a workload on a machine, and how its configs are chosen."""

    workload: Workload
    machine: Machine
    space: Space
    default: Config
    describe: Describe | None = None
    learn: Callable[[Database], Prior | None] | None = None
    """What a database has to say of the workload before anything was measured."""
    trials: int
    seconds: float | None = None
    seed: int = 0
    batch: int = 8

    def __post_init__(self) -> None:
        self.space.check(self.default)
        for name, value in (("trials", self.trials), ("batch", self.batch)):
            if value < 1:
                message = f"{name} must be at least 1, not {value}"
                raise UsageError(message)
        if self.seconds is not None and not self.seconds > 0:
            message = f"a time budget must be more than 0 seconds, not {self.seconds}"
            raise UsageError(message)


def tune(
    workload: Workload,
    *,
    machine: Machine,
    database: Database,
    trials: int,
    seconds: float | None = None,
    seed: int = 0,
    batch: int = 8,
    report: Report | None = None,
    find: Find | None = None,
    beside: Bench | None = None,
) -> Outcome:
    """Tunes `workload` on this machine until `trials` configs are measured, earlier runs included, or time is up.

    `seconds` bounds the whole run. Every measurement goes into `database` as it is made; a run that was stopped is
    continued by the next. What the database holds of other workloads says where to begin: of those that `find` knows,
    and of the same kernel in the same direction. Ctrl-C ends the search early, not the proof; a second one ends that
    too. A bench `beside` lends its processes, which take 2 to 4 seconds of two cores to start.
    """
    begin(workload)
    task = task_of(workload, machine, trials=trials, seconds=seconds, seed=seed, batch=batch, find=find)
    if beside is not None:
        return run(task, Bench(workload, machine, beside=beside), database, report=report)
    with Bench(workload, machine) as laboratory:
        return run(task, laboratory, database, report=report)


def begin(workload: Workload) -> None:
    """Refuses a process that measures candidates, and loads in the background what takes long to load."""
    if settings.measuring():
        message = (
            f"{workload.kernel.name} cannot be tuned by a process that measures a candidate of its module: "
            f'put what tunes under if __name__ == "__main__":'
        )
        raise UsageError(message)
    loading = threading.Thread(target=importlib.import_module, args=("xgboost",), daemon=True)
    loading.start()  # takes seconds, which pass while the first batch is built


def task_of(
    workload: Workload,
    machine: Machine,
    *,
    trials: int,
    seconds: float | None = None,
    seed: int = 0,
    batch: int = 8,
    find: Find | None = None,
) -> Task:
    """What is to be tuned of a workload, by its template; `find` knows the kernels of other workloads to learn from."""
    template = template_for(workload)
    space = template.space(workload, machine)
    return Task(
        workload=workload,
        machine=machine,
        space=space,
        default=template.default(workload, machine),
        describe=_describe(workload, machine),
        learn=partial(prior_for, workload, machine, space, find=partial(_find, workload, find), seed=seed),
        trials=trials,
        seconds=seconds,
        seed=seed,
        batch=batch,
    )


def run(task: Task, laboratory: Laboratory, database: Database, *, report: Report | None = None) -> Outcome:
    """Tunes in any laboratory; see `tune`."""
    state = Run(task=task, laboratory=laboratory, database=database, report=report or (lambda _: None))
    with storage_errors(database.place):
        for part in (state.search, state.conclude):
            try:
                part()
            except KeyboardInterrupt:
                state.interrupted = True
    return state.outcome()


@dataclass(kw_only=True)
class Run:
    """One run: what is known so far, by config, and how it ended."""

    task: Task
    laboratory: Laboratory
    database: Database
    report: Report
    known: dict[str, Measurement] = field(default_factory=dict)
    earlier: int = 0
    winner: Winner | None = None
    replaced: bool = False
    interrupted: bool = False
    error: str = ""
    start: float = field(default_factory=time.monotonic)
    repeating: float = 0.0
    """Seconds that went into waiting for a quiet machine and into repeating measurements."""
    allowance: Callable[[], float] = lambda: math.inf
    """Seconds that the search may still take, where others share its time."""
    thinking: float = 0.0
    """Seconds that went into learning, into choosing configs and into keeping what came of them."""

    def search(self) -> None:
        """Measures batch after batch until trials, time or configs are used up."""
        for _ in self.batches():
            pass

    def batches(self) -> Iterator[None]:
        """Opens the study, and then measures a batch at every step, until trials, time or configs are used up."""
        with self._thinking():
            study, sampler = self._open()
        self.report(Started(self.progress()))
        with abandoning(study), self._keeping_times(study):
            yield
            while count := self._next_batch():
                with self._thinking():
                    trials = sampler.propose(study, count)
                self.report(BatchProposed(self.progress(), count))
                with ThreadPoolExecutor(1) as beside:  # while the first candidates are built
                    begun = beside.submit(studies.begin, study, trials)
                    for place, measurement in self._measure([dict(trial.params) for trial in trials], study.study_name):
                        with self._thinking():
                            tell(study, begun.result()[place], measurement)
                        self.known[config_key(measurement.config)] = measurement
                        self.report(TrialFinished(self.progress(), measurement))
                yield

    def conclude(self, haste: float = 1.0) -> None:
        """Lets the fastest compete with the incumbent and stores a new winner; not where nothing is new.

        `haste` divides the time that this takes.
        """
        self.winner = self.database.winner(self.task.workload.key, self.task.machine.fingerprint)
        nothing_new = len(self.known) == self.earlier
        if not (nothing_new and (self.winner or self.interrupted)):
            self._prove(haste)
        self.report(Finished(self.progress(), self.winner))

    def best(self) -> float:
        """The least seconds so far, infinite before the first."""
        return min((measurement.seconds for measurement in self.known.values()), default=math.inf)

    def progress(self) -> Progress:
        """How far the run is."""
        task = self.task
        elapsed = time.monotonic() - self.start
        new = len(self.known) - self.earlier
        trials = min(task.trials, task.space.size)
        missing = max(0, trials - len(self.known))
        left = elapsed / new * missing if new else math.inf
        if task.seconds is not None:
            left = min(left, max(0.0, task.seconds - elapsed))
        return Progress(
            workload=task.workload,
            trials=trials,
            done=len(self.known),
            earlier=self.earlier,
            best=self.best(),
            failures=Counter(found.status for found in self.known.values() if found.status is not Status.OK),
            elapsed=elapsed,
            thinking=self.thinking,
            left=left if math.isfinite(left) else None,
        )

    def outcome(self) -> Outcome:
        """What the run has found."""
        return Outcome(
            workload=self.task.workload,
            machine=self.task.machine,
            winner=self.winner,
            replaced=self.replaced,
            progress=self.progress(),
            exhausted=len(self.known) >= self.task.space.size,
            interrupted=self.interrupted,
            error=self.error,
        )

    def _open(self) -> tuple[Study, Sampler]:
        """The study with all that was measured before, on this machine and by these versions, and its sampler."""
        task = self.task
        for measurement in self.database.measurements(task.workload.key, task.machine.fingerprint):
            if measurement.versions == versions() and task.space.contains(dict(measurement.config)):
                key = config_key(measurement.config)
                self.known[key] = _quieter(self.known.get(key), measurement)
        self.earlier = len(self.known)
        prior = None if task.learn is None else task.learn(self.database)
        proposer = Proposer(task.space, default=task.default, describe=task.describe, prior=prior, seed=task.seed)
        sampler = Sampler(task.space, proposer, batch=task.batch)
        study = open_study(self.database.url, study_name(task.workload, task.machine, task.space), sampler)
        synchronize(study, task.space, self.known)
        return study, sampler

    @contextmanager
    def _thinking(self) -> Iterator[None]:
        """Counts the time as the tuner's own."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.thinking += time.monotonic() - began

    @contextmanager
    def _keeping_times(self, study: Study) -> Iterator[None]:
        """Adds to the study how long its runs took, and how much of that was the tuner's own."""
        try:
            yield
        finally:
            before = study.user_attrs.get(TIMES, {"seconds": 0.0, "thinking": 0.0})
            spent = {"seconds": time.monotonic() - self.start, "thinking": self.thinking}
            study.set_user_attr(TIMES, {name: before[name] + spent[name] for name in spent})

    def _next_batch(self) -> int:
        """How many configs to measure next, no more than there is time for, but one at least in a run; 0 at the end.

        Where something is expected of them before any is measured, half of a batch soon tells how much that is worth.
        """
        missing = min(self.task.trials, self.task.space.size) - len(self.known)
        batch = self.task.batch if self.known or self.task.learn is None else -(-self.task.batch // 2)
        count = max(0, min(batch, missing))
        new = len(self.known) - self.earlier
        if not new:
            return min(count, 1) if self._time_is_up() else count
        left = self._search_seconds_left()
        if math.isinf(left):
            return count
        each = (time.monotonic() - self.start) / new
        return min(count, max(0, int(left / each)))

    def _measure(self, configs: Sequence[Config], name: str) -> Iterator[tuple[int, Measurement]]:
        """The place of each config with its result, once it has one that counts.

        What was measured while something else was running is measured again, within limits; every attempt is stored.
        """
        waiting: dict[int, Measurement | None] = dict.fromkeys(range(len(configs)))
        for attempt in range(REPEATS + 1):
            began = time.monotonic()
            found = self.laboratory.measure([configs[place] for place in waiting], best=self.best())
            for place, measurement in zip(tuple(waiting), found, strict=False):
                with self._thinking():
                    self.database.add_measurement(measurement, self.task.machine, name)
                waiting[place] = result = _quieter(waiting[place], measurement)
                if trusted(result) or attempt == REPEATS or not self._patient():
                    del waiting[place]
                    yield place, result
                if self._time_is_up():
                    yield from ((left, known) for left, known in waiting.items() if known is not None)
                    return
            if attempt:
                self.repeating += time.monotonic() - began
            loads = [known.load for known in waiting.values() if known is not None]
            if not loads:
                return
            self.report(MachineLoaded(self.progress(), min(loads), len(loads)))
            began = time.monotonic()
            self.laboratory.settle(SETTLE_SECONDS)
            self.repeating += time.monotonic() - began

    def _prove(self, haste: float) -> None:
        task = self.task
        stored = self.winner.config if self.winner and task.space.contains(self.winner.config) else None
        self._measure_doubtful()
        fastest = self._fastest()
        contest = Contest(
            workload=task.workload,
            machine=task.machine,
            default=task.default,
            stored=stored,
            challengers=tuple(dict(measurement.config) for measurement in fastest[:CHALLENGERS]),
        )
        self.report(Proving(self.progress(), len(contest.challengers)))
        verdict = prove(contest, self.laboratory, seed=task.seed, haste=haste)
        self.error = verdict.error
        if verdict.winner is not None:
            self.replaced = self.database.set_winner(verdict.winner, task.machine)
            self.winner = verdict.winner

    def _fastest(self) -> list[Measurement]:
        ok = (measurement for measurement in self.known.values() if measurement.status is Status.OK)
        return sorted(ok, key=lambda measurement: measurement.seconds)

    def _measure_doubtful(self) -> None:
        """Measures again what a loaded machine may have kept from the contest."""
        doubtful, task = self._doubtful(), self.task
        if not doubtful:
            return
        self.laboratory.settle(SETTLE_SECONDS)
        name = study_name(task.workload, task.machine, task.space)
        for measurement in self.laboratory.measure(doubtful, best=self.best()):
            self.database.add_measurement(measurement, task.machine, name)
            key = config_key(measurement.config)
            self.known[key] = _quieter(self.known[key], measurement)

    def _doubtful(self) -> list[Config]:
        """Configs that were slow while the machine was loaded, but may be among the fastest when it is quiet."""
        fastest = self._fastest()
        contestants, others = fastest[:CHALLENGERS], fastest[CHALLENGERS:]
        perhaps = sorted((m.seconds * m.load, config_key(m.config), m) for m in others if not trusted(m))
        return [dict(m.config) for least, _, m in perhaps[:CHALLENGERS] if least < contestants[-1].seconds]

    def _patient(self) -> bool:
        """Whether there is time left for repeating measurements."""
        return self.repeating < PATIENCE_SECONDS + PATIENCE_SHARE * (time.monotonic() - self.start)

    def _time_is_up(self) -> bool:
        return self._search_seconds_left() <= 0

    def _search_seconds_left(self) -> float:
        """Seconds until the proof should begin; infinite without a time budget."""
        seconds = self.task.seconds if self.task.seconds is not None else math.inf
        reserved = min(CONCLUDING_SECONDS, seconds / 2)
        return min(seconds - reserved - (time.monotonic() - self.start), self.allowance())


def _quieter(first: Measurement | None, second: Measurement) -> Measurement:
    """Of two measurements of a config the one to believe: made while less else was running, else the later."""
    if first is None or first.status is not Status.OK or second.status is not Status.OK:
        return second
    return first if first.load > second.load else second


def _describe(workload: Workload, machine: Machine) -> Describe | None:
    """Features of configs by their loop nests; None of a user's own template, whose knobs are all that is known."""
    if isinstance(template_for(workload), FunctionTemplate):
        return None
    platform = Platform.of(machine, peaks(machine), workload.threads)

    def describe(configs: Sequence[Config]) -> NDArray[np.float64]:
        return features_of_batches(nests_for(workload, configs, machine), len(configs), platform)

    return describe


def _find(workload: Workload, find: Find | None, key: WorkloadKey) -> Workload | None:
    """The workload of a key, of this one's own kernel or of those that `find` knows."""
    if key.definition == workload.kernel.digest:
        return Workload.of(workload.kernel, key.extents, key.dtype, key.threads)
    return find(key) if find is not None else None
