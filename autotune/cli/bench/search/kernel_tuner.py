"""Kernel Tuner's strategies on a table, by its own simulation: it reads the table as a cache file of its own."""

import contextlib
import io
import json
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from autotune.cli.bench.search.tables import Table

FAILED = "RuntimeFailedConfig"  # Kernel Tuner's word for a config that did not run


def kernel_tuner(name: str) -> Callable[[Table, int, int], list[int]]:
    """A search by Kernel Tuner's strategy of that name, with its default options, on the valid configs of the table.

    A config that it asks for again costs nothing, as in Kernel Tuner.
    """

    def search(table: Table, budget: int, seed: int) -> list[int]:
        from kernel_tuner import tune_kernel
        from kernel_tuner.util import FunctionConstraint

        names = [knob.name for knob in table.space.knobs]
        listed = {tuple(config.values()) for config in table.space.configs(table.rows)}
        with (
            _seeded(seed),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(action="ignore"),  # of sums that overflow, as failures are the largest number there
            tempfile.TemporaryDirectory() as folder,
        ):
            path = Path(folder) / "cache.json"
            path.write_text(_cache(table))
            results, _ = tune_kernel(
                table.name,
                "",
                (1, 1),
                [],
                {knob.name: list(knob.values) for knob in table.space.knobs},
                restrictions=FunctionConstraint(lambda *values: values in listed),
                strategy=name,
                strategy_options={"max_fevals": budget},
                cache=str(path),
                simulation_mode=True,
                quiet=True,
                lang="CUDA",
            )
        rows = table.space.indices([{name: result[name] for name in names} for result in results])
        return list(dict.fromkeys(table.places[row.tobytes()] for row in rows))

    return search


def _cache(table: Table) -> str:
    """The table as a cache file of Kernel Tuner."""
    return json.dumps(
        {
            "device_name": "table",
            "kernel_name": table.name,
            "problem_size": [1, 1],
            "tune_params_keys": [knob.name for knob in table.space.knobs],
            "tune_params": {knob.name: knob.values for knob in table.space.knobs},
            "objective": "time",
            "cache": {
                ",".join(map(str, config.values())): config | _result(float(time))
                for config, time in zip(table.space.configs(table.rows), table.times, strict=True)
            },
        }
    )


def _result(time: float) -> dict[str, Any]:
    if not np.isfinite(time):
        return {"time": FAILED, "__error__": FAILED}
    return {"time": time}


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Kernel Tuner draws from the global generators; they are put back as they were."""
    plain, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(numpy)  # noqa: NPY002
