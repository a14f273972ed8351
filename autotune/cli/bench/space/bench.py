"""`bench space` from its spaces to their tables: measure what the database does not hold, several times, far apart."""

import csv
import gzip
import io
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from autotune import units
from autotune.cli import terminal
from autotune.cli.bench.results import Results
from autotune.cli.bench.search.tables import TIME
from autotune.cli.bench.space.spaces import Exhaustive
from autotune.database import Database
from autotune.machine import Machine, detect, peaks, versions
from autotune.measure import Measurement, Status
from autotune.schedule import Config
from autotune.search.laboratory import QUIET, Bench
from autotune.search.studies import config_key

METHOD = (
    "Every config of a part of a template's space: the knobs that vary are columns, `fixed` are the others. Each "
    "config was verified and timed in passes over the whole space in random order, minutes apart, by the median of the "
    "samples of a pass; a calibration kernel ran before and after each config, and what was taken while something else "
    "was running was measured again. A time is the median of the quiet passes, of which `passes` is the mean number. "
    "`spread` is the median over configs of the range of the passes over their median."
)
FILE = "spaces.json"
ATTEMPTS = 2  # more measurements of a config, at most, where some failed or were made on a loaded machine


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure: each config of the spaces so many times, into tables in a folder."""

    spaces: tuple[Exhaustive, ...]
    rounds: int
    folder: Path


def bench(plan: Plan, place: str, *, refresh: bool) -> None:
    """Measure what the database at `place` does not hold and write the tables; Ctrl-C loses nothing."""
    machine, out = detect(), terminal.console()
    results = Results.open(plan.folder / FILE, machine, versions(), terminal.command_line(), refresh=refresh)
    results.more |= {"method": METHOD, "peaks": peaks(machine).to_json()}
    with Database.open(place) as database:
        for number in range(1, plan.rounds + 1):
            for exhaustive in plan.spaces:
                _Space.of(exhaustive, machine, database).measure(number, out)
        for exhaustive in plan.spaces:
            space = _Space.of(exhaustive, machine, database)
            space.write(plan.folder)
            _replace(results.rows, space.row())
            results.write()
    out.print(_table(results.rows))


@dataclass(frozen=True)
class _Space:
    """A space under way, with all of its configs and what is known of each."""

    exhaustive: Exhaustive
    machine: Machine
    database: Database
    configs: Sequence[Config]
    known: dict[str, list[Measurement]]

    @classmethod
    def of(cls, exhaustive: Exhaustive, machine: Machine, database: Database) -> "_Space":
        space = exhaustive.space(machine)
        known: dict[str, list[Measurement]] = defaultdict(list)
        for measurement in database.measurements(exhaustive.workload.key, machine.fingerprint):
            if measurement.versions == versions():
                known[config_key(measurement.config)].append(measurement)
        return cls(
            exhaustive, machine, database, space.configs(space.draw(np.random.default_rng(0), space.size)), known
        )

    def measure(self, number: int, out: Console) -> None:
        """Measure the configs that have not been measured `number` times on a quiet machine, or often enough."""
        workload = self.exhaustive.workload
        missing = [config for config in self.configs if not self._done(config, number)]
        if not missing:
            return
        with Bench(workload, self.machine, builders=1) as laboratory, out.status("") as status:
            for config in missing:
                # One at a time: after a fast one, a slow one is not timed to the end.
                (measurement,) = laboratory.measure([config], best=math.inf)
                self.database.add_measurement(measurement, self.machine, f"bench space {self.exhaustive.name}")
                self.known[config_key(config)].append(measurement)
                left = sum(not self._done(config, number) for config in missing)
                status.update(f"{self.exhaustive.name} pass {number}: {left} of {len(self.configs)} configs left")
        out.print(f"{self.exhaustive.name} pass {number}: {len(missing)} configs measured")

    def _done(self, config: Config, number: int) -> bool:
        known = self.known[config_key(config)]
        quiet = sum(measurement.status is Status.OK and measurement.load >= QUIET for measurement in known)
        return quiet >= number or len(known) >= number + ATTEMPTS

    def write(self, folder: Path) -> None:
        """The table, in the order of the knobs' values."""
        varied = list(self.exhaustive.varied)
        space = self.exhaustive.space(self.machine)
        order = np.lexsort(space.indices(self.configs).T[::-1])
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([*varied, TIME])
        for place in order:
            seconds = self._seconds(self.configs[place])
            time = "" if seconds is None else f"{seconds * 1e3:.6g}"
            writer.writerow([*(self.configs[place][name] for name in varied), time])
        path = folder / f"{self.exhaustive.name}_{self.machine.llvm_cpu}.csv.gz"
        path.write_bytes(gzip.compress(buffer.getvalue().encode(), mtime=0))

    def row(self) -> dict[str, Any]:
        """What the space is and how its times are spread."""
        workload = self.exhaustive.workload
        found = [self._seconds(config) for config in self.configs]
        times = [seconds * 1e3 for seconds in found if seconds is not None]
        spreads = [spread for config in self.configs if (spread := self._spread(config)) is not None]
        return {
            "space": f"{self.exhaustive.name}_{self.machine.llvm_cpu}",
            "kernel": workload.kernel.name,
            "direction": workload.kernel.direction,
            "extents": dict(workload.extents),
            "dtype": workload.dtype,
            "threads": workload.threads,
            "fixed": self.exhaustive.fixed(self.machine),
            "configs": len(self.configs),
            "failed": len(found) - len(times),
            "passes": statistics.mean(len(self._quietest(config)) for config in self.configs),
            "best_ms": min(times),
            "median_ms": statistics.median(times),
            "worst_ms": max(times),
            "spread": statistics.median(spreads) if spreads else None,
        }

    def _quietest(self, config: Config) -> list[float]:
        """Times of a config on a quiet machine, or the least that was measured; empty where it fails.

        What was measured beside other programs is not corrected: a table's optimum must be one that was seen. A timeout
        counts only where nothing else was seen: that a process was stopped for a while is no fault of its.
        """
        known = self.known[config_key(config)]
        if any(measurement.status not in (Status.OK, Status.TIMEOUT) for measurement in known):
            return []
        ok = [measurement for measurement in known if measurement.status is Status.OK]
        quiet = [measurement.seconds for measurement in ok if measurement.load >= QUIET]
        return quiet or sorted(measurement.seconds for measurement in ok)[:1]

    def _seconds(self, config: Config) -> float | None:
        times = self._quietest(config)
        return statistics.median(times) if times else None

    def _spread(self, config: Config) -> float | None:
        times = self._quietest(config)
        return (max(times) - min(times)) / statistics.median(times) if len(times) > 1 else None


def _replace(rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
    """Put a row in the place of the one of the same space, or at the end."""
    names = [other["space"] for other in rows]
    if row["space"] in names:
        rows[names.index(row["space"])] = row
    else:
        rows.append(row)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    numbers = ("configs", "failed", "best", "median", "worst", "spread")
    table = terminal.table("space", *numbers, numbers=numbers)
    for row in rows:
        times = (units.duration(row[name] * 1e-3) for name in ("best_ms", "median_ms", "worst_ms"))
        spread = "-" if row["spread"] is None else f"{100 * row['spread']:.1f} %"
        table.add_row(row["space"], str(row["configs"]), str(row["failed"]), *times, spread)
    return table
