"""`bench model` from measured workloads to rows: the search's own models, asked about configs they have not seen."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from autotune.cli import terminal
from autotune.cli.bench.model.data import Lesson, Measured, describing, lessons
from autotune.cli.bench.results import Results
from autotune.cost_model.estimate import Vector
from autotune.cost_model.evaluation import TOP, Agreement, agreement
from autotune.cost_model.features import Platform, features_of_batches
from autotune.cost_model.transfer import Experience, Transfer
from autotune.machine import Machine, detect, peaks, versions
from autotune.schedule import Config, Space, Workload
from autotune.search.listed import listed
from autotune.search.prior import Prior
from autotune.search.proposer import History, Proposer
from autotune.templates import nests_for, template_for

NEAR, TRIALS, BATCH = 0.95, 64, 8  # of the best speed; trials and batches of the replayed searches
METHOD = (
    "Each workload in turn is asked about, its measured configs those that a model orders. `training` of them, drawn, "
    "are its own measurements that the model has learnt from; the agreement is with the others. Models: `own` learns "
    "from these alone; `transfer` has learnt from other workloads too, of which those are held out that `held_out` "
    "names: of its own shape, of its own kernel in all directions, of its own machine. `spearman` is the correlation "
    f"of ranks, `recall` the share of the {TOP} fastest among the {TOP} that the model puts first, `best` the fastest "
    "time of all over the fastest among these. Values of a workload are means over draws; rows are medians over the "
    "workloads of a kernel and direction, or of all. `trials` are those that a search needs, replayed on the measured "
    f"configs of a workload in batches of {BATCH}, to reach {100 * NEAR:.0f} % of the speed of the fastest, by its own "
    f"measurements alone and with what other workloads have taught: medians over draws, at most {TRIALS}. `thinking` "
    "is how many configs of a workload's space are made, described and scored in a second of one core's time."
)
ALL = "all"
LEFT = 12  # configs at least that a model is asked about
THOUGHT = 8192  # configs that are described and scored for the figure of speed


@dataclass(frozen=True)
class Plan:
    """How often each question is asked, with other draws, and of how many of a workload's own measurements."""

    training: tuple[int, ...]
    repeats: int


@dataclass(frozen=True)
class Answer:
    """How one workload was ordered: means over draws."""

    asked: Measured
    model: str
    held_out: str
    training: int
    agreement: Agreement


def bench(found: Sequence[Measured], plan: Plan, path: Path | None) -> None:
    """Ask all questions, keep the rows at `path`, and print them."""
    out, machine = terminal.console(), detect()
    results = Results.open(path, machine, versions(), terminal.command_line(), refresh=True)
    answers, trials = [], []
    with out.status("") as status:
        for lesson in lessons(list(found), LEFT):
            status.update(f"{lesson.asked.workload.describe()}, held out: {lesson.held_out}")
            answers += list(_answers(lesson, plan))
            if lesson.held_out == "shape":
                trials.append(_trials(lesson, plan.repeats))
    results.rows = rows(answers)
    results.more |= {
        "method": METHOD,
        "workloads": [_about(each) for each in found],
        "trials": trials,
        "thinking": [thinking(each, machine) for each in _one_of_each(found)],
    }
    results.write()
    show(results.rows, trials, results.more["thinking"], out)


def _answers(lesson: Lesson, plan: Plan) -> Iterator[Answer]:
    """By one workload: without own measurements, then with more and more."""
    prior = _prior(lesson)
    models = {"transfer": prior, "own": None} if lesson.held_out == "shape" else {"transfer": prior}
    for count in (0, *plan.training):
        if len(lesson.asked.experience) < count + LEFT:
            break
        for model, used in models.items():
            if not (count or used):
                continue
            draws = range(plan.repeats if count else 1)
            each = [_agreement(lesson.asked, used, count, seed) for seed in draws]
            mean = Agreement(*(float(np.mean(values)) for values in zip(*each, strict=True)))
            yield Answer(lesson.asked, model, lesson.held_out if used else "", count, mean)


def _prior(lesson: Lesson) -> Prior:
    transfer = Transfer(lesson.taught)

    def expect(configs: Sequence[Config], described: Vector) -> Vector:
        return transfer.predict(described, configs)

    return Prior(expect, transfer.error)


def _agreement(asked: Measured, prior: Prior | None, count: int, seed: int) -> Agreement:
    """Of the search's models, taught `count` drawn measurements, with the others."""
    experience, space = asked.experience, template_for(asked.workload).space(asked.workload, asked.machine)
    order = np.random.default_rng(seed).permutation(len(experience))
    known, asked_of = order[:count], order[count:]
    rows = space.indices(list(experience.configs))
    proposer = Proposer(space, describe=describing(space, experience), prior=prior, seed=seed)
    history = History(rows[known], experience.seconds[known], rows[:0])
    return agreement(proposer.scores(history, rows[asked_of]), experience.seconds[asked_of])


def _trials(lesson: Lesson, repeats: int) -> dict[str, Any]:
    """How many trials a search of the measured configs needs to come near the fastest."""
    experience, prior = lesson.asked.experience, _prior(lesson)
    columns = {name: [config[name] for config in experience.configs] for name in experience.configs[0]}
    space = listed(columns)
    found = {
        model: float(np.median([_to_near(space, experience, used, seed) for seed in range(repeats)]))
        for model, used in (("own", None), ("transfer", prior))
    }
    return {"kernel": lesson.asked.kernel, "extents": dict(lesson.asked.workload.extents), **found}


def _to_near(space: Space, experience: Experience, prior: Prior | None, seed: int) -> int:
    rows = space.indices(list(experience.configs))
    times = {row.tobytes(): float(time) for row, time in zip(rows, experience.seconds, strict=True)}
    proposer = Proposer(space, describe=describing(space, experience), prior=prior, seed=seed)
    tried, seconds = rows[:0], np.zeros(0)
    while len(tried) < TRIALS:
        new = space.indices(proposer.propose(History(tried, seconds, rows[:0]), BATCH))
        if not len(new):
            break
        tried = np.concatenate([tried, new])
        seconds = np.array([times[row.tobytes()] for row in tried])
        near = np.flatnonzero(seconds <= experience.seconds.min() / NEAR)
        if len(near):
            return int(near[0]) + 1
    return TRIALS


def rows(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Medians over all workloads, then over those of each kernel and direction."""
    kernels = (ALL, *sorted({answer.asked.kernel for answer in answers}))
    kinds = sorted({(answer.held_out, answer.model, answer.training) for answer in answers})
    found = []
    for kernel in kernels:
        for held_out, model, training in kinds:
            those = [
                answer
                for answer in answers
                if (answer.held_out, answer.model, answer.training) == (held_out, model, training)
                and kernel in (ALL, answer.asked.kernel)
            ]
            if those:
                medians = {
                    name: statistics.median(getattr(answer.agreement, name) for answer in those)
                    for name in Agreement._fields
                }
                about = {"of": kernel, "model": model, "held_out": held_out, "training": training}
                found.append({**about, "workloads": len(those), **medians})
    return found


def thinking(asked: Measured, machine: Machine) -> dict[str, Any]:
    """How fast configs of a workload's space are made, described and scored, in the time of one core."""
    workload, transfer = asked.workload, Transfer([asked.experience, asked.experience])
    space = template_for(workload).space(workload, machine)
    drawn = space.draw(np.random.default_rng(0), THOUGHT)
    best = 0.0
    for _ in range(3):
        start = time.process_time()
        configs = space.configs(drawn)
        transfer.predict(described(workload, configs, machine), configs)
        best = max(best, len(configs) / (time.process_time() - start))
    about = {"kernel": asked.kernel, "template": template_for(workload).name, "configs": len(drawn)}
    return {**about, "configs_per_second": best}


def described(workload: Workload, configs: Sequence[Config], machine: Machine) -> Vector:
    """Features of configs."""
    platform = Platform.of(machine, peaks(machine), workload.threads)
    return features_of_batches(nests_for(workload, configs, machine), len(configs), platform)


def _one_of_each(found: Sequence[Measured]) -> list[Measured]:
    return list({each.kernel: each for each in found}.values())


def _about(each: Measured) -> dict[str, Any]:
    workload, experience = each.workload, each.experience
    return {
        "kernel": workload.kernel.name,
        "direction": workload.kernel.direction,
        "extents": dict(workload.extents),
        "dtype": workload.dtype,
        "threads": workload.threads,
        "machine": each.machine.fingerprint,
        "measurements": len(experience),
    }


def show(
    found: Sequence[dict[str, Any]], trials: Sequence[dict[str, Any]], thoughts: Sequence[dict[str, Any]], out: Console
) -> None:
    """Print rows, trials and figures of speed."""
    out.print(_table(found))
    out.print()
    if trials:
        own, transfer = (statistics.median(each[model] for each in trials) for model in ("own", "transfer"))
        out.print(
            f"trials to {100 * NEAR:.0f} % of the best speed, median of {len(trials)} workloads: "
            f"{own:g} by own measurements alone, {transfer:g} with those of other workloads"
        )
        out.print()
    for thought in thoughts:
        out.print(f"{thought['kernel']}: {thought['configs_per_second']:,.0f} configs described and scored a second")


def _table(found: Sequence[dict[str, Any]]) -> Table:
    numbers = ("own measurements", "workloads", "spearman", "recall", "best of 10")
    table = terminal.table("kernel", "model", "held out", *numbers, numbers=numbers)
    for row in found:
        figures = (f"{row[name]:.3f}" for name in ("spearman", "recall", "best"))
        held_out = row["held_out"] or "-"
        table.add_row(row["of"], row["model"], held_out, str(row["training"]), str(row["workloads"]), *figures)
    return table
