"""Which kernels a bridge calls."""

from typing import Any

import pytest

from autotune.runtime import dispatch


def directions_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directions that are called for the first time from here on, in order."""
    run: list[str] = []
    compiled = dispatch.compiled_plan

    def noted(workload: Any, *rest: Any) -> Any:
        run.append(workload.kernel.direction)
        return compiled(workload, *rest)

    monkeypatch.setattr(dispatch, "compiled_plan", noted)
    return run
