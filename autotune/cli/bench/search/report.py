"""The tables of `bench search`: scores by space and strategy, and the tests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from autotune.cli import terminal
from autotune.cli.bench.search.outcome import ALL


def show(rows: Sequence[Mapping[str, Any]], comparisons: Sequence[Mapping[str, Any]], out: Console) -> None:
    """Print the scores for each budget, then the tests."""
    for budget in sorted({row["budget"] for row in rows}):
        out.print()
        out.print(f"P with {budget} evaluations (0 is random search, 1 the optimum at once)", style="bold")
        out.print(scores([row for row in rows if row["budget"] == budget]))
    if comparisons:
        out.print()
        out.print("Who is better than whom, with p-values corrected for the number of pairs", style="bold")
        out.print(tests(comparisons))


def scores(rows: Iterable[Mapping[str, Any]]) -> Table:
    """A line a space, a column a strategy; below them the mean, its interval, the least, and what else is known."""
    each = {(row["space"], row["strategy"]): row for row in rows}
    strategies = list(dict.fromkeys(strategy for _, strategy in each))
    spaces = list(dict.fromkeys(space for space, _ in each if space != ALL))
    made = terminal.table("space", *strategies, numbers=strategies)
    for space in spaces:
        made.add_row(space, *(_number(each.get((space, strategy)), "p") for strategy in strategies))
    made.add_section()
    total = [each.get((ALL, strategy)) for strategy in strategies]
    made.add_row("mean", *(_number(row, "p") for row in total), style="bold")
    made.add_row("95 % interval", *(f"{row['low']:.3f}..{row['high']:.3f}" if row else "-" for row in total))
    made.add_row("least", *(_number(row, "least") for row in total))
    made.add_row("evaluations to 95 %", *(_count(row) for row in total))
    made.add_row("repeats", *(str(row["repeats"]) if row else "-" for row in total))
    made.add_row("seconds a run", *(f"{row['seconds']:.2f}" if row else "-" for row in total))
    return made


def tests(comparisons: Iterable[Mapping[str, Any]]) -> Table:
    """A line a comparison."""
    numbers = ("evaluations", "difference", "spaces won", "over spaces", "permutation", "paired repeats")
    made = terminal.table("better", "than", *numbers, numbers=numbers)
    for each in comparisons:
        made.add_row(
            each["better"],
            each["than"],
            str(each["budget"]),
            f"{each['difference']:+.3f}",
            f"{each['wins']} of {each['spaces']}",
            f"{each['wilcoxon']:.2g}",
            f"{each['permutation']:.2g}",
            f"{each['paired']:.2g}",
        )
    return made


def _number(row: Mapping[str, Any] | None, name: str) -> str:
    return "-" if row is None else f"{row[name]:.3f}"


def _count(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    return "more" if row["evaluations_to_95"] is None else f"{row['evaluations_to_95']:.0f}"
