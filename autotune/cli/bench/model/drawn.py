"""Workloads of which configs are drawn and measured: what a model is asked about then is the space, not a search."""

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from autotune.cli.bench.kernels.cases import KernelCase, shaped
from autotune.database import Database
from autotune.machine import detect, versions
from autotune.schedule import Config, Workload
from autotune.search.laboratory import Bench, Laboratory, trusted
from autotune.search.studies import config_key
from autotune.templates import template_for

if TYPE_CHECKING:
    from autotune.measure import Measurement

ATTEMPTS = 3  # measurements of a config, at most, where the machine was loaded
ORIGIN = "bench model"  # in the place of a study's name


def cases() -> tuple[KernelCase, ...]:
    """Two shapes or more of each kernel and direction, since a model is asked about one that it has not seen.

    All are small: a call takes 10 µs to 2 ms with a fair config. None is a multiple of another.
    """
    return (
        *shaped("matmul", (256, 192, 320), (48, 700, 144), (33, 150, 500), (640, 96, 80)),
        *shaped("matmul", (256, 192, 144), (60, 400, 330), (700, 64, 100), direction="vjp:a"),
        *shaped("conv2d", (1, 1, 32, 28, 28, 32, 3, 3), (1, 2, 48, 14, 20, 40, 3, 3), padding=1),
        *shaped("depthwise_conv2d", (1, 16, 56, 56, 3, 3), (2, 40, 20, 30, 3, 3), padding=1),
        *shaped("softmax", (512, 1024), (2000, 120), (100, 2500)),
        *shaped("layer_norm", (512, 1024), (1500, 200)),
        *shaped("rms_norm", (300, 700), (2048, 96), direction="vjp:x"),
        *shaped("black_scholes", (40_000,), (9_000,)),
        *shaped("total_variation_step", (192, 192), (120, 500), direction="vjp:u"),
    )


def measure(database: Database, count: int, out: Console) -> None:
    """Measure `count` configs drawn of the space of each of `cases`, those that the database lacks.

    The draw is always the same. A config is measured again where something else was running, a few times at most.
    """
    workloads = [case.workload for case in cases()]
    with Bench(workloads[0], detect(), builders=1) as processes, out.status("") as status:
        for workload in workloads:
            status.update(workload.describe())
            measure_drawn(database, workload, count, Bench(workload, detect(), beside=processes))


def measure_drawn(database: Database, workload: Workload, count: int, laboratory: Laboratory) -> None:
    """Measure drawn configs of one workload; each measurement is kept at once."""
    for config in _missing(database, workload, count):
        for _ in range(ATTEMPTS):
            # One at a time: after a fast one, a slow one is not timed to the end.
            (measurement,) = laboratory.measure([config], best=math.inf)
            database.add_measurement(measurement, detect(), ORIGIN)
            if trusted(measurement):
                break


def _missing(database: Database, workload: Workload, count: int) -> list[Config]:
    """Of a workload's drawn configs those not measured on a quiet machine, nor often, by these versions."""
    space = template_for(workload).space(workload, detect())
    known: dict[str, list[Measurement]] = defaultdict(list)
    for measurement in database.measurements(workload.key, detect().fingerprint):
        if measurement.versions == versions():
            known[config_key(measurement.config)].append(measurement)
    drawn = space.configs(space.draw(np.random.default_rng(0), min(count, space.size)))
    return [
        config
        for config in drawn
        if len(found := known[config_key(config)]) < ATTEMPTS and not any(map(trusted, found))
    ]
