"""Runtime tests have a database each."""

from pathlib import Path
from typing import Any

import pytest

from autotune.errors import IndexRangeError
from autotune.lang.reference import evaluate
from autotune.machine import Machine
from autotune.runtime import Choice, Origin, Plan, dispatch
from autotune.runtime.plan import results_of
from autotune.schedule import Workload


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOTUNE_DB", str(tmp_path / "tuning.db"))
    monkeypatch.setenv("AUTOTUNE_THREADS", "1")


@pytest.fixture
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are served by the reference instead of by generated code, which takes seconds to compile.

    As generated code it takes arrays of just the dtypes and shapes that a plan promises, and refuses a first argument
    that is not in C order.
    """

    def interpreted(workload: Workload, choice: Choice, machine: Machine) -> Plan:
        del machine
        kernel = workload.kernel
        names = [spec.name for spec in kernel.inputs]

        def call(*given: Any) -> int:
            outputs = given[len(names) :]
            for spec, array in zip((*kernel.inputs, *kernel.outputs), given, strict=True):
                if hasattr(array, "dtype"):
                    integer = getattr(spec, "integer", False)
                    assert (array.shape, array.dtype) == (
                        workload.shapes[spec.name],
                        "int64" if integer else workload.dtype,
                    )
            if hasattr(given[0], "flags") and not given[0].flags.c_contiguous:
                return 1
            try:
                results = evaluate(kernel, dict(zip(names, given, strict=False)))
            except IndexRangeError:
                return -2
            for output, array in zip(kernel.outputs, outputs, strict=True):
                array[...] = results[output.name]
            return 0

        checks = ("index into nothing", "index idx[t] into dimension 1 of table (extent v)")
        return Plan(workload, call, results_of(workload), 0, None, choice, None, checks)

    monkeypatch.setattr(dispatch, "compiled_plan", interpreted)
    monkeypatch.setattr(
        dispatch.Dispatch, "choice", lambda _, workload: Choice({}, Origin.DEFAULT, workload), raising=True
    )
