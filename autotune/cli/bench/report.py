"""The table of a bench of matrix products."""

import math
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from rich.table import Table

from autotune import units
from autotune.cli import terminal
from autotune.units import duration


def table(rows: Iterable[Mapping[str, Any]], peers: Iterable[str]) -> Table:
    """Times of all contestants, a row a case, under a heading for each dtype and number of threads."""
    names = tuple(peers)
    numbers = ("autotune", "default", *names, "vs best", "% peak")
    made = terminal.table("direction", "size", *numbers, numbers=numbers)
    for (dtype, threads), group in groupby(rows, key=lambda row: (row["dtype"], row["threads"])):
        made.add_section()
        made.add_row(f"{dtype}", f"{threads} thread{'s' if threads > 1 else ''}", style="dim")
        for row in group:
            made.add_row(*_cells(row, names))
    return made


def _cells(row: Mapping[str, Any], peers: tuple[str, ...]) -> tuple[str, ...]:
    ratio = against_peers(row)
    return (
        row["direction"],
        "x".join(map(str, in_order(row["size"]))),
        duration(1e-3 * row["ms"]),
        duration(1e-3 * row["default_ms"]),
        *(duration(1e-3 * row["peers"][name]) if name in row["peers"] else "-" for name in peers),
        "-" if ratio is None else f"{ratio:.2f}",
        f"{100 * row['fma_fraction']:.1f}",
    )


def line(row: Mapping[str, Any]) -> str:
    """A row in a line: "36.1 ms (91.2 % of peak), default 41.2 ms, numpy 38.0 ms"."""
    alone = {"one thread": row["one_thread_ms"]} if "one_thread_ms" in row else {}
    others = {"default": row["default_ms"], **alone, **row["peers"]}
    beside = ", ".join(f"{name} {duration(1e-3 * ms)}" for name, ms in others.items())
    return f"{duration(1e-3 * row['ms'])} ({units.percent(row['fma_fraction'])} of peak), {beside}"


def in_order(size: Mapping[str, int]) -> tuple[int, ...]:
    """Extents as bxmxkxn."""
    return tuple(size[axis] for axis in "bmkn" if axis in size)


def against_peers(row: Mapping[str, Any]) -> float | None:
    """How many times faster than the best peer; None where there is no peer."""
    return min(row["peers"].values()) / row["ms"] if row["peers"] else None


def summary(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Geometric means over the rows of the ratios to the best peer, to the default and to one thread, and the least.

    A ratio is the other's time over the tuned kernel's. Those that no row has are left out.
    """
    kept = list(rows)
    ratios = {
        "best_peer": [ratio for row in kept if (ratio := against_peers(row)) is not None],
        "default": [row["default_ms"] / row["ms"] for row in kept],
        "one_thread": [ratio for row in kept if (ratio := against_one_thread(row)) is not None],
    }
    return {
        f"{name}_{what}": value
        for name, values in ratios.items()
        if values
        for what, value in (("geometric_mean", geometric_mean(values)), ("least", min(values)))
    }


def against_one_thread(row: Mapping[str, Any]) -> float | None:
    """How many times faster than on one thread, in the same contests; None where that was not measured."""
    return row["one_thread_ms"] / row["ms"] if "one_thread_ms" in row else None


def geometric_mean(values: Iterable[float]) -> float:
    """The root of the product."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def words(found: Mapping[str, float]) -> str:
    """The summary in a sentence."""
    names = {"best_peer": "the best peer", "default": "the default schedule", "one_thread": "one thread"}
    parts = [
        f"{found[f'{name}_geometric_mean']:.2f}x {words} (at least {found[f'{name}_least']:.2f}x)"
        for name, words in names.items()
        if f"{name}_least" in found
    ]
    return f"geometric means: {', '.join(parts)}"


def tuning_words(tuning: Mapping[str, Any]) -> str:
    """What the timed tuning run took, in a line."""
    size = "x".join(map(str, in_order(tuning["size"])))
    memory = f"{tuning['peak_memory_bytes'] / 2**20:.0f} MiB"
    return f"tuning {tuning['direction']} {size}: {tuning['trials']} trials in {tuning['seconds']:.1f} s with {memory}"
