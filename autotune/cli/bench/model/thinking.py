"""How fast the tuner thinks: configs that are made, described and scored in a second of one core's time."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from autotune.cli.bench.kernels.sizes import ROWS
from autotune.cli.kernels import built_in
from autotune.cost_model.features import Platform, features_of_batches
from autotune.cost_model.transfer import Transfer
from autotune.machine import Machine, peaks
from autotune.schedule import Workload
from autotune.templates import nests_for, template_for

CONFIGS = 8192  # of a space, or all that it has
ATTEMPTS = 3  # of which the quickest counts


def workloads() -> Iterator[Workload]:
    """Every kernel of the library in every direction, in large sizes."""
    for name, row in ROWS.items():
        kernel = built_in()[name].specialized(**row.options)
        for direction in kernel.directions:
            yield kernel.workload(direction, kernel.extents(dict(row.large)), dtype="float32", threads=1)


def thinking(workload: Workload, transfer: Transfer, machine: Machine) -> dict[str, Any]:
    """How fast configs of a workload's space are made, described and scored by what other workloads have taught."""
    template, platform = template_for(workload), Platform.of(machine, peaks(machine), workload.threads)
    space = template.space(workload, machine)
    rows = space.draw(np.random.default_rng(0), min(CONFIGS, space.size))

    def think() -> float:
        start = time.process_time()
        configs = space.configs(rows)
        described = features_of_batches(nests_for(workload, configs, machine), len(configs), platform)
        transfer.predict(described, configs)
        return time.process_time() - start

    return {
        "kernel": f"{workload.kernel.name} {workload.kernel.direction}",
        "template": template.name,
        "configs": len(rows),
        "configs_per_second": len(rows) / min(think() for _ in range(ATTEMPTS)),
    }
