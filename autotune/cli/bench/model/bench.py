"""`bench model` from measured workloads to rows: the search's own models, asked about configs they have not seen."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from autotune.cli import terminal
from autotune.cli.bench.model.data import Lesson, Measured, describing, lessons
from autotune.cli.bench.model.replays import BATCH, NEAR, TRIALS, trials_to_near
from autotune.cli.bench.model.thinking import thinking, workloads
from autotune.cli.bench.results import Results
from autotune.cost_model.evaluation import TOP, Agreement, agreement
from autotune.cost_model.transfer import Transfer
from autotune.machine import detect, versions
from autotune.search.prior import Prior, learnt, unlearnt
from autotune.search.proposer import History, Proposer
from autotune.templates import template_for

METHOD = (
    "Each workload in turn is asked about, its measured configs those that a model orders. `training` of them, drawn, "
    "are its own measurements that the model has learnt from; the agreement is with the others. Models: `own` learns "
    "from these alone, and expects before them what loop nests and the machine's peaks say; `transfer` has learnt from "
    "other workloads too, of which those are held out that `held_out` names: of its own shape, of its own kernel in "
    "all directions, of its own machine. Only workloads are asked about whose kernel and direction are among what is "
    "left, but for held-out kernels. `spearman` is the correlation of ranks, `recall` the share of the "
    f"{TOP} fastest among the {TOP} that the model puts first, `best` the fastest time of all over the fastest among "
    "these. Values of a workload are means over draws; rows are medians over the workloads of a kernel and direction, "
    "or of all. `trials` are those that a search needs, replayed on the measured configs of a workload in batches of "
    f"{BATCH}, to reach {100 * NEAR:.0f} % of the speed of the fastest, with either model: medians over draws, at most "
    f"{TRIALS}. `thinking` is how many configs of a kernel's space, of which there are so many `configs` or more, are "
    "made, described and scored in a second of one core's time."
)
ALL = "all"
LEFT = 12  # configs at least that a model is asked about


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
    results = Results.new(path, machine, versions(), terminal.command_line())
    answers, trials = [], []
    with out.status("") as status:
        for lesson in lessons(list(found), LEFT):
            status.update(f"{lesson.asked.workload.describe()}, held out: {lesson.held_out}")
            models = _models(lesson)
            answers += list(_answers(lesson, models, plan))
            if lesson.held_out == "shape":
                trials.append(_trials(lesson, models, plan.repeats))
        status.update("configs a second")
        transfer = Transfer([each.experience for each in found])
        thoughts = [thinking(workload, transfer, machine) for workload in workloads()]
    results.rows = rows(answers)
    results.more |= {
        "method": METHOD,
        "workloads": [_about(each) for each in found],
        "trials": trials,
        "thinking": thoughts,
    }
    results.write()
    show(results.rows, trials, thoughts, out)


def _models(lesson: Lesson) -> dict[str, Prior]:
    """What a search begins with, by the name of the model: nothing learnt only beside what other shapes have taught."""
    transfer = {"transfer": learnt(Transfer(lesson.taught))}
    return {"own": unlearnt(), **transfer} if lesson.held_out == "shape" else transfer


def _answers(lesson: Lesson, models: Mapping[str, Prior], plan: Plan) -> Iterator[Answer]:
    """By one workload: without own measurements, then with more and more."""
    for count in (0, *plan.training):
        if len(lesson.asked.experience) < count + LEFT:
            break
        for model, prior in models.items():
            draws = range(plan.repeats if count else 1)
            each = [_agreement(lesson.asked, prior, count, seed) for seed in draws]
            mean = Agreement(*(float(np.mean(values)) for values in zip(*each, strict=True)))
            yield Answer(lesson.asked, model, lesson.held_out if model == "transfer" else "", count, mean)


def _agreement(asked: Measured, prior: Prior, count: int, seed: int) -> Agreement:
    """Of the search's models, taught `count` drawn measurements, with the others."""
    experience, space = asked.experience, template_for(asked.workload).space(asked.workload, asked.machine)
    order = np.random.default_rng(seed).permutation(len(experience))
    known, asked_of = order[:count], order[count:]
    rows = space.indices(list(experience.configs))
    proposer = Proposer(space, describe=describing(space, experience), prior=prior, seed=seed)
    history = History(rows[known], experience.seconds[known], rows[:0])
    return agreement(proposer.scores(history, rows[asked_of]), experience.seconds[asked_of])


def _trials(lesson: Lesson, models: Mapping[str, Prior], repeats: int) -> dict[str, Any]:
    asked = lesson.asked
    found = {
        model: statistics.median(trials_to_near(asked.experience, prior, seed) for seed in range(repeats))
        for model, prior in models.items()
    }
    return {"kernel": asked.kernel, "extents": dict(asked.workload.extents), **found}


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
            f"{own:g} on an empty database, {transfer:g} with what other workloads have taught"
        )
        out.print()
    for thought in thoughts:
        speed, count = (f"{thought[name]:,.0f}" for name in ("configs_per_second", "configs"))
        out.print(
            f"{thought['kernel']} ({thought['template']}): {speed} configs described and scored a second, {count}"
        )


def _table(found: Sequence[dict[str, Any]]) -> Table:
    numbers = ("own measurements", "workloads", "spearman", "recall", "best of 10")
    table = terminal.table("kernel", "model", "held out", *numbers, numbers=numbers)
    for row in found:
        figures = (f"{row[name]:.3f}" for name in ("spearman", "recall", "best"))
        held_out = row["held_out"] or "-"
        table.add_row(row["of"], row["model"], held_out, str(row["training"]), str(row["workloads"]), *figures)
    return table
