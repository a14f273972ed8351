"""What runs say: scores with intervals, and whether one strategy is better than another on the same spaces."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from autotune.cli.bench.search.runs import Run
from autotune.cli.bench.search.score import Course, interval

ALL = "all"  # in the place of a space's name: the mean over spaces
NEAR = 0.95  # of the optimum's speed
EXCHANGES = 10_000  # of labels in the permutation test


def rows(
    runs: Iterable[Run], courses: Mapping[str, Mapping[int, Course]], strategies: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each budget, strategy and space, and for each budget and strategy one of all spaces.

    `courses` by space and budget. The interval of a space is over its repeats, that of all spaces over the spaces.
    """
    kept = list(runs)
    budgets = sorted({budget for course in courses.values() for budget in course})
    found = []
    for budget in budgets:
        for strategy in strategies:
            each = [
                row
                for space, course in courses.items()
                if (row := _row(_of(kept, space, strategy, budget), course[budget], budget)) is not None
            ]
            found += each
            if each:
                found.append(_mean(each, strategy, budget))
    return found


def comparisons(
    runs: Iterable[Run], courses: Mapping[str, Mapping[int, Course]], duels: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Whether the first of each pair of strategies is better than the second, by three one-sided tests.

    `wilcoxon`: signed ranks of the differences over spaces: would it be so on other spaces? `permutation`: strategies
    exchanged between repeats within each space: is it more than the luck of seeds? `paired`: signed ranks of the
    differences over spaces and repeats of the same number. p-values are corrected for the number of pairs (Holm).
    """
    kept = list(runs)
    found = []
    for budget in sorted({budget for course in courses.values() for budget in course}):
        results = []
        for better, other in duels:
            pairs = [
                tuple(_gains(kept, space, name, budget, course[budget]) for name in (better, other))
                for space, course in courses.items()
            ]
            pairs = [pair for pair in pairs if all(pair)]
            if pairs:
                results.append({"budget": budget, "better": better, "than": other, **_tests(pairs)})
        for test in ("wilcoxon", "permutation", "paired"):
            corrected = holm([result[test] for result in results])
            for result, p in zip(results, corrected, strict=True):
                result[test] = p
        found += results
    return found


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for how many there are (Holm 1979)."""
    order = np.argsort(values, kind="stable")
    raised = np.maximum.accumulate(np.array(values)[order] * np.arange(len(values), 0, -1))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(raised, 1.0)
    return list(map(float, corrected))


def _of(runs: Sequence[Run], space: str, strategy: str, budget: int) -> list[Run]:
    wanted = (space, strategy)
    return [run for run in runs if (run.space, run.strategy) == wanted and run.budget >= budget]


def _gains(runs: Sequence[Run], space: str, strategy: str, budget: int, course: Course) -> dict[int, float]:
    """P of each repeat, by its seed."""
    found = _of(runs, space, strategy, budget)
    gains = course.gains(np.array([run.curve[:budget] for run in found])) if found else ()
    return {run.seed: float(gain) for run, gain in zip(found, gains, strict=True)}


def _row(runs: Sequence[Run], course: Course, budget: int) -> dict[str, Any] | None:
    if not runs:
        return None
    curves = np.array([run.curve[:budget] for run in runs])
    low, high = interval(course.gains(curves))
    near = curves <= course.optimum / NEAR
    evaluations = np.where(near.any(axis=1), near.argmax(axis=1) + 1, np.inf)
    middle = float(np.median(evaluations))
    return {
        "space": runs[0].space,
        "strategy": runs[0].strategy,
        "budget": budget,
        "repeats": len(runs),
        "p": course.score(curves),
        "low": low,
        "high": high,
        "evaluations_to_95": middle if np.isfinite(middle) else None,
        "seconds": float(np.mean([run.seconds for run in runs])),
    }


def _mean(each: Sequence[Mapping[str, Any]], strategy: str, budget: int) -> dict[str, Any]:
    scores = np.array([row["p"] for row in each])
    low, high = interval(scores)
    evaluations = np.array([row["evaluations_to_95"] or np.inf for row in each])
    middle = float(np.median(evaluations))
    return {
        "space": ALL,
        "strategy": strategy,
        "budget": budget,
        "repeats": min(row["repeats"] for row in each),
        "p": float(scores.mean()),
        "low": low,
        "high": high,
        "evaluations_to_95": middle if np.isfinite(middle) else None,
        "seconds": float(np.mean([row["seconds"] for row in each])),
        "spaces": len(each),
        "least": float(scores.min()),
    }


def _tests(pairs: Sequence[tuple[dict[int, float], ...]]) -> dict[str, Any]:
    each = [(np.array(list(ours.values())), np.array(list(others.values()))) for ours, others in pairs]
    differences = np.array([ours.mean() - others.mean() for ours, others in each])
    paired = np.array([ours[seed] - others[seed] for ours, others in pairs for seed in ours.keys() & others.keys()])
    return {
        "spaces": len(pairs),
        "repeats": len(paired),
        "difference": float(differences.mean()),
        "wins": int((differences > 0).sum()),
        "wilcoxon": _signed_ranks(differences),
        "permutation": _permutation(each, float(differences.mean())),
        "paired": _signed_ranks(paired),
    }


def _signed_ranks(differences: NDArray[np.float64]) -> float:
    return float(wilcoxon(differences, alternative="greater").pvalue) if differences.any() else 1.0


def _permutation(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], observed: float) -> float:
    """How often the mean difference is as large where labels are exchanged within spaces."""
    rng = np.random.default_rng(0)
    total = np.zeros(EXCHANGES)
    for ours, others in pairs:
        together = np.concatenate([ours, others])
        drawn = rng.permuted(np.tile(together, (EXCHANGES, 1)), axis=1)
        total += drawn[:, : len(ours)].mean(axis=1) - drawn[:, len(ours) :].mean(axis=1)
    return float((1 + (total / len(pairs) >= observed - 1e-12).sum()) / (1 + EXCHANGES))
