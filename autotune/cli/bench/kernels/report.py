"""The table of a bench of the library's kernels, and what it comes to."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from rich.table import Table

from autotune import units
from autotune.cli import terminal
from autotune.cli.bench.report import geometric_mean
from autotune.units import duration

Row: TypeAlias = Mapping[str, Any]

EAGER = "torch"
LEAST_RATIO = 0.95


def table(rows: Iterable[Row]) -> Table:
    """Times of ours, of PyTorch and of the best peer, a row a case, under a heading for each dtype and threads."""
    numbers = ("autotune", "default", "torch", "best peer", "vs torch", "vs best", "% roofline")
    made = terminal.table("kernel", "direction", "size", *numbers, "bound", numbers=numbers)
    for (dtype, threads), group in groupby(rows, key=lambda row: (row["dtype"], row["threads"])):
        made.add_section()
        made.add_row(f"{dtype}", units.count(threads, "thread"), style="dim")
        for row in group:
            made.add_row(*_cells(row))
    return made


def _cells(row: Row) -> tuple[str, ...]:
    eager, peer = against(row, EAGER), best_peer(row)
    return (
        row["kernel"],
        row["direction"],
        size_of(row),
        duration(1e-3 * row["ms"]),
        duration(1e-3 * row["default_ms"]),
        "-" if eager is None else duration(1e-3 * row["peers"][EAGER]),
        "-" if peer is None else f"{peer} {duration(1e-3 * row['peers'][peer])}",
        "-" if eager is None else f"{eager:.2f}",
        "-" if peer is None else f"{row['ratio']:.2f}",
        f"{100 * row['roofline']:.0f}",
        row["bound"],
    )


def line(row: Row) -> str:
    """A row in a line: "1.78 ms (82.0 % of roofline, memory-bound), default 2.10 ms, numpy 9.41 ms"."""
    others = {"default": row["default_ms"], **dict(sorted(row["peers"].items(), key=lambda pair: pair[1]))}
    if alone := row.get("torch_backward_alone_ms"):
        others["torch backward alone"] = alone
    beside = ", ".join(f"{name} {duration(1e-3 * ms)}" for name, ms in others.items())
    share = f"{units.percent(row['roofline'])} of roofline, {row['bound']}-bound"
    return f"{duration(1e-3 * row['ms'])} ({share}), {beside}"


def size_of(row: Row) -> str:
    """Extents as people write them: "4096x1024"."""
    return "x".join(map(str, row["size"].values()))


def name_of(row: Row) -> str:
    """A case in words: "softmax vjp:x 4096x1024, 1 thread"."""
    return f"{row['kernel']} {row['direction']} {size_of(row)}, {units.count(row['threads'], 'thread')}"


def best_peer(row: Row) -> str | None:
    """The fastest peer; None where there is none."""
    return min(row["peers"], key=row["peers"].__getitem__, default=None)


def against(row: Row, peer: str) -> float | None:
    """How many times faster than that peer; None where it takes no part."""
    return row["peers"][peer] / row["ms"] if peer in row["peers"] else None


def summary(rows: Iterable[Row]) -> dict[str, Any]:
    """Geometric means of ratios over all rows, the least one, and means of roofline and trials per second.

    A ratio is the other's time over ours. What no row has is left out. `memory_bound` counts rows whose tensors are
    read at memory's rate or at a cache's, each as a fraction of that rate.
    """
    kept = list(rows)
    ratios = {
        "torch": [ratio for row in kept if (ratio := against(row, EAGER)) is not None],
        "best_peer": [row["ratio"] for row in kept if row["ratio"] is not None],
        "default": [row["default_ms"] / row["ms"] for row in kept],
    }
    rooflines = {bound: [row["roofline"] for row in kept if row["bound"] == bound] for bound in ("compute", "memory")}
    rates = [rate for row in kept if (rate := row.get("trials_per_second"))]
    found: dict[str, Any] = {"rows": len(kept)}
    for name, values in ratios.items():
        if values:
            found |= {f"{name}_geometric_mean": geometric_mean(values), f"{name}_least": min(values)}
    for bound, values in rooflines.items():
        if positive := [value for value in values if value > 0]:
            found |= {f"{bound}_bound_roofline": geometric_mean(positive), f"{bound}_bound_least": min(positive)}
    if rates:
        found |= {"trials_per_second_least": min(rates), "trials_per_second_mean": geometric_mean(rates)}
    return found | {"slower_than_a_peer": [name_of(row) for row in behind(kept)]}


def behind(rows: Iterable[Row]) -> list[Row]:
    """The rows with a peer that is faster by more than measuring errs, the worst first."""
    slower = [row for row in rows if row["ratio"] is not None and row["ratio"] < LEAST_RATIO]
    return sorted(slower, key=lambda row: float(row["ratio"]))


def words(rows: Sequence[Row]) -> list[str]:
    """The summary in lines, the rows behind a peer one by one."""
    found = summary(rows)
    parts = [
        f"{found[f'{name}_geometric_mean']:.2f}x {words} (at least {found[f'{name}_least']:.2f}x)"
        for name, words in (("torch", "PyTorch"), ("best_peer", "the best peer"), ("default", "the default schedule"))
        if f"{name}_least" in found
    ]
    lines = [f"geometric means over {units.count(len(rows), 'row')}: {', '.join(parts)}"]
    for bound, what in (("compute", "of the FMA peak"), ("memory", "of the read bandwidth")):
        if f"{bound}_bound_least" in found:
            mean, least = found[f"{bound}_bound_roofline"], found[f"{bound}_bound_least"]
            lines.append(f"{bound}-bound: {100 * mean:.0f} % {what} (at least {100 * least:.0f} %)")
    if "trials_per_second_least" in found:
        mean, least = found["trials_per_second_mean"], found["trials_per_second_least"]
        lines.append(f"tuning: {mean:.1f} trials per second (at least {least:.1f})")
    slower = behind(rows)
    if slower:
        lines.append(f"{len(slower)} below {LEAST_RATIO} of a peer:")
    lines += [f"  {row['ratio']:.2f}x {best_peer(row)}: {name_of(row)}" for row in slower]
    return lines
