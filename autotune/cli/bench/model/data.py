"""What the model is taught and asked: measured workloads of a database, or of the tables that `bench space` made."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autotune.cli.bench.kernels.sizes import ROWS
from autotune.cli.bench.search.tables import load, name_of, tables
from autotune.cli.bench.space.bench import FILE
from autotune.cli.kernels import built_in
from autotune.cost_model.estimate import Vector
from autotune.cost_model.features import Platform, features_of_batches
from autotune.cost_model.transfer import Experience
from autotune.database import Database
from autotune.errors import AutotuneError, FormatError
from autotune.machine import Machine, Peaks
from autotune.runtime.known import workload_among
from autotune.schedule import Config, Space, Workload
from autotune.search.experience import experiences
from autotune.search.proposer import Describe
from autotune.templates import nests_for, template_for


@dataclass(frozen=True)
class Measured:
    """A workload on a machine, with what was measured."""

    workload: Workload
    machine: Machine
    experience: Experience

    @property
    def kernel(self) -> str:
        """Kernel and direction."""
        return f"{self.workload.kernel.name} {self.workload.kernel.direction}"


def from_database(database: Database) -> list[Measured]:
    """All workloads of the library's kernels, with the default options and those that `bench kernels` gives them."""
    # A member of a family is found once it has been asked for.
    kernels = [kernel.specialized(**ROWS[name].options) for name, kernel in built_in().items()]
    return [Measured(*found) for found in experiences(database, lambda key: workload_among(kernels, key))]


def from_tables(folder: Path) -> list[Measured]:
    """The tables of a folder that `bench space` wrote; `FormatError` where they are no such."""
    path = folder / FILE
    try:
        data = json.loads(path.read_bytes())
        machine, peaks = Machine.from_json(data["machine"]), Peaks.from_json(data["peaks"])
        rows = {row["space"]: row for row in data["rows"]}
        return [_measured(table, rows[name_of(table)], machine, peaks) for table in tables(folder)]
    except (OSError, ValueError, TypeError, KeyError, AutotuneError) as error:
        message = f"{folder} holds no tables of `bench space`: {type(error).__name__}: {error}"
        raise FormatError(message) from error


def _measured(path: Path, row: dict[str, Any], machine: Machine, peaks: Peaks) -> Measured:
    kernel = built_in()[row["kernel"]]
    workload = kernel.workload(row["direction"], row["extents"], dtype=row["dtype"], threads=row["threads"])
    table, space = load(path), template_for(workload).space(workload, machine)
    values = {knob.name: {str(value): value for value in knob.values} for knob in space.knobs}
    configs: list[Config] = [
        {name: values[name][str(value)] for name, value in {**row["fixed"], **config}.items()}
        for config in table.space.configs(table.rows)
    ]
    platform = Platform.of(machine, peaks, workload.threads)
    described = features_of_batches(nests_for(workload, configs, machine), len(configs), platform)
    return Measured(workload, machine, Experience(configs, described, table.times * 1e-3))


def describing(space: Space, experience: Experience) -> Describe:
    """The features of the configs that were measured, and of no others."""
    rows = space.indices(list(experience.configs))
    known = {row.tobytes(): values for row, values in zip(rows, experience.features, strict=True)}

    def describe(configs: Sequence[Config]) -> Vector:
        return np.array([known[row.tobytes()] for row in space.indices(configs)])

    return describe


@dataclass(frozen=True)
class Lesson:
    """A question for the model: a workload of which nothing but some measurements are known, and what it has learnt."""

    asked: Measured
    held_out: str
    taught: tuple[Experience, ...]


def lessons(found: list[Measured], least: int) -> Iterator[Lesson]:
    """Each workload with `least` measurements, held out with its like: its shape, its kernel, its machine.

    Held-out shapes: taught by all other workloads; kernels: by other kernels and by nothing of its own in any
    direction; machines: by other machines only. What teaches a shape or a machine has the same kernel and direction
    among it.
    """
    for asked in found:
        if np.isfinite(asked.experience.seconds).sum() < least:
            continue
        others = [each for each in found if each is not asked]
        ways = {
            "shape": [each for each in others if each.workload.key != asked.workload.key],
            "kernel": [each for each in others if each.workload.kernel.name != asked.workload.kernel.name],
            "machine": [each for each in others if each.machine.fingerprint != asked.machine.fingerprint],
        }
        for held_out, taught in ways.items():
            if taught and (held_out == "kernel" or any(each.kernel == asked.kernel for each in taught)):
                yield Lesson(asked, held_out, tuple(each.experience for each in taught))
